#ifndef NEEDTOKNOW_DAEMON_NOTIFY_H
#define NEEDTOKNOW_DAEMON_NOTIFY_H

#include <stdint.h>

/*
 * The service manager, sd_notify(3) and sd_listen_fds(3). Without libsystemd at build, or without a manager that asks,
 * nothing happens and nothing was inherited.
 */
#define NOTIFY_FIRST_SOCKET 3

/* Lines of sd_notify(3), such as `READY=1\nSTATUS=...`. */
void notify(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* RELOADING=1, with the time that Type=notify-reload needs. */
void notify_reloading(void);

/* Microseconds within which WATCHDOG=1 is expected; 0: it is not. */
int64_t notify_watchdog(void);

/* How many sockets were handed over, from NOTIFY_FIRST_SOCKET on. */
int notify_sockets(void);

#endif
