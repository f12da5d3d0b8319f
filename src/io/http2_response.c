#include "io/http2_stream.h"

#include "pure/grpc.h"

#include <assert.h>
#include <string.h>

#define FRAME_HEADER 9
/* A record with less room than this is full: a shorter frame of data is not worth its header. */
#define DATA_ROOM_MIN 256

#define STATIC_FIELD(name, value)                                                                                      \
	{                                                                                                              \
		(uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, sizeof(value) - 1,                            \
			NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE                                   \
	}

#define HEADERS 3
#define TRAILERS_MAX 4

static const nghttp2_nv headers[HEADERS] = {
	STATIC_FIELD(":status", "200"),
	STATIC_FIELD("content-type", "application/grpc"),
	STATIC_FIELD("grpc-accept-encoding", "identity"),
};

/* Texts differ with each call: they are kept out of the peer's table of fields. */
static nghttp2_nv text_field(const char *name, const struct buffer *value)
{
	return (nghttp2_nv){ (uint8_t *)name, value->data, strlen(name), value->length,
		NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_INDEX };
}

static size_t trailer_fields(const struct server_stream *stream, nghttp2_nv out[TRAILERS_MAX])
{
	const struct stream_trailers *trailers = &stream->trailers;
	size_t count = 0;
	out[count++] = (nghttp2_nv){ (uint8_t *)"grpc-status", (uint8_t *)trailers->code, 11, strlen(trailers->code),
		NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE };
	if (trailers->message.length > 0)
		out[count++] = text_field("grpc-message", &trailers->message);
	if (trailers->details.length > 0)
		out[count++] = text_field("grpc-status-details-bin", &trailers->details);
	if (*trailers->pushback)
		out[count++] = (nghttp2_nv){ (uint8_t *)"grpc-retry-pushback-ms", (uint8_t *)trailers->pushback, 22,
			strlen(trailers->pushback), NGHTTP2_NV_FLAG_NO_COPY_NAME };
	return count;
}

/* Streams of the same urgency take turns, a frame each, so that a long answer does not hold up the short ones. */
static void share_connection(struct server_stream *stream)
{
	static const nghttp2_extpri in_turns = { .urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1 };
	nghttp2_session_change_extpri_stream_priority(stream->session->nghttp2, stream->id, &in_turns, 0);
}

static int submit_headers(struct server_stream *stream)
{
	nghttp2_nv fields[HEADERS + TRAILERS_MAX];
	size_t count = HEADERS;
	memcpy(fields, headers, sizeof headers);
	if (stream->ended && !stream->output.first) {
		/* Trailers-Only. */
		stream->answer = STREAM_TRAILING;
		count += trailer_fields(stream, fields + HEADERS);
		return nghttp2_submit_response(stream->session->nghttp2, stream->id, fields, count, NULL);
	}
	nghttp2_data_provider data = { .source.ptr = stream, .read_callback = stream_read_data };
	if (!stream->ended || stream->output.bytes > stream->session->out_size)
		share_connection(stream);
	stream->answer = STREAM_SENDING;
	return nghttp2_submit_response(stream->session->nghttp2, stream->id, fields, count, &data);
}

void stream_wake(struct server_stream *stream)
{
	struct http2_session *session = stream->session;
	if (!stream->open || stream->ready)
		return;
	stream->ready = true;
	stream->next_ready = NULL;
	*session->ready_end = stream;
	session->ready_end = &stream->next_ready;
	session->wake(session->context);
}

static int submit_trailers(struct server_stream *stream)
{
	nghttp2_nv fields[TRAILERS_MAX];
	stream->answer = STREAM_TRAILING;
	return nghttp2_submit_trailer(stream->session->nghttp2, stream->id, fields, trailer_fields(stream, fields));
}

void stream_submit(struct server_stream *stream)
{
	int rc = 0;
	if (stream->answer == STREAM_TRAILING)
		return;
	if (stream->answer == STREAM_SILENT) {
		if (stream->output.first || stream->ended)
			rc = submit_headers(stream);
	} else if (stream->ended && !stream->output.first) {
		/* Not from the data callback, which nghttp2 does not call while the peer's window is shut. */
		rc = submit_trailers(stream);
	} else if (stream->answer == STREAM_DEFERRED) {
		stream->answer = STREAM_SENDING;
		rc = nghttp2_session_resume_data(stream->session->nghttp2, stream->id);
	}
	if (rc != 0)
		stream_reset(stream, NGHTTP2_INTERNAL_ERROR);
}

/* Values that would leave too late do not leave. */
static bool has_dead(const struct http2_output *output, size_t length, int64_t now)
{
	size_t seen = 0;
	for (const struct http2_message *message = output->first; message && seen < length; message = message->next) {
		if (message->die_at <= now)
			return true;
		seen += message->length - message->pulled;
	}
	return false;
}

ssize_t stream_read_data(nghttp2_session *nghttp2, int32_t id, uint8_t *out, size_t length, uint32_t *flags,
	nghttp2_data_source *source, void *context)
{
	struct http2_session *session = context;
	struct server_stream *stream = source->ptr;
	size_t room = session->out_size - session->out_length, ready = stream->output.bytes;
	(void)nghttp2;
	(void)id;
	(void)out;
	if (ready > 0 && room < FRAME_HEADER + DATA_ROOM_MIN && ready + FRAME_HEADER > room)
		return NGHTTP2_ERR_PAUSE;
	if (length > room - FRAME_HEADER)
		length = room - FRAME_HEADER;
	if (length > ready)
		length = ready;
	if (stream->answer == STREAM_TRAILING)
		return NGHTTP2_ERR_DEFERRED;
	if (has_dead(&stream->output, length, loop_now(session->host->loop))) {
		stream_reset(stream, NGHTTP2_CANCEL);
		return NGHTTP2_ERR_DEFERRED;
	}
	if (length == ready && stream->ended) {
		*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
		if (submit_trailers(stream) != 0)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	} else if (ready == 0) {
		stream->answer = STREAM_DEFERRED;
		return NGHTTP2_ERR_DEFERRED;
	}
	/* Copied once, from the message to the record: nghttp2's own buffer, which stays, never sees a value. */
	if (length > 0)
		*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	return (ssize_t)length;
}

int stream_send_data(nghttp2_session *nghttp2, nghttp2_frame *frame, const uint8_t *header, size_t length,
	nghttp2_data_source *source, void *context)
{
	struct http2_session *session = context;
	struct server_stream *stream = source->ptr;
	(void)nghttp2;
	assert(frame->data.padlen == 0 && FRAME_HEADER + length <= session->out_size - session->out_length);
	memcpy(session->out + session->out_length, header, FRAME_HEADER);
	http2_output_pull(&stream->output, &session->record, session->out + session->out_length + FRAME_HEADER, length);
	session->out_length += FRAME_HEADER + length;
	session->queued -= length;
	session->sent_data = true;
	session->progress_at = loop_now(session->host->loop);
	bool fell = stream->output.bytes < SERVER_LOW_WATER && stream->output.bytes + length >= SERVER_LOW_WATER;
	if (!stream->output.first || fell)
		stream_notice_writable(stream);
	return 0;
}
