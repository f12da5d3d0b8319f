#include "client/wire.h"

#include "base/memory.h"
#include "client/session.h"
#include "client/status.h"
#include "client/trust.h"
#include "io/tls.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_SIZE 65536
#define READS_A_TURN 16 /* then the others on the loop have theirs */
#define OUTPUT_ENOUGH 65536 /* one write's worth */
#define OUTPUT_MAX (4 * OUTPUT_ENOUGH) /* above it a frame, always */

enum wire_state {
	WIRE_CONNECTING, /* TCP */
	WIRE_HANDSHAKING, /* TLS */
	WIRE_READY,
	WIRE_CLOSED,
};

struct wire {
	struct loop *loop;
	struct wire_config config;
	struct wire_handler handler;
	enum wire_state state;
	char peer[ADDRESS_HOST_MAX + 16]; /* `host:port`, for messages and :authority */

	struct addrinfo *addresses, *address; /* all of the name's, and the one in use */
	int socket; /* -1: none */
	SSL *ssl;
	struct event *readable, *writable;
	struct loop_timer timer; /* connecting takes too long; then keepalive */

	struct client_session *session; /* from READY on */
	struct buffer output; /* of the session, not yet taken by TLS */
	uint8_t *input;
	bool write_waits; /* for the socket */
	bool proven;
	bool heard; /* since the last keepalive */
	bool pinged;
	bool busy; /* within the session: it must not be closed now */
};

static void try_address(struct wire *wire);
static void on_event(evutil_socket_t socket, short what, void *context);

static void close_socket(struct wire *wire)
{
	if (wire->readable != NULL)
		event_free(wire->readable);
	if (wire->writable != NULL)
		event_free(wire->writable);
	wire->readable = wire->writable = NULL;
	SSL_free(wire->ssl);
	wire->ssl = NULL;
	if (wire->socket >= 0)
		close(wire->socket);
	wire->socket = -1;
}

/* The one way out of every state. */
static void wire_close(struct wire *wire, const struct needtoknow_status *why)
{
	struct channel_call *call;

	if (wire->state == WIRE_CLOSED)
		return;
	wire->state = WIRE_CLOSED;
	loop_timer_clear(&wire->timer);
	close_socket(wire);
	wire->handler.on_closed(wire->handler.context, wire, why);
	while ((call = wire_abandon(wire)) != NULL)
		wire->handler.on_call_lost(wire->handler.context, call, why);
}

static void wire_lost(struct wire *wire, const char *how)
{
	struct needtoknow_status why;

	if (wire->proven)
		client_status_set(&why, NEEDTOKNOW_UNAVAILABLE, NEEDTOKNOW_REASON_CONNECTION_LOST,
			"the connection to %s was lost: %s", wire->peer, how);
	else /* some servers say no more than this to a certificate that they refuse */
		client_status_set(&why, NEEDTOKNOW_UNAVAILABLE, NEEDTOKNOW_REASON_CONNECTION_FAILED,
			"%s hung up before it said anything (%s): does it accept our certificate?", wire->peer, how);
	wire_close(wire, &why);
}

/* This address does not answer: the next one may. */
static void connect_failed(struct wire *wire, const char *how)
{
	struct needtoknow_status why;

	close_socket(wire);
	if (wire->address != NULL && wire->address->ai_next != NULL) {
		wire->address = wire->address->ai_next;
		wire->state = WIRE_CONNECTING;
		try_address(wire);
		return;
	}
	client_status_set(&why, NEEDTOKNOW_UNAVAILABLE, NEEDTOKNOW_REASON_CONNECTION_FAILED, "cannot connect to %s: %s",
		wire->peer, how);
	wire_close(wire, &why);
}

/* TLS said no. */
static void tls_failed(struct wire *wire, int result)
{
	struct needtoknow_status why;
	int system_error = errno;

	if (trust_verdict(wire->ssl, wire->peer, wire->config.server_name, &why))
		wire_close(wire, &why);
	else if (wire->state == WIRE_HANDSHAKING)
		connect_failed(wire, trust_describe(wire->ssl, result, system_error));
	else
		wire_lost(wire, trust_describe(wire->ssl, result, system_error));
}

static void on_timer(void *context)
{
	struct wire *wire = context;

	if (wire->state == WIRE_CONNECTING || wire->state == WIRE_HANDSHAKING) {
		connect_failed(wire, "no answer in time");
		return;
	}
	if (wire->heard || client_session_calls(wire->session)->count == 0) {
		wire->pinged = false;
	} else if (wire->pinged) {
		wire_lost(wire, "no answer to a ping");
		return;
	} else {
		wire->pinged = true;
		client_session_ping(wire->session);
	}
	wire->heard = false;
	loop_timer_set(&wire->timer, wire->config.keepalive);
}

static void on_call_closed(void *context, struct channel_call *call, uint32_t http2_error)
{
	struct wire *wire = context;

	wire->handler.on_call_closed(wire->handler.context, call, http2_error);
}

static void become_ready(struct wire *wire)
{
	struct client_session_handler handler = { on_call_closed, wire };

	if (!tls_is_h2(wire->ssl)) {
		connect_failed(wire, "it does not speak HTTP/2");
		return;
	}
	wire->session = client_session_new(wire->peer, &handler);
	if (wire->session == NULL) {
		connect_failed(wire, "no memory");
		return;
	}
	wire->state = WIRE_READY;
	wire->input = mem_alloc(INPUT_SIZE);
	loop_timer_set(&wire->timer, wire->config.keepalive);
	event_add(wire->readable, NULL);
	wire->handler.on_ready(wire->handler.context, wire);
}

static void handshake(struct wire *wire)
{
	ERR_clear_error();
	errno = 0;
	int result = SSL_connect(wire->ssl);
	if (result == 1) {
		become_ready(wire);
		return;
	}
	switch (SSL_get_error(wire->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		event_add(wire->readable, NULL);
		break;
	case SSL_ERROR_WANT_WRITE:
		event_add(wire->writable, NULL);
		break;
	default:
		tls_failed(wire, result);
		break;
	}
}

static void on_connected(struct wire *wire)
{
	int error = 0;
	socklen_t length = sizeof error;

	if (getsockopt(wire->socket, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
		error = errno;
	if (error != 0) {
		connect_failed(wire, strerror(error));
		return;
	}
	wire->ssl = trust_ssl_new(wire->config.tls, wire->config.server_name);
	if (wire->ssl == NULL || SSL_set_fd(wire->ssl, wire->socket) != 1) {
		connect_failed(wire, "TLS cannot be set up");
		return;
	}
	wire->state = WIRE_HANDSHAKING;
	handshake(wire);
}

static void try_address(struct wire *wire)
{
	const struct addrinfo *address = wire->address;
	const int yes = 1;

	loop_timer_set(&wire->timer, wire->config.connect_timeout);
	wire->socket = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
	if (wire->socket < 0) {
		connect_failed(wire, strerror(errno));
		return;
	}
	setsockopt(wire->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	wire->readable = event_new(loop_base(wire->loop), wire->socket, EV_READ | EV_PERSIST, on_event, wire);
	wire->writable = event_new(loop_base(wire->loop), wire->socket, EV_WRITE, on_event, wire);
	if (wire->readable == NULL || wire->writable == NULL) {
		connect_failed(wire, "no memory");
		return;
	}
	if (connect(wire->socket, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS) {
		connect_failed(wire, strerror(errno));
		return;
	}
	event_add(wire->writable, NULL);
}

/* The first step, from the loop, so that failures never come from within wire_new(). */
static void resolve(void *context)
{
	struct wire *wire = context;
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };

	wire->timer.fire = on_timer;
	if (wire->config.address.numeric)
		hints.ai_flags |= AI_NUMERICHOST;
	int error = getaddrinfo(wire->config.address.host, wire->config.address.port, &hints, &wire->addresses);
	if (error != 0) {
		wire->addresses = NULL;
		connect_failed(wire, error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
		return;
	}
	wire->address = wire->addresses;
	try_address(wire);
}

struct wire *wire_new(struct loop *loop, const struct wire_config *config, const struct wire_handler *handler)
{
	struct wire *wire = mem_calloc(1, sizeof *wire);
	bool ipv6 = strchr(config->address.host, ':') != NULL;

	wire->loop = loop;
	wire->config = *config;
	wire->handler = *handler;
	wire->socket = -1;
	SSL_CTX_up_ref(config->tls);
	buffer_init(&wire->output, OUTPUT_MAX);
	snprintf(wire->peer, sizeof wire->peer, ipv6 ? "[%s]:%s" : "%s:%s", config->address.host, config->address.port);
	loop_timer_init(&wire->timer, loop, resolve, wire);
	loop_timer_set(&wire->timer, 0);
	return wire;
}

/* What the socket takes of it without waiting. */
static void say_goodbye(struct wire *wire)
{
	const char *error;

	client_session_goodbye(wire->session);
	if (client_session_send(wire->session, &wire->output, OUTPUT_ENOUGH, &error) != 0)
		return;
	ERR_clear_error();
	if (wire->output.length == 0 || SSL_write(wire->ssl, wire->output.data, (int)wire->output.length) > 0)
		SSL_shutdown(wire->ssl);
}

void wire_free(struct wire *wire)
{
	if (wire == NULL)
		return;
	assert(!wire->busy);
	assert(wire_calls(wire)->count == 0);
	if (wire->state == WIRE_READY)
		say_goodbye(wire);
	wire->state = WIRE_CLOSED;
	close_socket(wire);
	loop_timer_release(&wire->timer);
	if (wire->addresses != NULL)
		freeaddrinfo(wire->addresses);
	client_session_free(wire->session);
	buffer_release(&wire->output);
	mem_free(wire->input);
	SSL_CTX_free(wire->config.tls);
	mem_free(wire);
}

size_t wire_room(const struct wire *wire)
{
	return wire->state == WIRE_READY ? client_session_room(wire->session) : 0;
}

bool wire_closed(const struct wire *wire)
{
	return wire->state == WIRE_CLOSED;
}

bool wire_proven(const struct wire *wire)
{
	return wire->proven;
}

bool wire_draining(const struct wire *wire)
{
	return wire->state == WIRE_READY && client_session_draining(wire->session);
}

const struct call_list *wire_calls(const struct wire *wire)
{
	static const struct call_list none;

	return wire->session != NULL ? client_session_calls(wire->session) : &none;
}

int wire_submit(struct wire *wire, struct channel_call *call, int64_t now)
{
	assert(wire->state == WIRE_READY);
	if (client_session_submit(wire->session, call, now) != 0)
		return -1;
	call->wire = wire;
	return 0;
}

void wire_reset(struct wire *wire, struct channel_call *call)
{
	if (wire->state == WIRE_READY)
		client_session_reset(wire->session, call);
}

struct channel_call *wire_abandon(struct wire *wire)
{
	return wire->session != NULL ? client_session_abandon(wire->session) : NULL;
}

/* Reads what is there. */
static void wire_read(struct wire *wire)
{
	const char *error;

	for (unsigned reads = 0; reads < READS_A_TURN; reads++) {
		ERR_clear_error();
		errno = 0;
		int length = SSL_read(wire->ssl, wire->input, INPUT_SIZE);
		if (length <= 0) {
			int reason = SSL_get_error(wire->ssl, length);
			if (reason == SSL_ERROR_WANT_READ)
				return;
			if (reason == SSL_ERROR_WANT_WRITE) {
				event_add(wire->writable, NULL);
				return;
			}
			tls_failed(wire, length);
			return;
		}
		wire->heard = true;
		wire->busy = true;
		int result = client_session_receive(wire->session, wire->input, (size_t)length, &error);
		wire->busy = false;
		mem_wipe(wire->input, (size_t)length);
		if (!wire->proven && client_session_heard(wire->session)) {
			wire->proven = true;
			wire->handler.on_proven(wire->handler.context, wire);
		}
		if (result != 0) {
			wire_lost(wire, error);
			return;
		}
	}
	/* More may wait in TLS's own buffer, of which the socket knows nothing. */
	event_active(wire->readable, EV_READ, 0);
}

/* A server that refuses our certificate says so in an alert, and hangs up: the alert is read before the failed write is
 * judged. */
static void write_failed(struct wire *wire, int result)
{
	struct needtoknow_status why;
	const char *how = trust_describe(wire->ssl, result, errno);

	ERR_clear_error();
	if (SSL_read(wire->ssl, wire->input, INPUT_SIZE) <= 0 &&
		trust_verdict(wire->ssl, wire->peer, wire->config.server_name, &why))
		wire_close(wire, &why);
	else
		wire_lost(wire, how);
}

/* True: all is written. */
static bool write_output(struct wire *wire)
{
	while (wire->output.length > 0) {
		size_t length = wire->output.length < OUTPUT_ENOUGH ? wire->output.length : OUTPUT_ENOUGH;
		ERR_clear_error();
		errno = 0;
		int written = SSL_write(wire->ssl, wire->output.data, (int)length);
		if (written > 0) {
			buffer_consume(&wire->output, (size_t)written);
			continue;
		}
		switch (SSL_get_error(wire->ssl, written)) {
		case SSL_ERROR_WANT_WRITE:
			wire->write_waits = true;
			event_add(wire->writable, NULL);
			return false;
		case SSL_ERROR_WANT_READ: /* the next read goes on */
			return false;
		default:
			write_failed(wire, written);
			return false;
		}
	}
	return true;
}

void wire_flush(struct wire *wire)
{
	const char *error;

	if (wire->state != WIRE_READY || wire->write_waits)
		return;
	do {
		wire->busy = true;
		int result = client_session_send(wire->session, &wire->output, OUTPUT_ENOUGH, &error);
		wire->busy = false;
		if (result != 0) {
			wire_lost(wire, error);
			return;
		}
		if (wire->output.length == 0)
			break;
	} while (write_output(wire));
	if (wire->state == WIRE_READY && wire->output.length == 0 && client_session_finished(wire->session))
		wire_lost(wire, wire_draining(wire) ? "the server ended it" : "the server broke the rules of HTTP/2");
}

static void on_event(evutil_socket_t socket, short what, void *context)
{
	struct wire *wire = context;

	(void)socket;
	switch (wire->state) {
	case WIRE_CONNECTING:
		on_connected(wire);
		break;
	case WIRE_HANDSHAKING:
		handshake(wire);
		break;
	case WIRE_READY:
		if ((what & EV_WRITE) != 0)
			wire->write_waits = false; /* the end of the turn writes on */
		wire_read(wire);
		break;
	case WIRE_CLOSED:
		break;
	}
}
