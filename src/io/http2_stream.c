#include "io/http2_stream.h"

#include "base/memory.h"
#include "pure/grpc.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define MILLISECOND INT64_C(1000)
#define SPARES_MAX 1024
/* Requests that are not all here may take as much of a connection as this many of the largest. */
#define PARTIAL_REQUESTS_MAX 4
#define TRAILER_MAX 8192

/* The stream's memory: one is opened and freed per call, so that some are kept. */

static struct server_stream *stream_new(struct http2_host *host)
{
	struct server_stream *stream = host->spare;
	if (stream) {
		host->spare = stream->next;
		host->spares--;
		memset(stream, 0, offsetof(struct server_stream, request));
		return stream;
	}
	stream = mem_calloc(1, sizeof *stream);
	http2_request_init(&stream->request, host->limits.max_message_bytes);
	return stream;
}

static void stream_free(struct http2_host *host, struct server_stream *stream)
{
	assert(!stream->output.first && !stream->known);
	buffer_release(&stream->trailers.message);
	buffer_release(&stream->trailers.details);
	if (host->spares >= SPARES_MAX) {
		http2_request_release(&stream->request);
		mem_free(stream);
		return;
	}
	http2_request_clear(&stream->request);
	stream->next = host->spare;
	host->spare = stream;
	host->spares++;
}

void stream_spares_free(struct http2_host *host)
{
	for (struct server_stream *stream = host->spare, *next; stream; stream = next) {
		next = stream->next;
		http2_request_release(&stream->request);
		mem_free(stream);
	}
	host->spare = NULL;
	host->spares = 0;
}

void stream_free_if_unused(struct server_stream *stream)
{
	if (!stream->open && !stream->ready && !stream->noticed)
		stream_free(stream->session->host, stream);
}

/* Its beginning and its end. */

struct server_stream *stream_open(struct http2_session *session, int32_t id)
{
	struct http2_host *host = session->host;
	struct server_stream *stream = stream_new(host);
	int64_t now = loop_now(host->loop);
	stream->session = session;
	stream->id = id;
	stream->open = true;
	stream->deadline = INT64_MAX;
	stream->request_due = now + host->limits.request_timeout_ms * MILLISECOND;
	buffer_init(&stream->trailers.message, TRAILER_MAX);
	buffer_init(&stream->trailers.details, TRAILER_MAX);

	stream->next = session->streams;
	if (stream->next)
		stream->next->previous = stream;
	session->streams = stream;
	session->stream_count++;
	host->counters.streams_opened++;
	host->counters.streams_open++;
	http2_session_expect(session, stream->request_due);
	http2_session_expect(session, now + host->limits.keepalive_ms * MILLISECOND);
	session->wake(session->context);
	return stream;
}

static void stream_notice(struct server_stream *stream)
{
	if (stream->noticed)
		return;
	stream->noticed = true;
	stream->next_notice = stream->session->notices;
	stream->session->notices = stream;
	stream->session->wake(stream->session->context);
}

/* It is no longer the handler's. */
static void stream_forget(struct server_stream *stream)
{
	stream->ended = true;
	if (!stream->known)
		return;
	stream->known = false;
	stream->tell_closed = true;
	stream_notice(stream);
}

void stream_notice_writable(struct server_stream *stream)
{
	stream->credit_asked = false;
	if (!stream->known || stream->ended)
		return;
	stream->tell_writable = true;
	stream_notice(stream);
}

bool stream_tell(struct server_stream *stream)
{
	const struct server_handler *handler = &stream->session->host->handler;
	bool closed = stream->tell_closed, writable = stream->tell_writable && stream->known && !stream->ended;
	stream->noticed = stream->tell_closed = stream->tell_writable = false;
	if (closed)
		handler->on_closed(handler->context, stream);
	else if (writable)
		handler->on_writable(handler->context, stream);
	stream_free_if_unused(stream);
	return closed || writable;
}

static void stream_discard_input(struct server_stream *stream)
{
	stream->deaf = true;
	stream->request_due = INT64_MAX;
	stream->session->input -= stream->request.input.length;
	buffer_clear(&stream->request.input);
}

static void stream_discard_output(struct server_stream *stream)
{
	stream->session->queued -= http2_output_clear(&stream->output);
}

void stream_close(struct server_stream *stream)
{
	struct http2_session *session = stream->session;
	assert(stream->open);
	stream->open = false;
	if (stream->next)
		stream->next->previous = stream->previous;
	if (stream->previous)
		stream->previous->next = stream->next;
	else
		session->streams = stream->next;
	session->host->counters.streams_open--;
	if (--session->stream_count == 0) {
		session->idle_since = loop_now(session->host->loop);
		http2_session_expect(
			session, session->idle_since + session->host->limits.idle_timeout_ms * MILLISECOND);
	}

	stream_discard_input(stream);
	stream_discard_output(stream);
	stream_forget(stream);
	stream_free_if_unused(stream);
}

/* How it ends. */

static void stream_set_trailers(struct server_stream *stream, const struct status *status)
{
	static const char *const codes[] = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13",
		"14", "15", "16" };
	struct stream_trailers *trailers = &stream->trailers;
	unsigned code = (unsigned)status->code;
	trailers->code = codes[code < sizeof codes / sizeof *codes ? code : GRPC_UNKNOWN];
	if (status->retry_after_ms)
		snprintf(trailers->pushback, sizeof trailers->pushback, "%" PRIu32, status->retry_after_ms);
	/* Past the maximum they are left out: the code alone says enough. */
	if (status->message && grpc_message_encode(status->message, &trailers->message) != 0)
		buffer_clear(&trailers->message);
	if (status->reason && grpc_status_details(status, &trailers->details) != 0)
		buffer_clear(&trailers->details);
}

void stream_end(struct server_stream *stream, const struct status *status)
{
	stream->ended = true;
	stream->request_due = INT64_MAX;
	stream_set_trailers(stream, status);
	stream_wake(stream);
}

void stream_take_back(struct server_stream *stream, const struct status *status)
{
	stream_discard_input(stream);
	stream_forget(stream);
	stream_end(stream, status);
}

void stream_fail(struct server_stream *stream, const struct status *status)
{
	bool torn = http2_output_torn(&stream->output), decided = stream->ended;
	stream_discard_input(stream);
	stream_discard_output(stream);
	stream_forget(stream);
	if (torn)
		stream_reset(stream, NGHTTP2_CANCEL);
	else if (!decided)
		stream_end(stream, status);
}

void stream_reset(struct server_stream *stream, uint32_t error_code)
{
	stream_discard_input(stream);
	stream_discard_output(stream);
	stream_forget(stream);
	stream->answer = STREAM_TRAILING;
	nghttp2_submit_rst_stream(stream->session->nghttp2, NGHTTP2_FLAG_NONE, stream->id, error_code);
	stream->session->wake(stream->session->context);
}

/* What comes in. */

/* An answer that is HTTP's alone: whoever asked does not speak gRPC. */
static void stream_refuse_http(struct server_stream *stream, const char *code)
{
	nghttp2_nv status = { (uint8_t *)":status", (uint8_t *)code, 7, 3, NGHTTP2_NV_FLAG_NONE };
	stream_discard_input(stream);
	stream->ended = true;
	stream->answer = STREAM_TRAILING;
	nghttp2_submit_response(stream->session->nghttp2, stream->id, &status, 1, NULL);
}

static void stream_refuse(struct server_stream *stream, enum grpc_code code, const char *message)
{
	stream_fail(stream, &(struct status){ .code = code, .message = message });
}

static void stream_refuse_identity(struct server_stream *stream)
{
	char message[512];
	snprintf(message, sizeof message,
		"the client certificate needs exactly one URI subject alternative name of the form "
		"spiffe://%s/<role>/<name>, or spiffe://%s/recipient/<recipient_id>[/<device>]",
		stream->session->host->trust_domain, stream->session->host->trust_domain);
	stream_fail(stream, &(struct status){ GRPC_UNAUTHENTICATED, .message = message, .reason = "NO_IDENTITY" });
}

static void stream_refuse_unknown(struct server_stream *stream)
{
	char message[HTTP2_PATH_MAX + 32];
	snprintf(message, sizeof message, "unknown method %s", stream->request.path);
	stream_refuse(stream, GRPC_UNIMPLEMENTED, message);
}

void stream_headers_done(struct server_stream *stream)
{
	struct http2_host *host = stream->session->host;
	const struct http2_request *request = &stream->request;
	if (request->header_bytes > host->limits.max_header_bytes) {
		host->counters.limit_closed++;
		stream_refuse(stream, GRPC_RESOURCE_EXHAUSTED, "the header list is too large");
	} else if (!request->is_post) {
		stream_refuse_http(stream, "405");
	} else if (request->content == HTTP2_CONTENT_FOREIGN) {
		stream_refuse_http(stream, "415");
	} else if (request->content == HTTP2_CONTENT_CODEC) {
		stream_refuse(stream, GRPC_UNIMPLEMENTED,
			"messages are protobuf: application/grpc or application/grpc+proto");
	} else if (request->bad_timeout) {
		stream_refuse(stream, GRPC_INTERNAL, "grpc-timeout is malformed");
	} else if (!stream->session->caller) {
		stream_refuse_identity(stream);
	} else {
		stream->kind = host->handler.classify(host->handler.context, request->path);
		if (stream->kind == SERVER_METHOD_UNKNOWN)
			stream_refuse_unknown(stream);
	}
	if (!stream->ended && request->timeout < INT64_MAX - loop_now(host->loop))
		stream->deadline = loop_now(host->loop) + request->timeout;
	http2_session_expect(stream->session, stream->deadline);
	stream->session->wake(stream->session->context);
}

static void stream_hand_over(struct server_stream *stream, const uint8_t *message, size_t length)
{
	const struct server_handler *handler = &stream->session->host->handler;
	struct server_request request = { stream->request.path, message, length, stream->deadline };
	stream->known = true;
	handler->on_request(handler->context, stream, &request);
}

static void stream_refuse_frame(struct server_stream *stream, enum grpc_frame_result result)
{
	switch (result) {
	case GRPC_FRAME_COMPRESSED:
		stream_refuse(
			stream, GRPC_UNIMPLEMENTED, "the message is compressed; grpc-accept-encoding is identity");
		break;
	case GRPC_FRAME_TOO_LARGE:
		stream->session->host->counters.limit_closed++;
		stream_refuse(stream, GRPC_RESOURCE_EXHAUSTED, "the message is too large");
		break;
	default:
		stream_refuse(stream, GRPC_INTERNAL, "the message's frame is malformed");
		break;
	}
}

/* Takes the first message off the input of a method that takes many. False: there is none (any more). */
static bool stream_take_message(struct server_stream *stream)
{
	struct http2_session *session = stream->session;
	struct buffer *input = &stream->request.input;
	const uint8_t *message = NULL;
	size_t length = 0, consumed = 0;
	enum grpc_frame_result result = grpc_frame_parse(
		input->data, input->length, session->host->limits.max_message_bytes, &message, &length, &consumed);
	if (result == GRPC_FRAME_NONE)
		return false;
	if (result != GRPC_FRAME_MESSAGE) {
		stream_refuse_frame(stream, result);
		return false;
	}
	if (stream->kind != SERVER_METHOD_BIDI) {
		/* It is handed over with the half-close; what follows it is one too many. */
		if (input->length > consumed)
			stream_refuse(stream, GRPC_UNIMPLEMENTED, "the method takes one message");
		return false;
	}
	stream_hand_over(stream, message, length);
	if (stream->ended) {
		stream_discard_input(stream);
		return false;
	}
	session->input -= consumed;
	buffer_consume(input, consumed);
	return true;
}

void stream_data(struct server_stream *stream, const uint8_t *bytes, size_t length)
{
	struct http2_session *session = stream->session;
	const struct server_limits *limits = &session->host->limits;
	if (stream->deaf || stream->ended || length == 0)
		return;
	if (session->input + length > (size_t)limits->max_message_bytes * PARTIAL_REQUESTS_MAX + GRPC_PREFIX_LENGTH) {
		session->host->counters.limit_closed++;
		stream_refuse(stream, GRPC_RESOURCE_EXHAUSTED, "too many large requests at a time on this connection");
		return;
	}
	if (buffer_append(&stream->request.input, bytes, length) != 0) {
		stream_refuse(stream, GRPC_RESOURCE_EXHAUSTED, "no memory for the message");
		return;
	}
	session->input += length;
	while (stream_take_message(stream))
		;
	/* Between the messages of one that takes many, its client may be silent for as long as it likes. */
	if (stream->kind == SERVER_METHOD_BIDI && !stream->deaf && !stream->ended) {
		if (stream->request.input.length == 0)
			stream->request_due = INT64_MAX;
		else if (stream->request_due == INT64_MAX)
			stream->request_due = loop_now(session->host->loop) + limits->request_timeout_ms * MILLISECOND;
		http2_session_expect(session, stream->request_due);
	}
}

static void stream_unary_complete(struct server_stream *stream)
{
	struct buffer *input = &stream->request.input;
	const uint8_t *message = NULL;
	size_t length = 0, consumed = 0;
	if (input->length == 0) {
		stream_refuse(stream, GRPC_UNIMPLEMENTED, "the method takes one message");
		return;
	}
	enum grpc_frame_result result = grpc_frame_parse(input->data, input->length,
		stream->session->host->limits.max_message_bytes, &message, &length, &consumed);
	if (result != GRPC_FRAME_MESSAGE) {
		stream_refuse_frame(stream, result);
		return;
	}
	stream_hand_over(stream, message, length);
	stream_discard_input(stream);
}

void stream_half_close(struct server_stream *stream)
{
	const struct server_handler *handler = &stream->session->host->handler;
	stream->half_closed = true;
	if (stream->deaf || stream->ended)
		return;
	if (stream->kind != SERVER_METHOD_BIDI) {
		stream_unary_complete(stream);
		return;
	}
	if (stream->request.input.length > 0)
		stream_refuse(stream, GRPC_INTERNAL, "the message's frame is cut off");
	else if (stream->known)
		handler->on_half_close(handler->context, stream);
	else
		stream_end(stream, &(struct status){ .code = GRPC_OK });
	stream_discard_input(stream);
}

/* What time brings. */

void stream_sweep(struct server_stream *stream, int64_t now)
{
	if (stream->deadline <= now) {
		stream->deadline = INT64_MAX;
		if (stream->ended)
			stream_reset(stream, NGHTTP2_CANCEL);
		else
			stream_refuse(stream, GRPC_DEADLINE_EXCEEDED, "the deadline has passed");
		return;
	}
	if (stream->request_due <= now) {
		stream->session->host->counters.limit_closed++;
		stream_refuse(stream, GRPC_DEADLINE_EXCEEDED, "the request did not come in time");
		return;
	}
	for (const struct http2_message *message = stream->output.first; message; message = message->next) {
		if (message->die_at <= now) {
			stream_reset(stream, NGHTTP2_CANCEL);
			return;
		}
	}
}

int64_t stream_due(const struct server_stream *stream)
{
	int64_t due = stream->deadline < stream->request_due ? stream->deadline : stream->request_due;
	for (const struct http2_message *message = stream->output.first; message; message = message->next)
		if (message->die_at < due)
			due = message->die_at;
	return due;
}
