/*
 * What a peer sends after the handshake, in pieces: the first byte of the input says how large. The handler echoes,
 * sends values that may be dropped, and leaves streams open, so that all of a stream's life is reached.
 */
#include "io/http2_session.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
static const uint8_t tag[16] = "fuzz";

static enum server_method_kind classify(void *context, const char *path)
{
	(void)context;
	switch (path[1]) {
	case 'u':
		return SERVER_METHOD_UNARY;
	case 'b':
		return SERVER_METHOD_BIDI;
	case 'e':
		return SERVER_METHOD_ENDLESS;
	default:
		return SERVER_METHOD_UNKNOWN;
	}
}

static void on_request(void *context, struct server_stream *stream, const struct server_request *request)
{
	size_t *known = context;
	if (!server_stream_user(stream)) {
		(*known)++;
		server_stream_set_user(stream, known);
	}
	server_stream_send_values(stream, request->message, request->length, tag, INT64_MAX);
	server_stream_send(stream, request->message, request->length);
	if (request->path[1] == 'u')
		server_stream_finish(stream, &(struct status){ .code = GRPC_OK });
}

static void on_half_close(void *context, struct server_stream *stream)
{
	(void)context;
	server_stream_finish(stream, &(struct status){ .code = GRPC_NOT_FOUND, .message = "fuzz", .reason = "FUZZ" });
}

static void on_closed(void *context, struct server_stream *stream)
{
	size_t *known = context;
	assert(server_stream_user(stream) == known && *known > 0);
	(*known)--;
}

static void on_writable(void *context, struct server_stream *stream)
{
	(void)context;
	if (server_stream_credit(stream) > 100)
		server_stream_send(stream, (const uint8_t *)"more", 4);
}

static void wake(void *context)
{
	(void)context;
}

static int pump(struct http2_session *session)
{
	static uint8_t record[16384];
	for (int records = 0; records < 4; records++) {
		size_t length = 0;
		if (http2_session_fill(session, record, sizeof record, &length) != 0)
			return -1;
		if (length == 0)
			break;
		http2_session_record_left(session);
		http2_session_settle(session);
	}
	http2_session_settle(session);
	return 0;
}

static void drop(struct http2_values *values)
{
	struct http2_message *message;
	while ((message = http2_values_first(values, tag)))
		http2_session_drop(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct identity caller = { .role = ROLE_BOOKING, .name = "fuzz" };
	size_t known = 0;
	if (size == 0)
		return 0;
	size_t piece = data[0] > 0 ? data[0] : size;
	struct http2_host host = {
		.loop = loop_new(),
		.trust_domain = "maison-claire.example",
		.limits = { .max_message_bytes = 4096, .max_queued_bytes = 65536, .max_streams = 16 },
		.handler = { classify, on_request, on_half_close, on_closed, on_writable, &known },
	};
	server_limits_complete(&host.limits);
	int rc = http2_host_init(&host);
	assert(rc == 0);
	struct http2_session *session = http2_session_new(&host, &caller, wake, NULL);
	rc = http2_session_receive(session, (const uint8_t *)preface, sizeof preface - 1);
	for (size_t at = 1; rc == 0 && at < size && !http2_session_finished(session); at += piece) {
		size_t length = size - at < piece ? size - at : piece;
		uint8_t *bytes = mem_alloc(length);
		memcpy(bytes, data + at, length);
		rc = http2_session_receive(session, bytes, length);
		mem_free(bytes);
		if (rc == 0 && at % 3 == 0)
			drop(&host.values);
		if (rc == 0)
			rc = pump(session);
		if (rc == 0)
			http2_session_sweep(session, loop_now(host.loop) + (int64_t)(at % 5) * 1000000);
	}
	http2_session_free(session);
	assert(known == 0 && host.counters.streams_open == 0);
	http2_host_release(&host);
	loop_free(host.loop);
	return 0;
}
