/*
 * The client's HTTP/2 against a server's session of nghttp2, in memory: answers that no well-behaved server gives, at
 * every split of their bytes.
 */
#include "base/buffer.h"
#include "client/call.h"
#include "client/session.h"
#include "client/status.h"

#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define WIRE_MAX (8 * 1024 * 1024)

struct sent_header {
	const char *name, *value;
};

/* What the server does with each request. */
struct plan {
	struct sent_header headers[6];
	const char *body; /* NULL: the headers end the stream */
	size_t body_length;
	struct sent_header trailers[4]; /* none: the body ends the stream */
	uint32_t reset; /* after the headers and the body; 0: none */
	bool early; /* answers when the request's headers have come */
};

struct pair {
	struct client_session *client;
	nghttp2_session *server;
	const struct plan *plan;
	size_t body_sent;
	size_t piece; /* bytes that the client is given at once */
	struct buffer to_server, to_client;
	/* What the client made of it. */
	int closed;
	bool refused, unsent;
	struct needtoknow_status status;
	uint8_t message[64];
	size_t message_length;
	int messages;
	struct sent_header seen[16];
};

static nghttp2_nv nv(const struct sent_header *header)
{
	return (nghttp2_nv){ (uint8_t *)(uintptr_t)header->name, (uint8_t *)(uintptr_t)header->value,
		strlen(header->name), strlen(header->value), NGHTTP2_NV_FLAG_NONE };
}

static size_t fill(nghttp2_nv *out, const struct sent_header *headers, size_t maximum)
{
	size_t count = 0;

	while (count < maximum && headers[count].name != NULL) {
		out[count] = nv(&headers[count]);
		count++;
	}
	return count;
}

static ssize_t send_body(nghttp2_session *server, int32_t stream, uint8_t *out, size_t size, uint32_t *flags,
	nghttp2_data_source *source, void *user)
{
	struct pair *pair = user;
	const struct plan *plan = source->ptr;
	size_t length = plan->body_length - pair->body_sent;
	nghttp2_nv trailers[4];

	if (length > size)
		length = size;
	memcpy(out, plan->body + pair->body_sent, length);
	pair->body_sent += length;
	if (pair->body_sent < plan->body_length)
		return (ssize_t)length;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	size_t count = fill(trailers, plan->trailers, 4);
	if (count > 0 || plan->reset != 0)
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	if (count > 0)
		nghttp2_submit_trailer(server, stream, trailers, count);
	if (plan->reset != 0)
		nghttp2_submit_rst_stream(server, NGHTTP2_FLAG_NONE, stream, plan->reset);
	return (ssize_t)length;
}

static void answer(struct pair *pair, int32_t stream)
{
	const struct plan *plan = pair->plan;
	nghttp2_data_provider provider = { { .ptr = (void *)(uintptr_t)plan }, send_body };
	nghttp2_nv headers[6];
	size_t count = fill(headers, plan->headers, 6);

	if (count == 0) {
		nghttp2_submit_rst_stream(pair->server, NGHTTP2_FLAG_NONE, stream, plan->reset);
		return;
	}
	assert_int_equal(
		nghttp2_submit_response(pair->server, stream, headers, count, plan->body != NULL ? &provider : NULL),
		0);
}

static int on_server_frame(nghttp2_session *server, const nghttp2_frame *frame, void *user)
{
	struct pair *pair = user;
	bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

	(void)server;
	if (pair->plan != NULL &&
		((frame->hd.type == NGHTTP2_DATA && ends && !pair->plan->early) ||
			(frame->hd.type == NGHTTP2_HEADERS && pair->plan->early)))
		answer(pair, frame->hd.stream_id);
	return 0;
}

static void on_call_closed(void *context, struct channel_call *call, uint32_t http2_error)
{
	struct pair *pair = context;
	const uint8_t *message = NULL;
	size_t length = 0;

	pair->closed++;
	pair->refused = call_refused(http2_error) && !call->answered;
	pair->unsent = call->unsent;
	call_outcome(call, http2_error, &pair->status, &message, &length);
	assert_true(length <= sizeof pair->message);
	if (length > 0)
		memcpy(pair->message, message, length);
	pair->message_length = length;
	call_free(call);
}

static void open_pair(struct pair *pair, const struct plan *plan, uint32_t max_streams)
{
	const struct client_session_handler handler = { on_call_closed, pair };
	nghttp2_settings_entry settings = { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, max_streams };
	nghttp2_session_callbacks *callbacks;

	memset(pair, 0, sizeof *pair);
	pair->plan = plan;
	pair->piece = SIZE_MAX;
	buffer_init(&pair->to_server, WIRE_MAX);
	buffer_init(&pair->to_client, WIRE_MAX);
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_server_frame);
	nghttp2_session_server_new(&pair->server, callbacks, pair);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(pair->server, NGHTTP2_FLAG_NONE, &settings, 1);
	pair->client = client_session_new("localhost:8443", &handler);
	assert_non_null(pair->client);
}

static void close_pair(struct pair *pair)
{
	struct channel_call *call;

	while ((call = client_session_abandon(pair->client)) != NULL)
		call_free(call);
	client_session_free(pair->client);
	nghttp2_session_del(pair->server);
	buffer_release(&pair->to_server);
	buffer_release(&pair->to_client);
}

static void server_to_client(struct pair *pair)
{
	const uint8_t *bytes;
	const char *error;
	ssize_t length;

	while ((length = nghttp2_session_mem_send(pair->server, &bytes)) > 0)
		assert_int_equal(buffer_append(&pair->to_client, bytes, (size_t)length), 0);
	while (pair->to_client.length > 0) {
		size_t piece = pair->to_client.length < pair->piece ? pair->to_client.length : pair->piece;
		assert_int_equal(client_session_receive(pair->client, pair->to_client.data, piece, &error), 0);
		buffer_consume(&pair->to_client, piece);
	}
}

/* Until both have said everything. */
static void talk(struct pair *pair)
{
	const char *error;

	for (int round = 0; round < 50; round++) {
		assert_int_equal(client_session_send(pair->client, &pair->to_server, WIRE_MAX, &error), 0);
		if (pair->to_server.length > 0) {
			ssize_t taken =
				nghttp2_session_mem_recv(pair->server, pair->to_server.data, pair->to_server.length);
			assert_int_equal(taken, pair->to_server.length);
			buffer_clear(&pair->to_server);
		}
		server_to_client(pair);
	}
}

static void never_done(void *context, const struct channel_reply *reply)
{
	(void)context;
	(void)reply;
	fail();
}

static void count_message(void *context, const uint8_t *message, size_t length)
{
	struct pair *pair = context;

	assert_int_equal(length, 5);
	assert_memory_equal(message, "hello", 5);
	pair->messages++;
}

static struct channel_call *submit(struct pair *pair, bool stream, size_t length)
{
	static const char bytes[100000];
	const struct channel_request request = { .path = "/test/Echo",
		.message = bytes,
		.length = length,
		.on_message = stream ? count_message : NULL,
		.done = never_done,
		.context = pair };
	struct channel_call *call = call_new(&request, 64);

	assert_int_equal(client_session_submit(pair->client, call, 0), 0);
	return call;
}

#define GRPC .headers = { { ":status", "200" }, { "content-type", "application/grpc" } }
#define BODY(text) .body = text, .body_length = sizeof text - 1
#define STATUS(code) .trailers = { { "grpc-status", code } }
#define HELLO "\0\0\0\0\5hello"

static const struct {
	const char *name;
	struct plan plan;
	bool stream;
	int code;
	const char *reason, *words;
	int messages; /* of a stream; -1: it depends on what comes first */
} cases[] = {
	{ "good", { GRPC, BODY(HELLO), STATUS("0") }, false, 0, "", "", 0 },
	{ "good stream", { GRPC, BODY(HELLO HELLO HELLO), STATUS("0") }, true, 0, "", "", 3 },
	{ "empty stream", { GRPC, BODY(""), STATUS("0") }, true, 0, "", "", 0 },
	{ "content-type with a subtype",
		{ .headers = { { ":status", "200" }, { "content-type", "application/grpc+proto" } },
			BODY(HELLO),
			STATUS("0") },
		false, 0, "", "", 0 },
	{ "failure in trailers",
		{ GRPC, BODY(""), .trailers = { { "grpc-status", "9" }, { "grpc-message", "no%20%C3%A9 100%" } } },
		false, 9, "", "no é 100%", 0 },
	{ "trailers alone",
		{ .headers = { { ":status", "200" }, { "content-type", "application/grpc" }, { "grpc-status", "7" },
			  { "grpc-message", "not you" } } },
		false, 7, "", "not you", 0 },
	{ "failure after messages", { GRPC, BODY(HELLO HELLO), STATUS("14") }, true, 14, "", "", 2 },
	{ "no message", { GRPC, BODY(""), STATUS("0") }, false, 13, "BAD_ANSWER", "one message", 0 },
	{ "two messages", { GRPC, BODY(HELLO HELLO), STATUS("0") }, false, 13, "BAD_ANSWER", "one message", 0 },
	{ "half a message", { GRPC, BODY("\0\0\0\0\5he"), STATUS("0") }, false, 13, "BAD_ANSWER", "one message", 0 },
	{ "stream, half a message", { GRPC, BODY(HELLO "\0\0\0\0\5he"), STATUS("0") }, true, 13, "BAD_ANSWER", "middle",
		1 },
	{ "too large", { GRPC, BODY("\0\0\0\0\x41"), STATUS("0") }, false, 8, "BAD_ANSWER", "larger than 64", 0 },
	{ "stream, too large", { GRPC, BODY(HELLO "\0\0\1\0\0"), STATUS("0") }, true, 8, "BAD_ANSWER", "larger than 64",
		1 },
	{ "compressed", { GRPC, BODY("\1\0\0\0\5hello"), STATUS("0") }, false, 13, "BAD_ANSWER", "compressed", 0 },
	{ "bad flag", { GRPC, BODY("\2\0\0\0\5hello"), STATUS("0") }, true, 13, "BAD_ANSWER", "framed", 0 },
	{ "no grpc-status", { GRPC, BODY(HELLO) }, false, 2, "BAD_ANSWER", "grpc-status", 0 },
	{ "grpc-status is no number", { GRPC, BODY(HELLO), STATUS("ok") }, false, 2, "", "", 0 },
	{ "grpc-status is not gRPC's", { GRPC, BODY(HELLO), STATUS("17") }, false, 2, "", "", 0 },
	{ "not gRPC",
		{ .headers = { { ":status", "200" }, { "content-type", "text/html" } }, BODY(HELLO), STATUS("0") },
		false, 2, "BAD_ANSWER", "content-type", 0 },
	{ "HTTP 503", { .headers = { { ":status", "503" }, { "content-type", "text/html" } } }, false, 14, "BAD_ANSWER",
		"HTTP 503", 0 },
	{ "HTTP 404", { .headers = { { ":status", "404" } }, BODY("no") }, false, 12, "BAD_ANSWER", "HTTP 404", 0 },
	{ "HTTP 403", { .headers = { { ":status", "403" } } }, false, 7, "BAD_ANSWER", "HTTP 403", 0 },
	{ "reset", { GRPC, BODY(HELLO), .reset = NGHTTP2_CANCEL }, true, 1, "", "reset", -1 },
	{ "reset, internal", { .reset = NGHTTP2_INTERNAL_ERROR }, false, 13, "", "reset", 0 },
	{ "reset, calm", { .reset = NGHTTP2_ENHANCE_YOUR_CALM }, false, 8, "", "reset", 0 },
};

static void test_answers(void **state)
{
	static const size_t pieces[] = { SIZE_MAX, 1, 7 };
	struct pair pair;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (size_t piece = 0; piece < 3; piece++) {
			print_message("%s\n", cases[i].name);
			open_pair(&pair, &cases[i].plan, 100);
			pair.piece = pieces[piece];
			submit(&pair, cases[i].stream, 3);
			talk(&pair);
			assert_int_equal(pair.closed, 1);
			assert_int_equal(pair.status.code, cases[i].code);
			assert_string_equal(pair.status.reason, cases[i].reason);
			assert_non_null(strstr(pair.status.message, cases[i].words));
			if (cases[i].messages >= 0)
				assert_int_equal(pair.messages, cases[i].messages);
			if (cases[i].code == 0 && !cases[i].stream) {
				assert_int_equal(pair.message_length, 5);
				assert_memory_equal(pair.message, "hello", 5);
			}
			assert_int_equal(client_session_calls(pair.client)->count, 0);
			close_pair(&pair);
		}
	}
}

/* An answer before the request is wholly sent: the rest of the request is not sent, and the stream is closed. */
static void test_early_answer(void **state)
{
	static const struct plan plan = {
		{ { ":status", "200" }, { "content-type", "application/grpc" }, { "grpc-status", "8" } }, .early = true
	};
	struct pair pair;

	(void)state;
	open_pair(&pair, &plan, 100);
	submit(&pair, false, 90000); /* more than the server's window of 65,535 */
	talk(&pair);
	assert_int_equal(pair.closed, 1);
	assert_int_equal(pair.status.code, NEEDTOKNOW_RESOURCE_EXHAUSTED);
	close_pair(&pair);
}

static void test_large_headers(void **state)
{
	static char value[20000];
	struct plan plan = { .headers = { { ":status", "200" }, { "content-type", "application/grpc" },
				     { "x-large", value } } };
	struct pair pair;

	(void)state;
	memset(value, 'a', sizeof value - 1);
	open_pair(&pair, &plan, 100);
	submit(&pair, false, 3);
	talk(&pair);
	assert_int_equal(pair.closed, 1);
	assert_int_equal(pair.status.code, NEEDTOKNOW_INTERNAL);
	assert_string_equal(pair.status.reason, NEEDTOKNOW_REASON_BAD_ANSWER);
	close_pair(&pair);
}

static void test_refused(void **state)
{
	static const struct plan plan = { .reset = NGHTTP2_REFUSED_STREAM };
	struct pair pair;

	(void)state;
	open_pair(&pair, &plan, 100);
	submit(&pair, false, 3);
	talk(&pair);
	assert_int_equal(pair.closed, 1);
	assert_true(pair.refused);
	assert_int_equal(pair.status.code, NEEDTOKNOW_UNAVAILABLE);
	close_pair(&pair);
}

static void test_goaway(void **state)
{
	struct pair pair;

	(void)state;
	open_pair(&pair, NULL, 100);
	struct channel_call *running = submit(&pair, false, 3);
	talk(&pair);
	assert_true(client_session_heard(pair.client));
	/* The server has seen the first and says that it will not look at the second, which is on its way. */
	nghttp2_submit_goaway(pair.server, NGHTTP2_FLAG_NONE, running->stream, NGHTTP2_NO_ERROR, NULL, 0);
	submit(&pair, false, 3);
	assert_int_equal(client_session_room(pair.client), 98);
	server_to_client(&pair);
	talk(&pair);
	assert_true(client_session_draining(pair.client));
	assert_int_equal(client_session_room(pair.client), 0);
	assert_int_equal(pair.closed, 1);
	assert_true(pair.refused || pair.unsent);
	assert_int_equal(client_session_calls(pair.client)->count, 1);
	assert_false(client_session_finished(pair.client));
	/* The first ends; then the connection may. */
	nghttp2_submit_rst_stream(pair.server, NGHTTP2_FLAG_NONE, running->stream, NGHTTP2_INTERNAL_ERROR);
	talk(&pair);
	assert_int_equal(pair.closed, 2);
	assert_true(client_session_finished(pair.client));
	close_pair(&pair);
}

static void test_stream_limit(void **state)
{
	struct pair pair;

	(void)state;
	open_pair(&pair, NULL, 2);
	assert_int_equal(client_session_room(pair.client), 100); /* until it knows better */
	talk(&pair);
	assert_int_equal(client_session_room(pair.client), 2);
	submit(&pair, false, 3);
	struct channel_call *second = submit(&pair, false, 3);
	assert_int_equal(client_session_room(pair.client), 0);
	client_session_reset(pair.client, second);
	talk(&pair);
	assert_int_equal(pair.closed, 1);
	assert_int_equal(client_session_room(pair.client), 1);
	close_pair(&pair);
}

static void test_garbage(void **state)
{
	struct pair pair;
	const char *error = NULL;

	(void)state;
	open_pair(&pair, NULL, 100);
	/* nghttp2 says GOAWAY to that, and then the connection is over. */
	assert_int_equal(
		client_session_receive(pair.client, (const uint8_t *)"HTTP/1.1 400 Bad Request\r\n", 26, &error), 0);
	assert_int_equal(client_session_send(pair.client, &pair.to_server, WIRE_MAX, &error), 0);
	assert_true(client_session_finished(pair.client));
	assert_int_equal(client_session_room(pair.client), 0);
	close_pair(&pair);
}

static void test_timeout_text(void **state)
{
	static const struct {
		int64_t microseconds;
		const char *text;
	} rows[] = {
		{ -5, "1u" },
		{ 1, "1u" },
		{ 1500000, "1500000u" },
		{ 99999998, "99999998u" },
		{ 99999999, "100000m" },
		{ 30000000000, "30000000m" },
		{ INT64_C(99999999001), "100000S" },
		{ INT64_MAX - 1, "99999999S" },
	};
	char text[CALL_TIMEOUT_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		call_timeout_format(rows[i].microseconds, text);
		assert_string_equal(text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_early_answer),
		cmocka_unit_test(test_large_headers),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_goaway),
		cmocka_unit_test(test_stream_limit),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_timeout_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
