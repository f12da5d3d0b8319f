#ifndef NEEDTOKNOW_DAEMON_LISTENERS_H
#define NEEDTOKNOW_DAEMON_LISTENERS_H

#include "daemon/configuration.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/*
 * The sockets that callers connect to: the service manager's when it handed some over (socket activation), else one of
 * our own. Opened once, by the supervisor, who keeps them through a rolling restart; the workers inherit them, so that
 * whoever waits in their queue waits for any worker, and loses nothing when one of them ends.
 */
#define LISTENERS_MAX 16

struct listeners {
	int count;
	int sockets[LISTENERS_MAX];
};

void listeners_socket_address(const struct listen_address *address, struct sockaddr_storage *out, socklen_t *length);

/* 0, or -1 and one line in `error`. */
int listeners_open(struct listeners *listeners, const struct listen_address *address, char *error, size_t error_size);
/* Sockets that come from elsewhere: do they listen? They become ours. 0, or -1 and one line in `error`. */
int listeners_check(const struct listeners *listeners, char *error, size_t error_size);
/* Is one of them bound to this address? */
bool listeners_are_at(const struct listeners *listeners, const struct listen_address *address);
/* This process's copies. Repeating it does no harm. */
void listeners_close(struct listeners *listeners);

#endif
