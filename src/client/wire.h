#ifndef NEEDTOKNOW_CLIENT_WIRE_H
#define NEEDTOKNOW_CLIENT_WIRE_H

#include "client/address.h"
#include "client/call.h"

#include <openssl/ssl.h>

/*
 * One connection of a channel: a socket, TLS 1.3 on it, HTTP/2 on that (RFC 9113, nghttp2). It tries each address of
 * the host's name in turn. Names are looked up with getaddrinfo(), which may block for as long as the resolver does; an
 * IP address does not.
 *
 * It never frees itself: after on_closed() its owner does, outside of its callbacks.
 */
struct wire;

struct wire_config {
	struct address address;
	const char *server_name; /* never NULL; must outlive the wire */
	SSL_CTX *tls;
	int64_t connect_timeout; /* microseconds */
	int64_t keepalive; /* microseconds */
};

struct wire_handler {
	/* Calls may be submitted. */
	void (*on_ready)(void *context, struct wire *wire);
	/* Once: the server has spoken HTTP/2, so it is there and has let us in. (In TLS 1.3 it may refuse our
	 * certificate after on_ready().) */
	void (*on_proven)(void *context, struct wire *wire);
	/* The stream of a call is closed; it is in no list any more. `http2_error` is 0 after a normal end. */
	void (*on_call_closed)(void *context, struct channel_call *call, uint32_t http2_error);
	/* Once: the connection is gone, or was never made. Comes before the on_call_lost() of each call that it had. */
	void (*on_closed)(void *context, struct wire *wire, const struct needtoknow_status *why);
	void (*on_call_lost)(void *context, struct channel_call *call, const struct needtoknow_status *why);
	void *context;
};

/* Starts connecting; failures come through on_closed() from the loop. Both are copied. */
struct wire *wire_new(struct loop *loop, const struct wire_config *config, const struct wire_handler *handler);
/* Says goodbye where it can. There are no calls on it any more, or wire_abandon() has taken them. NULL is allowed. */
void wire_free(struct wire *wire);

/* How many more calls may be submitted now. 0 while it connects, after GOAWAY and once closed. */
size_t wire_room(const struct wire *wire);
bool wire_closed(const struct wire *wire);
/* on_proven() was called. */
bool wire_proven(const struct wire *wire);
/* GOAWAY was said, by either side: it takes no more calls and ends with those that it has. */
bool wire_draining(const struct wire *wire);
/* The calls on it. */
const struct call_list *wire_calls(const struct wire *wire);

/*
 * Puts a call on it, wire_room() being at least 1; `now` is by the clock of its deadline. What is submitted leaves with
 * wire_flush(). 0, or -1: take another wire.
 */
int wire_submit(struct wire *wire, struct channel_call *call, int64_t now);
/* Resets the stream of a call; on_call_closed() follows. */
void wire_reset(struct wire *wire, struct channel_call *call);

/* Writes what is queued, as far as the socket takes it. To be called at the end of each turn of the loop. */
void wire_flush(struct wire *wire);

/* Takes one call off without a word, before wire_free(). NULL when there is none. */
struct channel_call *wire_abandon(struct wire *wire);

#endif
