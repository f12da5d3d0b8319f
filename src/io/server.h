#ifndef NEEDTOKNOW_IO_SERVER_H
#define NEEDTOKNOW_IO_SERVER_H

#include "io/loop.h"
#include "pure/identity.h"
#include "pure/status.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A gRPC server: HTTP/2 over mutual TLS on inherited or own listening sockets. Knows no business: it turns bytes into
 * (path, caller, message) and takes messages and a status back.
 *
 * Nothing is sent while a callback of server_handler runs: it is queued, and flushed at the end of the loop's turn
 * (LOOP_PHASE_SERVER). So all functions here may be called from the callbacks.
 */
struct server;
struct server_stream;

/* Each limit is a setting; 0 takes the default in brackets. */
struct server_limits {
	uint32_t max_connections; /* [20000] further ones are accepted and closed at once */
	uint32_t max_streams; /* [100] concurrent, a connection */
	uint32_t max_header_bytes; /* [8192] a header list, names and values and 32 an entry (RFC 9113 6.5.2) */
	uint32_t max_message_bytes; /* [1048576] a request */
	uint32_t max_queued_bytes; /* [2097152] output waiting on a connection */
	uint32_t max_control_frames; /* [100] PING, SETTINGS, empty frames, RST_STREAM either way, in a second */
	uint32_t handshake_timeout_ms; /* [10000] TCP accepted to TLS finished */
	uint32_t idle_timeout_ms; /* [300000] no stream open */
	uint32_t write_timeout_ms; /* [20000] something to write and no progress */
	uint32_t request_timeout_ms; /* [10000] HEADERS to the whole request */
	uint32_t keepalive_ms; /* [30000] a PING to a silent peer that has streams; as long again, and it is closed */
};

struct server_request {
	const char *path; /* `/package.Service/Method`, NUL-terminated */
	const uint8_t *message; /* the (first) request message; NULL with length 0 is an empty message */
	size_t length;
	int64_t deadline; /* loop_now() time, or INT64_MAX */
};

struct server_handler {
	/*
	 * What kind of method is this path?
	 * - UNKNOWN is answered UNIMPLEMENTED by the server itself.
	 * - UNARY: on_request comes once, after the client has half-closed with exactly one message (unary and
	 *   server-streaming).
	 * - ENDLESS: as UNARY, but its answer goes on until somebody ends it: a drain does so at once.
	 * - BIDI: on_request comes for each message as it comes, and on_half_close after the last. A client that
	 *   half-closes without a message is answered OK by the server itself.
	 *
	 * The message is good during on_request alone, and wiped afterwards. A caller whose certificate names nobody
	 * (identity_parse()) gets no further than UNAUTHENTICATED, NO_IDENTITY.
	 */
	enum server_method_kind (*classify)(void *context, const char *path);
	void (*on_request)(void *context, struct server_stream *stream, const struct server_request *request);
	void (*on_half_close)(void *context, struct server_stream *stream);
	/*
	 * The stream is gone: finished, reset, its connection lost, or its deadline passed (then the server has itself
	 * answered DEADLINE_EXCEEDED). Comes exactly once for each stream that had an on_request; the pointer is dead
	 * afterwards.
	 */
	void (*on_closed)(void *context, struct server_stream *stream);
	/* What was queued on this stream has all left for the socket, or its credit has grown: more may be sent. */
	void (*on_writable)(void *context, struct server_stream *stream);
	void *context;
};

enum server_method_kind {
	SERVER_METHOD_UNKNOWN,
	SERVER_METHOD_UNARY,
	SERVER_METHOD_BIDI,
	SERVER_METHOD_ENDLESS,
};

struct server_config {
	const char *trust_domain; /* of callers' SPIFFE ids */
	SSL_CTX *tls; /* the server takes its own reference */
	struct server_limits limits;
};

struct server_counters {
	uint64_t connections_accepted, connections_open, connections_refused, handshakes_failed;
	uint64_t streams_opened, streams_open, bytes_read, bytes_written, limit_closed;
};

/* Copies the config and the handler. */
struct server *server_new(struct loop *loop, const struct server_config *config, const struct server_handler *handler);
/* Closes everything at once; on_closed is called for each stream. NULL is allowed. */
void server_free(struct server *server);

/* Accepts from a listening, non-blocking socket; it stays the caller's. 0 or -1 (errno). */
int server_listen(struct server *server, int socket);
/* New connections use `tls` from now on; present ones keep theirs. */
void server_set_tls(struct server *server, SSL_CTX *tls);

/*
 * Stops accepting, sends the double GOAWAY (RFC 9113 6.8), lets streams finish; `done` is called when the last
 * connection is gone or after `timeout_ms`, when what is left is closed. Endless streams end with UNAVAILABLE at once,
 * others when the time is up, so that their clients come back.
 */
void server_drain(struct server *server, uint32_t timeout_ms, void (*done)(void *context), void *context);

const struct server_counters *server_counters(const struct server *server);

/* The caller, from its certificate. Lives as long as the stream. */
const struct identity *server_stream_identity(const struct server_stream *stream);

void server_stream_set_user(struct server_stream *stream, void *user);
void *server_stream_user(const struct server_stream *stream);

/* Queues a message (its bytes are copied). Once the stream is closed it does nothing. */
void server_stream_send(struct server_stream *stream, const uint8_t *message, size_t length);

/*
 * The same for values, which must not outlive their disclosure in a queue: the message is tagged with `tag` (16 bytes,
 * the disclosure) and is dropped and wiped when server_drop(tag) is called or loop_now() passes `die_at`. When some of
 * it has already been encrypted or is already in the socket, dropping it resets the stream (RST_STREAM CANCEL), and
 * when an encrypted record of it waits for the socket, closes the connection.
 */
void server_stream_send_values(
	struct server_stream *stream, const uint8_t *message, size_t length, const uint8_t tag[16], int64_t die_at);
/* On every stream of every connection. Returns how many messages died. */
size_t server_drop(struct server *server, const uint8_t tag[16]);

/*
 * Bytes of messages that the stream's and the connection's flow control would let out at once, less what is queued; 0
 * while the socket is blocked, and never more than max_queued_bytes has room for. Sending more is allowed and waits;
 * past max_queued_bytes the stream ends with RESOURCE_EXHAUSTED. Whoever has asked is told by on_writable when it
 * grows.
 */
size_t server_stream_credit(const struct server_stream *stream);

/* Bytes that were sent on this stream and still wait. on_writable comes when they fall below SERVER_LOW_WATER, and when
 * there are none. */
#define SERVER_LOW_WATER 65536
size_t server_stream_queued(const struct server_stream *stream);
/* The largest message that max_queued_bytes has room for now, whatever the peer's windows say. */
size_t server_stream_room(const struct server_stream *stream);

/* Queues the trailers behind what was sent. on_closed follows. A second call does nothing. */
void server_stream_finish(struct server_stream *stream, const struct status *status);

/* Closes every connection of this recipient, or of one device of it (`device` may be NULL). */
void server_close_recipient(struct server *server, const char *recipient_id, const char *device);

#endif
