/* Everything that a peer can make the server keep or do has its limit, and going past it costs that peer alone. */
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
	return 0;
}

static int end(void **state)
{
	scene_free(*state);
	return 0;
}

static uint64_t closed_by_limits(const struct scene *scene)
{
	return server_counters(scene->server)->limit_closed;
}

/* The others go on. */
static void assert_serves(struct scene *scene)
{
	struct peer *peer = peer_new(scene, NULL);
	struct response *response = peer_send(peer, "/test/Echo", "x");
	scene_until(scene, response->closed);
	assert_string_equal(response->grpc_status, "0");
	peer_free(peer);
}

static void refuses_connections_past_the_maximum(void **state)
{
	struct scene *scene = *state;
	scene_serve(scene, &(struct server_limits){ .max_connections = 2 });
	struct peer *first = peer_new(scene, NULL);
	peer_new(scene, NULL);
	struct peer *third = peer_new(scene, NULL);
	assert_true(third->gone);
	assert_int_equal(server_counters(scene->server)->connections_refused, 1);
	peer_free(first);
	scene_until(scene, server_counters(scene->server)->connections_open == 1);
	assert_serves(scene);
}

static void refuses_streams_past_the_maximum(void **state)
{
	struct scene *scene = *state;
	scene_serve(scene, &(struct server_limits){ .max_streams = 3 });
	struct peer *peer = peer_new(scene, NULL);
	for (int i = 0; i < 5; i++)
		peer_send(peer, "/test/Unary", "x");
	scene_until(scene, peer->responses[3].closed && peer->responses[4].closed);
	assert_int_equal(peer->responses[3].error_code, NGHTTP2_REFUSED_STREAM);
	assert_int_equal(peer->responses[4].error_code, NGHTTP2_REFUSED_STREAM);
	assert_int_equal(scene->seen_count, 3);
	assert_false(peer->gone);
}

static void refuses_a_large_header_list(void **state)
{
	struct scene *scene = *state;
	scene_serve(scene, NULL);
	struct peer *peer = peer_new(scene, NULL);
	char padding[40000];
	memset(padding, 'x', sizeof padding);
	struct call call = { .path = "/test/Echo", .body = "\0\0\0\0", .length = 5, .padding = padding };

	padding[7000] = '\0';
	struct response *response = peer_call(peer, &call);
	scene_until(scene, response->closed);
	assert_string_equal(response->grpc_status, "0");
	padding[7000] = 'x';
	padding[8192] = '\0';
	response = peer_call(peer, &call);
	scene_until(scene, response->closed);
	assert_string_equal(response->grpc_status, "8");
	assert_int_equal(closed_by_limits(scene), 1);
	/* Beyond all bounds the stream is reset. */
	padding[8192] = 'x';
	padding[39999] = '\0';
	response = peer_call(peer, &call);
	scene_until(scene, response->closed);
	assert_string_equal(response->status, "");
	assert_int_equal(response->error_code, NGHTTP2_INTERNAL_ERROR);
	assert_false(peer->gone);
}

/* Many large requests that are never finished. */
static void bounds_what_is_kept_of_requests(void **state)
{
	struct scene *scene = *state;
	scene_serve(scene, &(struct server_limits){ .max_message_bytes = 10000 });
	struct peer *peer = peer_new(scene, NULL);
	uint8_t body[8005] = { 0, 0, 0, 0x27, 0x10 };
	for (int i = 0; i < 6; i++)
		peer_call(peer,
			&(struct call){
				.path = "/test/Echo", .body = body, .length = sizeof body, .stays_open = true });
	scene_until(scene, peer->responses[5].closed);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(peer->responses[i].closed, i >= 4);
		assert_string_equal(peer->responses[i].grpc_status, i >= 4 ? "8" : "");
	}
	assert_int_equal(closed_by_limits(scene), 2);
}

/* Floods: `rounds` times the same; the server says ENHANCE_YOUR_CALM and closes. */

static struct peer *raw_peer(struct scene *scene, const struct server_limits *limits)
{
	scene_serve(scene, limits);
	struct peer *peer = peer_new(scene, &(struct peer_options){ .certificate = "booking", .raw = true });
	peer_preface(peer);
	peer_frame(peer, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
	return peer;
}

static void assert_calmed(struct scene *scene, struct peer *peer)
{
	scene_until(scene, peer->gone);
	assert_int_equal(closed_by_limits(scene), 1);
	peer_free(peer);
	scene_until(scene, server_counters(scene->server)->connections_open == 0);
	assert_serves(scene);
}

static void stops_a_flood_of_pings(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = raw_peer(scene, NULL);
	for (int i = 0; i < 99; i++)
		peer_frame(peer, NGHTTP2_PING, 0, 0, "12345678", 8);
	scene_wait(scene, 20);
	assert_false(peer->gone);
	for (int i = 0; i < 100; i++)
		peer_frame(peer, NGHTTP2_PING, 0, 0, "12345678", 8);
	assert_calmed(scene, peer);
}

/* As many as that over a longer time are no flood. */
static void counts_by_the_second(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = raw_peer(scene, &(struct server_limits){ .max_control_frames = 20 });
	for (int second = 0; second < 2; second++) {
		for (int i = 0; i < 18; i++)
			peer_frame(peer, NGHTTP2_PING, 0, 0, "12345678", 8);
		scene_wait(scene, 1500);
	}
	assert_false(peer->gone);
	assert_int_equal(closed_by_limits(scene), 0);
}

/* One for each of our sendings is no flood either. */
static void lets_a_peer_measure_the_path(void **state)
{
	struct scene *scene = *state;
	scene_serve(scene, &(struct server_limits){ .max_control_frames = 20 });
	struct peer *peer = peer_new(scene, NULL);
	for (unsigned i = 1; i <= 60; i++) {
		struct response *response = peer_send(peer, "/test/Echo", "x");
		scene_until(scene, response->closed);
		nghttp2_submit_ping(peer->http2, 0, NULL);
		scene_until(scene, peer->pings == i);
	}
	assert_int_equal(closed_by_limits(scene), 0);
}

static void stops_a_flood_of_settings(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = raw_peer(scene, NULL);
	for (int i = 0; i < 110; i++)
		peer_frame(peer, NGHTTP2_SETTINGS, 0, 0, "\0\4\0\1\0\0", 6);
	assert_calmed(scene, peer);
}

/* `:method: POST`, `:scheme: https`, `:path: /test/Unary`, `:authority: x`, `content-type: application/grpc`, none
 * indexed. */
static const char header_block[] = "\x83\x87\x04\x0b/test/Unary\x01\x01x\x0f\x10\x10"
				   "application/grpc";

static void request(struct peer *peer, uint32_t stream)
{
	peer_frame(peer, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, stream, header_block, sizeof header_block - 1);
}

static void stops_rapid_reset(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = raw_peer(scene, NULL);
	for (uint32_t i = 0; i < 110; i++) {
		request(peer, 2 * i + 1);
		peer_frame(peer, NGHTTP2_RST_STREAM, 0, 2 * i + 1, "\0\0\0\10", 4);
	}
	assert_calmed(scene, peer);
	assert_int_equal(server_counters(scene->server)->streams_open, 0);
}

/* The same made by mistakes for which the server must reset the streams: a WINDOW_UPDATE of 0 (RFC 9113 section 6.9).
 */
static void stops_resets_that_it_is_made_to_send(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = raw_peer(scene, NULL);
	for (uint32_t i = 0; i < 110; i++) {
		request(peer, 2 * i + 1);
		peer_frame(peer, NGHTTP2_WINDOW_UPDATE, 0, 2 * i + 1, "\x7f\xff\xff\xff", 4);
	}
	assert_calmed(scene, peer);
}

static void stops_a_flood_of_empty_data(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = raw_peer(scene, NULL);
	request(peer, 1);
	for (int i = 0; i < 110; i++)
		peer_frame(peer, NGHTTP2_DATA, 0, 1, NULL, 0);
	assert_calmed(scene, peer);
}

static void stops_a_flood_of_priorities(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = raw_peer(scene, NULL);
	for (int i = 0; i < 110; i++)
		peer_frame(peer, NGHTTP2_PRIORITY, 0, 1, "\0\0\0\0\20", 5);
	assert_calmed(scene, peer);
}

static void stops_headers_without_end(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = raw_peer(scene, NULL);
	peer_frame(peer, NGHTTP2_HEADERS, 0, 1, header_block, sizeof header_block - 1);
	for (int i = 0; i < 30 && !peer->gone; i++)
		peer_frame(peer, NGHTTP2_CONTINUATION, 0, 1, "", 0);
	scene_until(scene, peer->gone);
	assert_serves(scene);
}

static void closes_what_is_not_http2(void **state)
{
	struct scene *scene = *state;
	scene_serve(scene, NULL);
	struct peer *peer = peer_new(scene, &(struct peer_options){ .certificate = "booking", .raw = true });
	peer_write(peer, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 35);
	scene_until(scene, peer->gone);
	assert_serves(scene);
}

/* Times. */

static void bounds_the_handshake(void **state)
{
	struct scene *scene = *state;
	scene_serve(scene, &(struct server_limits){ .handshake_timeout_ms = 500 });
	struct peer *peer = peer_new(scene, &(struct peer_options){ .no_wait = true });
	/* It says nothing at all. */
	SSL *ssl = peer->ssl;
	peer->ssl = NULL;
	scene_until(scene, closed_by_limits(scene) == 1);
	assert_int_equal(server_counters(scene->server)->connections_open, 0);
	assert_int_equal(server_counters(scene->server)->handshakes_failed, 1);
	peer->ssl = ssl;
	assert_serves(scene);
}

static void closes_idle_connections(void **state)
{
	struct scene *scene = *state;
	scene_serve(scene, &(struct server_limits){ .idle_timeout_ms = 100 });
	struct peer *peer = peer_new(scene, NULL);
	struct response *response = peer_send(peer, "/test/Unary", "x");
	scene_wait(scene, 250);
	assert_false(peer->gone);
	server_stream_finish(scene->seen[0].stream, &(struct status){ .code = GRPC_OK });
	scene_until(scene, response->closed);
	scene_until(scene, peer->gone);
	assert_int_equal(peer->goaways, 1);
	assert_int_equal(peer->goaway_error, NGHTTP2_NO_ERROR);
	scene_until(scene, server_counters(scene->server)->connections_open == 0);
}

static void bounds_the_time_of_a_request(void **state)
{
	struct scene *scene = *state;
	scene_serve(scene, &(struct server_limits){ .request_timeout_ms = 50 });
	struct peer *peer = peer_new(scene, NULL);
	struct response *slow = peer_call(
		peer, &(struct call){ .path = "/test/Unary", .body = "\0\0\0", .length = 3, .stays_open = true });
	struct response *partial = peer_call(peer,
		&(struct call){ .path = "/test/Bidi", .body = "\0\0\0\0\1a\0\0", .length = 8, .stays_open = true });
	struct response *quiet = peer_call(
		peer, &(struct call){ .path = "/test/Bidi", .body = "\0\0\0\0\1a", .length = 6, .stays_open = true });
	scene_until(scene, slow->closed && partial->closed);
	assert_string_equal(slow->grpc_status, "4");
	assert_string_equal(partial->grpc_status, "4");
	scene_wait(scene, 100);
	assert_false(quiet->closed);
}

static void asks_a_silent_peer_whether_it_is_there(void **state)
{
	struct scene *scene = *state;
	scene_serve(scene, &(struct server_limits){ .keepalive_ms = 50 });
	struct peer *there = peer_new(scene, NULL), *away = peer_new(scene, NULL);
	peer_send(there, "/test/Endless", "x");
	scene_until(scene, scene->seen_count == 1);
	peer_send(away, "/test/Endless", "x");
	scene_until(scene, scene->seen_count == 2);
	away->mute = true;
	scene_until(scene, away->gone && scene->seen[1].closes == 1);
	scene_wait(scene, 200);
	assert_false(there->gone);
	assert_int_equal(scene->seen[0].closes, 0);
}

/* Slow readers. */

static void bounds_what_waits_for_a_slow_reader(void **state)
{
	struct scene *scene = *state;
	scene_serve(scene, &(struct server_limits){ .max_queued_bytes = 100000 });
	struct peer *peer =
		peer_new(scene, &(struct peer_options){ .certificate = "booking", .window = 10, .own_window = true });
	struct response *response = peer_send(peer, "/test/Endless", "x");
	scene_until(scene, scene->seen_count == 1);
	uint8_t *message = mem_calloc(1, 30000);
	for (int i = 0; i < 3; i++)
		server_stream_send(scene->seen[0].stream, message, 30000);
	scene_until(scene, response->length == 10);
	assert_int_equal(scene->seen[0].closes, 0);
	server_stream_send(scene->seen[0].stream, message, 30000);
	mem_free(message);
	/* A message is torn: there is no other way to end it. */
	scene_until(scene, response->closed && scene->seen[0].closes == 1);
	assert_int_equal(response->error_code, NGHTTP2_CANCEL);
	assert_int_equal(closed_by_limits(scene), 1);

	response = peer_send(peer, "/test/Endless", "x");
	scene_until(scene, scene->seen_count == 2);
	message = mem_calloc(1, 100001);
	server_stream_send(scene->seen[1].stream, message, 100001);
	mem_free(message);
	scene_until(scene, response->closed);
	assert_string_equal(response->grpc_status, "8");
	assert_false(peer->gone);
}

static void closes_when_credit_does_not_come(void **state)
{
	struct scene *scene = *state;
	scene_serve(scene, &(struct server_limits){ .write_timeout_ms = 100 });
	struct peer *peer =
		peer_new(scene, &(struct peer_options){ .certificate = "booking", .window = 10, .own_window = true });
	peer_send(peer, "/test/Endless", "x");
	scene_until(scene, scene->seen_count == 1);
	scene_wait(scene, 200);
	assert_false(peer->gone);
	server_stream_send(scene->seen[0].stream, (const uint8_t *)"0123456789", 10);
	scene_until(scene, peer->gone && scene->seen[0].closes == 1);
	assert_int_equal(closed_by_limits(scene), 1);
}

static void closes_when_the_socket_does_not_take_it(void **state)
{
	struct scene *scene = *state;
	scene_serve(scene, &(struct server_limits){ .write_timeout_ms = 100, .max_queued_bytes = 64 << 20 });
	struct peer *peer = peer_new(
		scene, &(struct peer_options){ .certificate = "booking", .window = INT32_MAX, .receive_buffer = 4096 });
	nghttp2_session_set_local_window_size(peer->http2, 0, 0, INT32_MAX);
	peer_send(peer, "/test/Endless", "x");
	scene_until(scene, scene->seen_count == 1);
	peer->deaf = true;
	uint8_t *message = mem_calloc(1, 16 << 20);
	server_stream_send(scene->seen[0].stream, message, 16 << 20);
	mem_free(message);
	scene_until(scene, scene->seen[0].closes == 1);
	assert_int_equal(closed_by_limits(scene), 1);
	assert_int_equal(server_counters(scene->server)->connections_open, 0);
}

#define limits_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		limits_test(refuses_connections_past_the_maximum),
		limits_test(refuses_streams_past_the_maximum),
		limits_test(refuses_a_large_header_list),
		limits_test(bounds_what_is_kept_of_requests),
		limits_test(stops_a_flood_of_pings),
		limits_test(counts_by_the_second),
		limits_test(lets_a_peer_measure_the_path),
		limits_test(stops_a_flood_of_settings),
		limits_test(stops_rapid_reset),
		limits_test(stops_resets_that_it_is_made_to_send),
		limits_test(stops_a_flood_of_empty_data),
		limits_test(stops_a_flood_of_priorities),
		limits_test(stops_headers_without_end),
		limits_test(closes_what_is_not_http2),
		limits_test(bounds_the_handshake),
		limits_test(closes_idle_connections),
		limits_test(bounds_the_time_of_a_request),
		limits_test(asks_a_silent_peer_whether_it_is_there),
		limits_test(bounds_what_waits_for_a_slow_reader),
		limits_test(closes_when_credit_does_not_come),
		limits_test(closes_when_the_socket_does_not_take_it),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
