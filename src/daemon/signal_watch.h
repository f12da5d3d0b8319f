#ifndef NEEDTOKNOW_DAEMON_SIGNAL_WATCH_H
#define NEEDTOKNOW_DAEMON_SIGNAL_WATCH_H

#include "io/loop.h"

/*
 * Signals as events of the loop, through signalfd(2): they are blocked from the start of the process on, so none is
 * lost between a fork and the child's first turn, and no handler ever interrupts anything.
 */
struct signal_watch;

/* Blocks SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 and SIGCHLD, and ignores SIGPIPE; children inherit it. */
void signals_block(void);

/* `caught` is called for each of these that arrives; several of one kind may arrive as one. NULL: errno. */
struct signal_watch *signal_watch_new(struct loop *loop, void (*caught)(void *context, int number), void *context);
/* NULL is allowed. */
void signal_watch_free(struct signal_watch *watch);

#endif
