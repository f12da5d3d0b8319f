#include "daemon/listeners.h"

#include "daemon/notify.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024

void listeners_socket_address(const struct listen_address *address, struct sockaddr_storage *out, socklen_t *length)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(address->port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(address->port) };
	int family = address->is_ipv6 ? AF_INET6 : AF_INET;
	int rc = inet_pton(family, address->host, address->is_ipv6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr);
	assert(rc == 1); /* the configuration has read it so */
	memset(out, 0, sizeof *out);
	*length = address->is_ipv6 ? sizeof v6 : sizeof v4;
	memcpy(out, address->is_ipv6 ? (void *)&v6 : (void *)&v4, *length);
}

/* Bound and listening; -1 with errno. */
static int open_socket(const struct listen_address *address)
{
	struct sockaddr_storage storage;
	socklen_t length;
	const int on = 1;
	listeners_socket_address(address, &storage, &length);
	int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	/* [::]:8443 means IPv6 alone, whatever the machine's default is: 0.0.0.0 is asked for by its own name. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
		(!address->is_ipv6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
		bind(fd, (struct sockaddr *)&storage, length) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static bool is_listening_stream(int fd)
{
	int type = 0, listening = 0;
	socklen_t length = sizeof type;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type != SOCK_STREAM)
		return false;
	length = sizeof listening;
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 && listening;
}

int listeners_check(const struct listeners *listeners, char *error, size_t error_size)
{
	for (int i = 0; i < listeners->count; i++) {
		int fd = listeners->sockets[i];
		if (!is_listening_stream(fd)) {
			snprintf(error, error_size,
				"listen: descriptor %d, which was handed over, is no listening TCP socket", fd);
			return -1;
		}
		evutil_make_socket_nonblocking(fd);
		evutil_make_socket_closeonexec(fd);
	}
	return 0;
}

bool listeners_are_at(const struct listeners *listeners, const struct listen_address *address)
{
	struct sockaddr_storage wanted, bound = { .ss_family = AF_UNSPEC };
	socklen_t wanted_length, length;
	listeners_socket_address(address, &wanted, &wanted_length);
	for (int i = 0; i < listeners->count; i++) {
		length = sizeof bound;
		if (getsockname(listeners->sockets[i], (struct sockaddr *)&bound, &length) == 0 &&
			length == wanted_length && memcmp(&bound, &wanted, length) == 0)
			return true;
	}
	return false;
}

static int take_inherited(struct listeners *listeners, int count, char *error, size_t error_size)
{
	if (count > LISTENERS_MAX) {
		snprintf(error, error_size, "listen: %d sockets were handed over; at most %d are taken", count,
			LISTENERS_MAX);
		return -1;
	}
	for (int i = 0; i < count; i++)
		listeners->sockets[listeners->count++] = NOTIFY_FIRST_SOCKET + i;
	return listeners_check(listeners, error, error_size);
}

int listeners_open(struct listeners *listeners, const struct listen_address *address, char *error, size_t error_size)
{
	int inherited = notify_sockets();
	*listeners = (struct listeners){ 0 };
	if (inherited > 0)
		return take_inherited(listeners, inherited, error, error_size);
	int fd = open_socket(address);
	if (fd < 0) {
		snprintf(error, error_size, address->is_ipv6 ? "listen: [%s]:%u: %s" : "listen: %s:%u: %s",
			address->host, address->port, strerror(errno));
		return -1;
	}
	listeners->sockets[listeners->count++] = fd;
	return 0;
}

void listeners_close(struct listeners *listeners)
{
	while (listeners->count > 0)
		close(listeners->sockets[--listeners->count]);
}
