#include "daemon/notify.h"

#ifdef HAVE_SYSTEMD

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>
#include <time.h>

_Static_assert(NOTIFY_FIRST_SOCKET == SD_LISTEN_FDS_START, "sd_listen_fds(3)");

void notify(const char *format, ...)
{
	char state[1024];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(state, sizeof state, format, arguments);
	va_end(arguments);
	sd_notify(0, state);
}

void notify_reloading(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	notify("RELOADING=1\nMONOTONIC_USEC=%" PRId64, (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

int64_t notify_watchdog(void)
{
	uint64_t interval;
	return sd_watchdog_enabled(0, &interval) > 0 && interval <= INT64_MAX ? (int64_t)interval : 0;
}

int notify_sockets(void)
{
	int count = sd_listen_fds(1);
	return count > 0 ? count : 0;
}

#else

void notify(const char *format, ...)
{
	(void)format;
}

void notify_reloading(void)
{
}

int64_t notify_watchdog(void)
{
	return 0;
}

int notify_sockets(void)
{
	return 0;
}

#endif
