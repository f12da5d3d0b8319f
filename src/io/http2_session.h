#ifndef NEEDTOKNOW_IO_HTTP2_SESSION_H
#define NEEDTOKNOW_IO_HTTP2_SESSION_H

#include "io/http2_memory.h"
#include "io/http2_output.h"
#include "io/loop.h"
#include "io/server.h"
#include "io/server_limits.h"

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The HTTP/2 half of a connection, without I/O (RFC 9113): bytes from the peer go in, a record's worth of bytes for it
 * comes out. nghttp2 does the framing; this holds the discipline: nothing is sent from a callback, flow control follows
 * what is taken, and everything that a peer can make us keep or do has its limit.
 */
struct http2_session;

/* What all sessions of a server share; the server owns it. */
struct http2_host {
	struct loop *loop;
	const char *trust_domain; /* for the message to those whose certificate names nobody in it */
	struct server_limits limits;
	struct server_handler handler;
	struct server_counters counters;
	struct http2_values values;
	struct server_stream *spare; /* streams that have ended, for the next ones */
	uint32_t spares;
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
};

/* Limits, handler and loop are set by the caller. 0, or -1 without memory. */
int http2_host_init(struct http2_host *host);
void http2_host_release(struct http2_host *host);

/* Its fields are for the http2_*.c alone. */
struct http2_session {
	struct http2_host *host;
	nghttp2_session *nghttp2;
	struct http2_memory memory;
	const struct identity *caller; /* NULL: the certificate names nobody that we know */
	void (*wake)(void *context);
	void *context;

	struct server_stream *streams; /* that HTTP/2 still has open */
	uint32_t stream_count;
	struct server_stream *ready, **ready_end; /* have something to submit */
	struct server_stream *notices; /* whose handler is to be told something */

	size_t queued; /* bytes of messages not yet pulled */
	size_t input; /* bytes of requests that are not all here */

	uint8_t *out; /* the record being filled */
	size_t out_size, out_length;
	struct http2_record record;
	bool record_waits; /* encrypted, and the socket has not taken all of it */

	struct server_meter control;
	bool condemned; /* to be closed at once: a record with values that must not leave waits in it */
	bool draining;
	bool sent_data; /* since the peer's last PING */
	bool credit_grew;
	int64_t heard_at; /* the last bytes from the peer */
	int64_t pinged_at; /* our unanswered keep-alive PING; 0: none */
	int64_t idle_since; /* no stream is open */
	int64_t progress_at; /* output began to wait, or some of it left */
	int64_t due; /* nothing is due earlier: of what is added, the earliest is kept; a sweep finds it anew */
};

/* `wake(context)` is called whenever there may be something to fill a record with, or a new due time. NULL without
 * memory. */
struct http2_session *http2_session_new(
	struct http2_host *host, const struct identity *caller, void (*wake)(void *context), void *context);
/* Tells on_closed for each of its streams. NULL is allowed. */
void http2_session_free(struct http2_session *session);

/* Bytes from the peer. 0, or -1: the connection is broken beyond a GOAWAY. */
int http2_session_receive(struct http2_session *session, const uint8_t *bytes, size_t length);

/*
 * Fills one record; *length 0: there is nothing to send. It is not called while a record waits for the socket. 0, or -1
 * as above.
 */
int http2_session_fill(struct http2_session *session, uint8_t *record, size_t size, size_t *length);
/* What became of it: the socket has taken all of it, or it waits, encrypted. */
void http2_session_record_left(struct http2_session *session);
void http2_session_record_waits(struct http2_session *session);

/* Tells the handler what has happened. True when there was something to tell. Called outside of all else here. */
bool http2_session_settle(struct http2_session *session);

/* Whatever time brings: deadlines, dying values, keep-alive, idleness. False: the connection is to be closed at once.
 */
bool http2_session_sweep(struct http2_session *session, int64_t now);
/* Not before this is any of it due. */
int64_t http2_session_due(const struct http2_session *session);
/* Something is due at `at`. */
void http2_session_expect(struct http2_session *session, int64_t at);
/* Output begins to wait. */
void http2_session_expect_progress(struct http2_session *session);

/* Neither side has anything more to say. */
bool http2_session_finished(const struct http2_session *session);

/* Has the peer ever opened a stream? */
bool http2_session_is_used(const struct http2_session *session);
/* The first GOAWAY; the second follows when the peer has seen it, or with http2_session_drain_now(). */
void http2_session_drain(struct http2_session *session);
void http2_session_drain_now(struct http2_session *session);
/* What is still open ends with UNAVAILABLE, and so does the session. */
void http2_session_end(struct http2_session *session);

/* Drops one of host->values, as server_drop() says. */
void http2_session_drop(struct http2_message *message);

/* A limit was overstepped: GOAWAY ENHANCE_YOUR_CALM, nothing more is read. */
void http2_session_calm(struct http2_session *session);

#endif
