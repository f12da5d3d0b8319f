/* What a gRPC server owes to any client (grpc/doc/PROTOCOL-HTTP2.md, statuscodes.md). */
#include "transport_scene.h"

#include "base/memory.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int begin(void **state)
{
	*state = scene_new();
	scene_serve(*state, NULL);
	return 0;
}

static int end(void **state)
{
	scene_free(*state);
	return 0;
}

static void assert_message(const struct response *response, const char *text)
{
	assert_int_equal(response->length, 5 + strlen(text));
	assert_int_equal(response->data[0], 0);
	assert_int_equal(response->data[4], strlen(text));
	assert_memory_equal(response->data + 5, text, strlen(text));
}

static void answers_a_unary_call(void **state)
{
	struct scene *scene = *state;
	struct response *response = peer_send(peer_new(scene, NULL), "/test/Echo", "bonjour");
	scene_until(scene, response->closed);
	assert_string_equal(response->status, "200");
	assert_string_equal(response->grpc_status, "0");
	assert_string_equal(response->accept_encoding, "identity");
	assert_message(response, "bonjour");
	assert_true(response->ended);
	assert_int_equal(response->error_code, NGHTTP2_NO_ERROR);
	assert_int_equal(scene->seen[0].closes, 1);
}

static void answers_an_empty_message(void **state)
{
	struct scene *scene = *state;
	struct response *response = peer_send(peer_new(scene, NULL), "/test/Echo", "");
	scene_until(scene, response->closed);
	assert_string_equal(response->grpc_status, "0");
	assert_message(response, "");
}

static void answers_many_calls_of_one_turn(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = peer_new(scene, NULL);
	struct response *responses[90];
	for (int i = 0; i < 90; i++)
		responses[i] = peer_send(peer, "/test/Echo", "x");
	for (int i = 0; i < 90; i++) {
		scene_until(scene, responses[i]->closed);
		assert_message(responses[i], "x");
	}
	assert_int_equal(server_counters(scene->server)->streams_open, 0);
	assert_int_equal(server_counters(scene->server)->streams_opened, 90);
}

/* The largest message, through windows of 64 KiB both ways. */
static void carries_the_largest_message(void **state)
{
	struct scene *scene = *state;
	const size_t length = 1 << 20;
	uint8_t *body = malloc(5 + length);
	memcpy(body, "\0\0\x10\0\0", 5);
	for (size_t i = 0; i < length; i++)
		body[5 + i] = (uint8_t)(i * 7 + i / 251);
	struct response *response = peer_call(
		peer_new(scene, NULL), &(struct call){ .path = "/test/Echo", .body = body, .length = 5 + length });
	scene_until(scene, response->closed);
	assert_string_equal(response->grpc_status, "0");
	assert_int_equal(response->length, 5 + length);
	assert_memory_equal(response->data, body, 5 + length);
	free(body);
}

/* A table of requests that are wrong, and how each is answered. */
static const struct {
	const char *what;
	struct call call;
	const char *status, *grpc_status;
} wrong[] = {
	{ "content type", { .path = "/test/Echo", .body = "\0\0\0\0", .length = 5, .content_type = "application/json" },
		"415", "" },
	{ "content type that only begins alike",
		{ .path = "/test/Echo", .body = "\0\0\0\0", .length = 5, .content_type = "application/grpc-web" },
		"415", "" },
	{ "verb", { .path = "/test/Echo", .verb = "GET" }, "405", "" },
	{ "codec", { .path = "/test/Echo", .body = "\0\0\0\0", .length = 5, .content_type = "application/grpc+json" },
		"200", "12" },
	{ "path", { .path = "/test/Nothing", .body = "\0\0\0\0", .length = 5 }, "200", "12" },
	{ "timeout", { .path = "/test/Echo", .body = "\0\0\0\0", .length = 5, .timeout = "soon" }, "200", "13" },
	{ "no message", { .path = "/test/Echo" }, "200", "12" },
	{ "two messages", { .path = "/test/Echo", .body = "\0\0\0\0\0\0\0\0\0", .length = 10 }, "200", "12" },
	{ "prefix cut off", { .path = "/test/Echo", .body = "\0\0\0", .length = 3 }, "200", "13" },
	{ "message cut off", { .path = "/test/Echo", .body = "\0\0\0\0\5abc", .length = 8 }, "200", "13" },
	{ "message too large", { .path = "/test/Echo", .body = "\0\0\x10\0\1", .length = 5 }, "200", "8" },
	{ "message far too large", { .path = "/test/Echo", .body = "\0\xff\xff\xff\xff", .length = 5 }, "200", "8" },
	{ "compressed message", { .path = "/test/Echo", .body = "\1\0\0\0", .length = 5 }, "200", "12" },
	{ "unknown flag", { .path = "/test/Echo", .body = "\2\0\0\0", .length = 5 }, "200", "13" },
	{ "message cut off, of many", { .path = "/test/Bidi", .body = "\0\0\0\0\1a\0\0", .length = 8 }, "200", "13" },
};

static void answers_what_is_wrong_by_the_book(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = peer_new(scene, NULL);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct response *response = peer_call(peer, &wrong[i].call);
		print_message("  %s\n", wrong[i].what);
		scene_until(scene, response->closed);
		assert_string_equal(response->status, wrong[i].status);
		assert_string_equal(response->grpc_status, wrong[i].grpc_status);
	}
	struct response *response = peer_send(peer, "/test/Echo", "still there");
	scene_until(scene, response->closed);
	assert_message(response, "still there");
}

static void accepts_what_is_unusual(void **state)
{
	static const char *const types[] = { "application/grpc", "application/grpc+proto",
		"application/grpc;charset=utf-8", "Application/GRPC+proto;x=y" };
	struct scene *scene = *state;
	struct peer *peer = peer_new(scene, NULL);
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		struct response *response = peer_call(peer,
			&(struct call){
				.path = "/test/Echo", .body = "\0\0\0\0\1a", .length = 6, .content_type = types[i] });
		scene_until(scene, response->closed);
		assert_string_equal(response->grpc_status, "0");
	}
}

/* A refusal of a stream whose client still sends ends that, too. */
static void refuses_a_request_that_goes_on(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = peer_new(scene, NULL);
	struct response *response = peer_call(peer, &(struct call){ .path = "/test/Nothing", .stays_open = true });
	scene_until(scene, response->closed);
	assert_string_equal(response->grpc_status, "12");
	assert_string_equal(response->grpc_message, "unknown method /test/Nothing");
	assert_int_equal(response->error_code, NGHTTP2_NO_ERROR);
}

static void sends_trailers_with_details(void **state)
{
	struct scene *scene = *state;
	struct response *response = peer_send(peer_new(scene, NULL), "/test/Unary", "x");
	scene_until(scene, scene->seen_count == 1);
	server_stream_finish(scene->seen[0].stream,
		&(struct status){ .code = GRPC_NOT_FOUND, .message = "rien à 100%", .reason = "UNKNOWN_SUBJECT" });
	/* Once it is decided it stays so. */
	server_stream_finish(scene->seen[0].stream, &(struct status){ .code = GRPC_OK });
	server_stream_send(scene->seen[0].stream, (const uint8_t *)"late", 4);
	scene_until(scene, response->closed);
	assert_string_equal(response->grpc_status, "5");
	assert_string_equal(response->grpc_message, "rien %C3%A0 100%25");
	assert_true(response->details);
	assert_int_equal(response->length, 0);
	assert_int_equal(scene->seen[0].closes, 1);
}

static void streams_and_then_finishes(void **state)
{
	struct scene *scene = *state;
	struct response *response = peer_send(peer_new(scene, NULL), "/test/Endless", "x");
	scene_until(scene, scene->seen_count == 1);
	struct server_stream *stream = scene->seen[0].stream;
	server_stream_send(stream, (const uint8_t *)"one", 3);
	scene_until(scene, response->length == 8);
	assert_false(response->closed);
	scene_until(scene, scene->seen[0].writables > 0);
	server_stream_send(stream, (const uint8_t *)"two", 3);
	server_stream_send(stream, (const uint8_t *)"three", 5);
	scene_until(scene, response->length == 8 + 8 + 10);
	server_stream_finish(stream, &(struct status){ .code = GRPC_OK });
	scene_until(scene, response->closed);
	assert_memory_equal(response->data, "\0\0\0\0\3one\0\0\0\0\3two\0\0\0\0\5three", 26);
	assert_string_equal(response->grpc_status, "0");
}

static void takes_many_messages(void **state)
{
	struct scene *scene = *state;
	struct response *response = peer_call(peer_new(scene, NULL),
		&(struct call){ .path = "/test/Bidi", .body = "\0\0\0\0\1a\0\0\0\0\2bc\0\0\0\0\0", .length = 18 });
	scene_until(scene, scene->seen[0].half_closes == 1);
	assert_int_equal(scene->seen[0].requests, 3);
	assert_int_equal(scene->seen_count, 1);
	server_stream_finish(scene->seen[0].stream, &(struct status){ .code = GRPC_OK });
	scene_until(scene, response->closed);
	assert_string_equal(response->grpc_status, "0");
}

/* After the handler has finished, what still comes is not its business. */
static void takes_no_more_than_it_wants(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = peer_new(scene, NULL);
	struct response *response = peer_call(peer,
		&(struct call){ .path = "/test/Bidi", .body = "\0\0\0\0\1a\0\0\0", .length = 9, .stays_open = true });
	scene_until(scene, scene->seen[0].requests == 1);
	server_stream_finish(scene->seen[0].stream, &(struct status){ .code = GRPC_OK });
	scene_until(scene, response->closed);
	assert_string_equal(response->grpc_status, "0");
	assert_int_equal(response->error_code, NGHTTP2_NO_ERROR);
	assert_int_equal(scene->seen[0].requests, 1);
	assert_int_equal(scene->seen[0].half_closes, 0);
	assert_int_equal(scene->seen[0].closes, 1);
}

static void takes_no_message_of_many(void **state)
{
	struct scene *scene = *state;
	struct response *response = peer_call(peer_new(scene, NULL), &(struct call){ .path = "/test/Bidi" });
	scene_until(scene, response->closed);
	assert_string_equal(response->grpc_status, "0");
	assert_int_equal(scene->seen_count, 0);
}

static void keeps_a_deadline(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = peer_new(scene, NULL);
	struct response *response = peer_call(
		peer, &(struct call){ .path = "/test/Unary", .body = "\0\0\0\0", .length = 5, .timeout = "50m" });
	scene_until(scene, scene->seen_count == 1);
	assert_in_range(scene->seen[0].deadline - loop_now(scene->loop), 1, 50000);
	scene_until(scene, response->closed);
	assert_string_equal(response->grpc_status, "4");
	assert_int_equal(scene->seen[0].closes, 1);
	assert_null(scene->seen[0].stream);
	response = peer_send(peer, "/test/Unary", "x");
	scene_until(scene, scene->seen_count == 2);
	assert_int_equal(scene->seen[1].deadline, INT64_MAX);
}

static void tells_when_a_client_cancels(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = peer_new(scene, NULL);
	struct response *response = peer_send(peer, "/test/Unary", "x");
	scene_until(scene, scene->seen_count == 1);
	nghttp2_submit_rst_stream(peer->http2, 0, response->id, NGHTTP2_CANCEL);
	scene_until(scene, scene->seen[0].closes == 1);
	response = peer_send(peer, "/test/Echo", "x");
	scene_until(scene, response->closed);
}

static void tells_when_a_connection_is_lost(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = peer_new(scene, NULL);
	peer_send(peer, "/test/Unary", "x");
	peer_send(peer, "/test/Endless", "x");
	scene_until(scene, scene->seen_count == 2);
	peer_free(peer);
	scene_until(scene, scene->seen[0].closes == 1 && scene->seen[1].closes == 1);
	assert_int_equal(server_counters(scene->server)->connections_open, 0);
	assert_int_equal(server_counters(scene->server)->streams_open, 0);
}

static void tells_when_the_server_ends(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = peer_new(scene, NULL);
	peer_send(peer, "/test/Unary", "x");
	scene_until(scene, scene->seen_count == 1);
	server_stream_send(scene->seen[0].stream, (const uint8_t *)"x", 1);
	scene_stop_serving(scene);
	assert_int_equal(scene->seen[0].closes, 1);
	scene_until(scene, peer->gone);
}

static void closes_a_recipient(void **state)
{
	struct scene *scene = *state;
	struct peer *booking = peer_new(scene, NULL);
	struct peer *sparkle = peer_new(scene, &(struct peer_options){ .certificate = "sparkle" });
	peer_send(booking, "/test/Unary", "x");
	scene_until(scene, scene->seen_count == 1);
	peer_send(sparkle, "/test/Unary", "x");
	scene_until(scene, scene->seen_count == 2);
	const struct identity *caller = server_stream_identity(scene->seen[1].stream);
	assert_int_equal(caller->role, ROLE_RECIPIENT);
	assert_string_equal(caller->name, "sparkle");
	assert_string_equal(caller->device, "phone");

	server_close_recipient(scene->server, "sparkle", "tablet");
	server_close_recipient(scene->server, "desk", NULL);
	scene_wait(scene, 20);
	assert_int_equal(scene->seen[1].closes, 0);
	/* Not even what is queued already leaves. */
	server_stream_send(scene->seen[1].stream, (const uint8_t *)"secret", 6);
	server_close_recipient(scene->server, "sparkle", "phone");
	scene_until(scene, sparkle->gone && scene->seen[1].closes == 1);
	assert_int_equal(sparkle->responses[0].length, 0);
	assert_false(booking->gone);

	sparkle = peer_new(scene, &(struct peer_options){ .certificate = "sparkle" });
	struct response *response = peer_send(sparkle, "/test/Echo", "x");
	scene_until(scene, response->closed);
	server_close_recipient(scene->server, "sparkle", NULL);
	scene_until(scene, sparkle->gone);
	assert_int_equal(scene->seen[0].closes, 0);
}

static unsigned done;

static void note_done(void *context)
{
	(void)context;
	done++;
}

static void drains(void **state)
{
	struct scene *scene = *state;
	struct peer *busy = peer_new(scene, NULL), *idle = peer_new(scene, NULL);
	struct response *unary = peer_send(busy, "/test/Unary", "x"), *endless = peer_send(busy, "/test/Endless", "x");
	scene_until(scene, scene->seen_count == 2);
	done = 0;
	server_drain(scene->server, 60000, note_done, NULL);
	scene_until(scene, busy->goaways == 2 && idle->gone && endless->closed);
	assert_int_equal(busy->goaway_last, endless->id);
	assert_int_equal(busy->goaway_error, NGHTTP2_NO_ERROR);
	assert_string_equal(endless->grpc_status, "14");
	assert_int_equal(done, 0);
	server_stream_send(scene->seen[0].stream, (const uint8_t *)"x", 1);
	server_stream_finish(scene->seen[0].stream, &(struct status){ .code = GRPC_OK });
	scene_until(scene, unary->closed);
	assert_string_equal(unary->grpc_status, "0");
	scene_until(scene, done == 1);
	assert_int_equal(server_counters(scene->server)->connections_open, 0);
}

static void drains_no_longer_than_it_may(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = peer_new(scene, NULL);
	struct response *response = peer_send(peer, "/test/Unary", "x");
	scene_until(scene, scene->seen_count == 1);
	done = 0;
	server_drain(scene->server, 100, note_done, NULL);
	scene_until(scene, done == 1);
	scene_until(scene, peer->gone);
	assert_string_equal(response->grpc_status, "14");
	assert_int_equal(scene->seen[0].closes, 1);
}

static void drains_nobody(void **state)
{
	struct scene *scene = *state;
	done = 0;
	server_drain(scene->server, 60000, note_done, NULL);
	scene_until(scene, done == 1);
}

#define transport_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		transport_test(answers_a_unary_call),
		transport_test(answers_an_empty_message),
		transport_test(answers_many_calls_of_one_turn),
		transport_test(carries_the_largest_message),
		transport_test(answers_what_is_wrong_by_the_book),
		transport_test(accepts_what_is_unusual),
		transport_test(refuses_a_request_that_goes_on),
		transport_test(sends_trailers_with_details),
		transport_test(streams_and_then_finishes),
		transport_test(takes_many_messages),
		transport_test(takes_no_more_than_it_wants),
		transport_test(takes_no_message_of_many),
		transport_test(keeps_a_deadline),
		transport_test(tells_when_a_client_cancels),
		transport_test(tells_when_a_connection_is_lost),
		transport_test(tells_when_the_server_ends),
		transport_test(closes_a_recipient),
		transport_test(drains),
		transport_test(drains_no_longer_than_it_may),
		transport_test(drains_nobody),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
