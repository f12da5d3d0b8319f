#ifndef NEEDTOKNOW_IO_HTTP2_STREAM_H
#define NEEDTOKNOW_IO_HTTP2_STREAM_H

#include "io/http2_output.h"
#include "io/http2_request.h"
#include "io/http2_session.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * One stream: a call. It belongs to HTTP/2 until nghttp2 closes it and to the handler until on_closed; whoever lets go
 * last frees it. The handler is never called from within nghttp2 except with on_request and on_half_close; the rest are
 * notices, told in http2_session_settle().
 */

enum stream_answer {
	STREAM_SILENT, /* no response headers yet: they leave with the first message, or are the trailers */
	STREAM_SENDING, /* nghttp2 asks for data when the peer has room for it */
	STREAM_DEFERRED, /* nghttp2 has asked and there was none: it must be told when there is */
	STREAM_TRAILING, /* the trailers are submitted */
};

struct stream_trailers {
	const char *code;
	struct buffer message, details; /* empty: left out */
	char pushback[11]; /* the same */
};

struct server_stream {
	struct http2_session *session;
	struct server_stream *next, *previous; /* in session->streams; next also in host->spare */
	struct server_stream *next_ready, *next_notice;
	int32_t id;
	enum server_method_kind kind;
	enum stream_answer answer;

	bool open; /* nghttp2 has it */
	bool known; /* the handler has it */
	bool half_closed;
	bool deaf; /* what still comes in is not looked at */
	bool ended; /* how it ends is decided: nothing more is taken for sending */
	bool ready;
	bool noticed; /* in session->notices */
	bool tell_closed, tell_writable;
	bool credit_asked; /* the handler looked at the credit since it was last told of more */

	struct http2_output output;
	struct stream_trailers trailers; /* once ended */
	int64_t deadline; /* grpc-timeout; INT64_MAX */
	int64_t request_due; /* when the rest of the request must be here; INT64_MAX: it is */
	void *user;
	struct http2_request request; /* last: it stays as it is from one use of the memory to the next */
};

/* HEADERS have begun. */
struct server_stream *stream_open(struct http2_session *session, int32_t id);
/* All of them are here. */
void stream_headers_done(struct server_stream *stream);
/* DATA; the caller sees to flow control. */
void stream_data(struct server_stream *stream, const uint8_t *bytes, size_t length);
void stream_half_close(struct server_stream *stream);

/* nghttp2 lets go of it, or the session ends. May free it. */
void stream_close(struct server_stream *stream);
/* It was taken off the notices: the handler is told. May free it. True when there was something to tell. */
bool stream_tell(struct server_stream *stream);

/* Ends with this status behind what is queued. */
void stream_end(struct server_stream *stream, const struct status *status);
/* The same, without its handler, which is told on_closed. */
void stream_take_back(struct server_stream *stream, const struct status *status);
/* Ends with this status at once: what is queued is dropped; where a message is torn by that, by RST_STREAM. */
void stream_fail(struct server_stream *stream, const struct status *status);
/* RST_STREAM. */
void stream_reset(struct server_stream *stream, uint32_t error_code);

/* It was taken off the ready ones, at the beginning of a record: submits what it has to nghttp2. */
void stream_submit(struct server_stream *stream);
/* Frees it if nobody has it any more. */
void stream_free_if_unused(struct server_stream *stream);
/* There is something to submit. */
void stream_wake(struct server_stream *stream);
/* More may be sent: the handler is to be told. */
void stream_notice_writable(struct server_stream *stream);

/* nghttp2's callbacks for a response's data. */
ssize_t stream_read_data(nghttp2_session *nghttp2, int32_t id, uint8_t *out, size_t length, uint32_t *flags,
	nghttp2_data_source *source, void *context);
int stream_send_data(nghttp2_session *nghttp2, nghttp2_frame *frame, const uint8_t *header, size_t length,
	nghttp2_data_source *source, void *context);

/* Whatever time brings to a stream, and when the next is due. */
void stream_sweep(struct server_stream *stream, int64_t now);
int64_t stream_due(const struct server_stream *stream);

/* Gives back the streams kept for reuse. */
void stream_spares_free(struct http2_host *host);

#endif
