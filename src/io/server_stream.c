#include "io/http2_stream.h"
#include "io/server.h"
#include "pure/grpc.h"

#include <assert.h>

/* The part of server.h that is about one stream. */

const struct identity *server_stream_identity(const struct server_stream *stream)
{
	return stream->session->caller;
}

void server_stream_set_user(struct server_stream *stream, void *user)
{
	stream->user = user;
}

void *server_stream_user(const struct server_stream *stream)
{
	return stream->user;
}

/* NULL: it is not taken, since the stream is closed or its peer is too far behind. */
static struct http2_message *stream_push(struct server_stream *stream, const uint8_t *message, size_t length)
{
	struct http2_session *session = stream->session;
	struct http2_host *host = session->host;
	assert(length <= UINT32_MAX);
	if (stream->ended)
		return NULL;
	if (length > host->limits.max_queued_bytes || session->queued > host->limits.max_queued_bytes - length) {
		host->counters.limit_closed++;
		stream_fail(stream,
			&(struct status){ .code = GRPC_RESOURCE_EXHAUSTED,
				.message = "too much waits for this connection to be read" });
		return NULL;
	}
	if (session->queued == 0 && !session->record_waits)
		http2_session_expect_progress(session);
	struct http2_message *pushed = http2_output_push(&stream->output, message, length);
	pushed->session = session;
	pushed->stream = stream;
	session->queued += pushed->length;
	stream_wake(stream);
	return pushed;
}

void server_stream_send(struct server_stream *stream, const uint8_t *message, size_t length)
{
	stream_push(stream, message, length);
}

void server_stream_send_values(
	struct server_stream *stream, const uint8_t *message, size_t length, const uint8_t tag[16], int64_t die_at)
{
	struct http2_message *pushed = stream_push(stream, message, length);
	if (!pushed)
		return;
	http2_values_add(&stream->session->host->values, pushed, tag, die_at);
	http2_session_expect(stream->session, die_at);
}

/* Of a window, less what waits for it and the prefix of one more message. */
static size_t room(int32_t window, size_t queued)
{
	size_t taken = queued + GRPC_PREFIX_LENGTH;
	return window > 0 && (size_t)window > taken ? (size_t)window - taken : 0;
}

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t server_stream_credit(const struct server_stream *stream)
{
	const struct http2_session *session = stream->session;
	/* Asking shows interest: it will be told when there is more. */
	((struct server_stream *)stream)->credit_asked = true;
	if (stream->ended || session->record_waits)
		return 0;
	int32_t own = nghttp2_session_get_stream_remote_window_size(session->nghttp2, stream->id);
	int32_t shared = nghttp2_session_get_remote_window_size(session->nghttp2);
	size_t credit = min(room(own, stream->output.bytes), room(shared, session->queued));
	/* A peer's windows may be wider than what we keep for it. */
	return min(credit, room((int32_t)min(session->host->limits.max_queued_bytes, INT32_MAX), session->queued));
}

size_t server_stream_queued(const struct server_stream *stream)
{
	return stream->output.bytes;
}

size_t server_stream_room(const struct server_stream *stream)
{
	const struct http2_session *session = stream->session;
	size_t maximum = session->host->limits.max_queued_bytes;
	return stream->ended || session->queued > maximum ? 0 : maximum - session->queued;
}

void server_stream_finish(struct server_stream *stream, const struct status *status)
{
	if (!stream->ended)
		stream_end(stream, status);
}
