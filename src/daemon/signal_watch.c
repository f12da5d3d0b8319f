#include "daemon/signal_watch.h"

#include "base/memory.h"

#include <assert.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct signal_watch {
	int fd;
	struct event *event;
	void (*caught)(void *context, int number);
	void *context;
};

static sigset_t watched(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGCHLD);
	return set;
}

void signals_block(void)
{
	sigset_t set = watched();
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* Whoever started us may have ignored it: then no child's end would ever be told. */
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
}

static void readable(evutil_socket_t fd, short what, void *context)
{
	struct signal_watch *watch = context;
	struct signalfd_siginfo info;
	(void)what;
	/* One a turn: the callback may end the loop, or free what is behind it. */
	if (read(fd, &info, sizeof info) == sizeof info)
		watch->caught(watch->context, (int)info.ssi_signo);
}

struct signal_watch *signal_watch_new(struct loop *loop, void (*caught)(void *context, int number), void *context)
{
	sigset_t set = watched();
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return NULL;
	struct signal_watch *watch = mem_calloc(1, sizeof *watch);
	*watch = (struct signal_watch){ .fd = fd, .caught = caught, .context = context };
	watch->event = event_new(loop_base(loop), fd, EV_READ | EV_PERSIST, readable, watch);
	assert(watch->event);
	int rc = event_add(watch->event, NULL);
	assert(rc == 0);
	return watch;
}

void signal_watch_free(struct signal_watch *watch)
{
	if (!watch)
		return;
	event_free(watch->event);
	close(watch->fd);
	mem_free(watch);
}
