#include "io/server_connection.h"

#include "base/memory.h"
#include "io/tls.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MILLISECOND INT64_C(1000)
/* What one connection may have done in a turn, so that no peer keeps the others waiting. */
#define READS_PER_TURN 8
#define RECORDS_PER_TURN 16
/* A handshake costs a millisecond of signing and verifying. */
#define HANDSHAKES_PER_TURN 8
/* After close_notify the peer may have this long to read it: closing with unread input would reset the connection. */
#define LINGER_MS 1000
/* The kernel takes no more of what it cannot send yet: what it has, nobody can drop any more. */
#define KERNEL_UNSENT_MAX 32768

enum connection_state {
	CONNECTION_HANDSHAKES,
	CONNECTION_OPEN,
	CONNECTION_LINGERS, /* said its last; reads to the peer's end */
	CONNECTION_CLOSED, /* to be freed at the end of the turn */
};

struct server_connection {
	struct server_connections *connections;
	struct server_connection *next, *previous;
	struct server_connection *next_dirty, *next_later;
	enum connection_state state;
	bool dirty, later;
	bool blocked; /* the socket is full: nothing is read either */
	struct connection tls;
	struct event readable, writable;
	struct loop_timer timer;
	int64_t timer_at; /* INT64_MAX: not set */
	int64_t turn; /* the turn that these are of */
	unsigned records;
	struct http2_session *session; /* from the end of the handshake */
	bool told; /* the first GOAWAY */
	struct identity caller;
};

static int64_t now(const struct server_connections *connections)
{
	return loop_now(connections->host.loop);
}

/* There is something to do for it at the end of this turn. */
static void mark_dirty(struct server_connection *connection)
{
	if (connection->dirty)
		return;
	connection->dirty = true;
	connection->next_dirty = connection->connections->dirty;
	connection->connections->dirty = connection;
}

static void wake(void *context)
{
	mark_dirty(context);
}

/* There is something to do for it in the next turn, which must not wait for events then. */
static void mark_later(struct server_connection *connection)
{
	struct server_connections *connections = connection->connections;
	if (connection->later)
		return;
	connection->later = true;
	connection->next_later = connections->later;
	connections->later = connection;
}

static void set_timer(struct server_connection *connection, int64_t at)
{
	if (at == connection->timer_at)
		return;
	connection->timer_at = at;
	if (at == INT64_MAX)
		loop_timer_clear(&connection->timer);
	else
		loop_timer_set(&connection->timer, at - now(connection->connections));
}

/*
 * A peer that does not read is not read from: it would be told nothing anyway, and OpenSSL cannot take a second
 * KeyUpdate before it has written the answer to the first.
 */
static void block(struct server_connection *connection)
{
	connection->blocked = true;
	event_del(&connection->readable);
	event_add(&connection->writable, NULL);
}

static void unblock(struct server_connection *connection)
{
	connection->blocked = false;
	event_add(&connection->readable, NULL);
	if (connection_has_pending(&connection->tls))
		mark_later(connection);
	mark_dirty(connection);
}

/* Its end. */

/* The one way out: nothing of it is sent any more, its streams' handlers are told, its memory goes with the turn. */
static void close_now(struct server_connection *connection)
{
	struct server_connections *connections = connection->connections;
	if (connection->state == CONNECTION_CLOSED)
		return;
	connection->state = CONNECTION_CLOSED;
	event_del(&connection->readable);
	event_del(&connection->writable);
	set_timer(connection, INT64_MAX);
	connection_close(&connection->tls);
	connections->host.counters.connections_open--;
	mark_dirty(connection);
}

static void server_connection_free(struct server_connection *connection)
{
	struct server_connections *connections = connection->connections;
	assert(connection->state == CONNECTION_CLOSED && !connection->dirty && !connection->later);
	if (connection->next)
		connection->next->previous = connection->previous;
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		connections->all = connection->next;
	loop_timer_release(&connection->timer);
	mem_free(connection);
}

/* Everything is said: close_notify, and to the peer's end. */
static void close_gently(struct server_connection *connection)
{
	mark_dirty(connection); /* its session ends */
	connection->state = CONNECTION_LINGERS;
	connection_shutdown(&connection->tls);
	event_del(&connection->writable);
	event_add(&connection->readable, NULL);
	set_timer(connection, now(connection->connections) + LINGER_MS * MILLISECOND);
}

/* The alert that says why is on its way: the peer should see it. */
static void fail_handshake(struct server_connection *connection)
{
	connection->connections->host.counters.handshakes_failed++;
	close_gently(connection);
}

/* Out. */

static void record_written(struct server_connection *connection, enum connection_result result, size_t length)
{
	if (result == CONNECTION_DONE) {
		connection->connections->host.counters.bytes_written += length;
		http2_session_record_left(connection->session);
	} else if (result != CONNECTION_GONE) {
		http2_session_record_waits(connection->session);
	}
}

/* The record that waits, or the next one. DONE with *length 0: there is nothing to write. */
static enum connection_result write_record(struct server_connection *connection, size_t *length)
{
	struct server_connections *connections = connection->connections;
	enum connection_result result;
	*length = connection->tls.waiting;
	if (*length > 0) {
		result = connection_write_on(&connection->tls);
		if (result == CONNECTION_DONE)
			record_written(connection, result, *length);
		return result;
	}
	if (http2_session_fill(connection->session, connections->output, sizeof connections->output, length) != 0)
		return CONNECTION_GONE;
	if (*length == 0)
		return CONNECTION_DONE;
	result = connection_write(&connection->tls, connections->output, *length);
	mem_wipe(connections->output, *length);
	record_written(connection, result, *length);
	return result;
}

static void flush(struct server_connection *connection)
{
	int64_t turn = now(connection->connections);
	if (connection->turn != turn) {
		connection->turn = turn;
		connection->records = RECORDS_PER_TURN;
	}
	enum connection_result result = CONNECTION_DONE;
	size_t length = 1;
	while (result == CONNECTION_DONE && length > 0 && connection->records > 0) {
		connection->records--;
		result = write_record(connection, &length);
	}
	switch (result) {
	case CONNECTION_DONE:
		if (length > 0)
			mark_later(connection);
		else if (http2_session_finished(connection->session))
			close_gently(connection);
		break;
	case CONNECTION_WANTS_WRITE:
		block(connection);
		break;
	case CONNECTION_WANTS_READ: /* receive() comes back to it */
		break;
	case CONNECTION_GONE:
		close_now(connection);
		break;
	}
	if (connection->state == CONNECTION_OPEN && http2_session_due(connection->session) < connection->timer_at)
		set_timer(connection, http2_session_due(connection->session));
}

/* True when a handler was told anything. */
static bool session_end(struct server_connection *connection)
{
	struct http2_session *session = connection->session;
	bool told = session->streams || session->notices;
	connection->session = NULL;
	http2_session_free(session);
	return told;
}

static bool settle(struct server_connection *connection)
{
	if (connection->state == CONNECTION_OPEN && connection->session->condemned)
		close_now(connection);
	if (connection->state == CONNECTION_OPEN)
		flush(connection);
	if (!connection->session)
		return false;
	return connection->state == CONNECTION_OPEN ? http2_session_settle(connection->session)
						    : session_end(connection);
}

bool server_connections_flush(struct server_connections *connections)
{
	bool told = false;
	while (connections->dirty) {
		struct server_connection *connection = connections->dirty;
		connections->dirty = connection->next_dirty;
		connection->dirty = false;
		told |= settle(connection);
		if (connection->state == CONNECTION_CLOSED && !connection->dirty && !connection->later)
			server_connection_free(connection);
	}
	connections->handshakes = HANDSHAKES_PER_TURN;
	/* From here and not from mark_later(): what libevent is told during a turn it does in that turn. */
	if (connections->later)
		event_active(&connections->resume, EV_TIMEOUT, 1);
	return told;
}

/* In. */

static void established(struct server_connection *connection)
{
	struct server_connections *connections = connection->connections;
	if (!tls_is_h2(connection->tls.ssl)) {
		fail_handshake(connection);
		return;
	}
	bool named = tls_peer_identity(connection->tls.ssl, connections->host.trust_domain, &connection->caller) == 0;
	tls_forget_peer_key(connection->tls.ssl);
	connection->session =
		http2_session_new(&connections->host, named ? &connection->caller : NULL, wake, connection);
	if (!connection->session) {
		close_now(connection);
		return;
	}
	connection->state = CONNECTION_OPEN;
	set_timer(connection, http2_session_due(connection->session));
	mark_dirty(connection);
}

static void handshake(struct server_connection *connection)
{
	struct server_connections *connections = connection->connections;
	if (connections->handshakes == 0) {
		mark_later(connection);
		return;
	}
	connections->handshakes--;
	switch (connection_handshake(&connection->tls)) {
	case CONNECTION_DONE:
		established(connection);
		break;
	case CONNECTION_WANTS_READ:
		break;
	case CONNECTION_WANTS_WRITE:
		event_add(&connection->writable, NULL);
		break;
	case CONNECTION_GONE:
		fail_handshake(connection);
		break;
	}
}

static void receive(struct server_connection *connection)
{
	struct server_connections *connections = connection->connections;
	enum connection_result result = CONNECTION_DONE;
	for (int reads = 0; result == CONNECTION_DONE && reads < READS_PER_TURN; reads++) {
		size_t length = 0;
		result = connection_read(&connection->tls, connections->input, sizeof connections->input, &length);
		if (result != CONNECTION_DONE)
			break;
		connections->host.counters.bytes_read += length;
		if (http2_session_receive(connection->session, connections->input, length) != 0)
			result = CONNECTION_GONE;
		mem_wipe(connections->input, length);
		/* A handler may have had it closed. */
		if (connection->state != CONNECTION_OPEN)
			return;
	}
	switch (result) {
	case CONNECTION_DONE:
		/* The socket says when it has more, but not when OpenSSL has. */
		if (connection_has_pending(&connection->tls))
			mark_later(connection);
		break;
	case CONNECTION_WANTS_READ:
		break;
	case CONNECTION_WANTS_WRITE:
		block(connection);
		break;
	case CONNECTION_GONE:
		close_now(connection);
		break;
	}
}

static void proceed(struct server_connection *connection)
{
	switch (connection->state) {
	case CONNECTION_HANDSHAKES:
		handshake(connection);
		if (connection->state == CONNECTION_OPEN)
			receive(connection);
		break;
	case CONNECTION_OPEN:
		if (connection->blocked)
			break;
		/* What TLS had to hear before it could write may be there. */
		if (connection->tls.waiting > 0)
			mark_dirty(connection);
		receive(connection);
		break;
	case CONNECTION_LINGERS:
		if (connection_linger(&connection->tls) == CONNECTION_GONE)
			close_now(connection);
		break;
	case CONNECTION_CLOSED:
		break;
	}
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct server_connection *connection = context;
	struct loop *loop = connection->connections->host.loop;
	(void)fd;
	(void)what;
	proceed(connection);
	loop_heed(loop);
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
	struct server_connection *connection = context;
	(void)fd;
	(void)what;
	if (connection->state == CONNECTION_HANDSHAKES)
		handshake(connection);
	else if (connection->state == CONNECTION_OPEN)
		unblock(connection);
}

static void on_timer(void *context)
{
	struct server_connection *connection = context;
	connection->timer_at = INT64_MAX;
	if (connection->state != CONNECTION_OPEN) {
		/* The handshake took too long, or the peer does not close what we have closed. */
		if (connection->state == CONNECTION_HANDSHAKES) {
			connection->connections->host.counters.limit_closed++;
			connection->connections->host.counters.handshakes_failed++;
		}
		close_now(connection);
		return;
	}
	if (!http2_session_sweep(connection->session, now(connection->connections))) {
		close_now(connection);
		return;
	}
	set_timer(connection, http2_session_due(connection->session));
}

static void on_resume(evutil_socket_t fd, short what, void *context)
{
	struct server_connections *connections = context;
	(void)fd;
	(void)what;
	struct server_connection *connection = connections->later;
	connections->later = NULL;
	while (connection) {
		struct server_connection *next = connection->next_later;
		connection->later = false;
		proceed(connection);
		mark_dirty(connection);
		connection = next;
	}
}

/* All of them. */

void server_connection_new(struct server_connections *connections, int fd)
{
	struct server_connection *connection = mem_calloc(1, sizeof *connection);
	struct event_base *base = loop_base(connections->host.loop);
	const int on = 1, unsent = KERNEL_UNSENT_MAX;
	if (connection_accept(&connection->tls, fd, connections->tls) != 0) {
		close(fd);
		mem_free(connection);
		return;
	}
	/* Both are improvements that a socket may lack. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);

	connection->connections = connections;
	connection->next = connections->all;
	if (connection->next)
		connection->next->previous = connection;
	connections->all = connection;
	connections->host.counters.connections_open++;
	event_assign(&connection->readable, base, fd, EV_READ | EV_PERSIST, on_readable, connection);
	event_assign(&connection->writable, base, fd, EV_WRITE, on_writable, connection);
	loop_timer_init(&connection->timer, connections->host.loop, on_timer, connection);
	connection->timer_at = INT64_MAX;
	set_timer(connection, now(connections) + connections->host.limits.handshake_timeout_ms * MILLISECOND);
	event_add(&connection->readable, NULL);
}

int server_connections_init(struct server_connections *connections)
{
	connections->handshakes = HANDSHAKES_PER_TURN;
	if (http2_host_init(&connections->host) != 0)
		return -1;
	return event_assign(
		&connections->resume, loop_base(connections->host.loop), -1, EV_PERSIST, on_resume, connections);
}

void server_connections_release(struct server_connections *connections)
{
	for (struct server_connection *connection = connections->all; connection; connection = connection->next)
		close_now(connection);
	event_del(&connections->resume);
	while (connections->later) {
		struct server_connection *connection = connections->later;
		connections->later = connection->next_later;
		connection->later = false;
		mark_dirty(connection);
	}
	while (connections->dirty)
		server_connections_flush(connections);
	assert(!connections->all);
	http2_host_release(&connections->host);
}

static void tell(struct server_connection *connection)
{
	connection->told = true;
	http2_session_drain(connection->session);
}

void server_connections_drain(struct server_connections *connections)
{
	for (struct server_connection *connection = connections->all; connection; connection = connection->next)
		if (connection->state == CONNECTION_OPEN && http2_session_is_used(connection->session))
			tell(connection);
}

void server_connections_drain_on(struct server_connections *connections)
{
	for (struct server_connection *connection = connections->all; connection; connection = connection->next) {
		if (connection->state == CONNECTION_HANDSHAKES)
			close_now(connection);
		else if (connection->state == CONNECTION_OPEN && !connection->told)
			tell(connection);
		else if (connection->state == CONNECTION_OPEN && connection->session->draining)
			http2_session_drain_now(connection->session);
	}
}

void server_connections_end(struct server_connections *connections)
{
	for (struct server_connection *connection = connections->all; connection; connection = connection->next)
		if (connection->state == CONNECTION_OPEN)
			http2_session_end(connection->session);
	/* What the sockets take at once, and no more. */
	server_connections_flush(connections);
	for (struct server_connection *connection = connections->all; connection; connection = connection->next)
		close_now(connection);
}

void server_connections_close_recipient(
	struct server_connections *connections, const char *recipient_id, const char *device)
{
	for (struct server_connection *connection = connections->all; connection; connection = connection->next) {
		const struct identity *caller = &connection->caller;
		if (connection->state == CONNECTION_OPEN && connection->session->caller &&
			caller->role == ROLE_RECIPIENT && strcmp(caller->name, recipient_id) == 0 &&
			(!device || strcmp(caller->device, device) == 0))
			close_now(connection);
	}
}
