/* Flow control, and values that must not outlive their disclosure in a queue (P3, P4). */
#include "transport_scene.h"

#include "base/memory.h"
#include "io/tls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const uint8_t red[16] = "red red red red", blue[16] = "blue blue blue ";
#define NEVER INT64_MAX
/* More than the kernel takes for a socket that is not read. */
#define FILLER (2 << 20)

static int begin(void **state)
{
	*state = scene_new();
	scene_serve(*state, &(struct server_limits){ .max_queued_bytes = 64 << 20 });
	return 0;
}

static int end(void **state)
{
	scene_free(*state);
	return 0;
}

/* A peer whose streams have a window of so many bytes, which it does not widen. */
static struct peer *narrow_peer(struct scene *scene, uint32_t window)
{
	return peer_new(
		scene, &(struct peer_options){ .certificate = "sparkle", .window = window, .own_window = true });
}

/* A peer with endless windows that does not read its socket. */
static struct peer *deaf_peer(struct scene *scene)
{
	struct peer *peer = peer_new(
		scene, &(struct peer_options){ .certificate = "sparkle", .window = INT32_MAX, .receive_buffer = 4096 });
	nghttp2_session_set_local_window_size(peer->http2, 0, 0, INT32_MAX);
	return peer;
}

static struct server_stream *open_stream(struct scene *scene, struct peer *peer)
{
	size_t before = scene->seen_count;
	peer_send(peer, "/test/Endless", "x");
	scene_until(scene, scene->seen_count == before + 1);
	return scene->seen[before].stream;
}

static void send_values(struct server_stream *stream, const char *text, const uint8_t tag[16], int64_t die_at)
{
	server_stream_send_values(stream, (const uint8_t *)text, strlen(text), tag, die_at);
}

static void window_update(struct peer *peer, int32_t stream, int32_t more)
{
	nghttp2_submit_window_update(peer->http2, 0, stream, more);
}

/* Until the socket takes no more: a record waits for it. */
static void block(struct scene *scene, struct peer *peer, struct server_stream *stream)
{
	peer->deaf = true;
	uint8_t *filler = mem_calloc(1, FILLER);
	server_stream_send(stream, filler, FILLER);
	mem_free(filler);
	uint64_t written;
	do {
		written = server_counters(scene->server)->bytes_written;
		scene_wait(scene, 20);
	} while (server_counters(scene->server)->bytes_written != written);
	assert_int_equal(server_stream_credit(stream), 0);
}

/* Credit. */

static void knows_what_a_peer_has_room_for(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = narrow_peer(scene, 1000);
	struct server_stream *stream = open_stream(scene, peer);
	assert_int_equal(server_stream_credit(stream), 995);
	server_stream_send(stream, (const uint8_t *)"0123456789", 10);
	assert_int_equal(server_stream_credit(stream), 980);
	scene_until(scene, peer->responses[0].length == 15);
	assert_int_equal(server_stream_credit(stream), 980);
	unsigned writables = scene->seen[0].writables;
	window_update(peer, peer->responses[0].id, 500);
	scene_until(scene, scene->seen[0].writables > writables);
	assert_int_equal(server_stream_credit(stream), 1480);
	/* The connection's window is all streams' together. */
	window_update(peer, peer->responses[0].id, 1 << 20);
	scene_until(scene, server_stream_credit(stream) == 65535 - 15 - 5);
	writables = scene->seen[0].writables;
	window_update(peer, 0, 100);
	scene_until(scene, scene->seen[0].writables > writables);
	assert_int_equal(server_stream_credit(stream), 65535 - 15 - 5 + 100);
}

static void does_not_tell_who_did_not_ask(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = narrow_peer(scene, 1000);
	open_stream(scene, peer);
	window_update(peer, peer->responses[0].id, 500);
	scene_wait(scene, 20);
	assert_int_equal(scene->seen[0].writables, 0);
}

static void has_no_credit_while_the_socket_is_blocked(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = deaf_peer(scene);
	struct server_stream *stream = open_stream(scene, peer);
	block(scene, peer, stream);
	unsigned writables = scene->seen[0].writables;
	peer->deaf = false;
	scene_until(scene, scene->seen[0].writables > writables);
	scene_until(scene, peer->responses[0].length == FILLER + 5);
	assert_true(server_stream_credit(stream) > 1 << 20);
}

/* What waits while a socket is blocked arrives whole, although its plaintext is not kept, and even when keys change
 * meanwhile. */
static void carries_all_through_a_blocked_socket(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = deaf_peer(scene);
	struct server_stream *stream = open_stream(scene, peer);
	const size_t length = 2 * FILLER;
	uint8_t *message = mem_alloc(length);
	for (size_t i = 0; i < length; i++)
		message[i] = (uint8_t)(i * 31 + i / 65537);
	peer->deaf = true;
	server_stream_send(stream, message, length);
	for (int round = 0; round < 40; round++) {
		/* The server owes an answer to this, which goes before its next record. */
		SSL_key_update(peer->ssl, SSL_KEY_UPDATE_REQUESTED);
		SSL_do_handshake(peer->ssl);
		nghttp2_submit_ping(peer->http2, 0, NULL);
		peer->deaf = round % 4 != 3;
		scene_wait(scene, 5);
	}
	peer->deaf = false;
	scene_until(scene, peer->responses[0].length == length + 5);
	assert_memory_equal(peer->responses[0].data + 5, message, length);
	mem_free(message);
}

/* Dropping. */

static void drops_what_has_not_begun_to_leave(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = narrow_peer(scene, 8);
	struct server_stream *stream = open_stream(scene, peer);
	server_stream_send(stream, (const uint8_t *)"one", 3);
	scene_until(scene, peer->responses[0].length == 8);
	send_values(stream, "red", red, NEVER);
	send_values(stream, "blue", blue, NEVER);
	send_values(stream, "more red", red, NEVER);
	scene_wait(scene, 5);
	assert_int_equal(server_drop(scene->server, red), 2);
	assert_int_equal(server_drop(scene->server, red), 0);
	send_values(stream, "green", blue, NEVER);
	window_update(peer, peer->responses[0].id, 1000);
	scene_until(scene, peer->responses[0].length == 8 + 9 + 10);
	assert_memory_equal(peer->responses[0].data, "\0\0\0\0\3one\0\0\0\0\4blue\0\0\0\0\5green", 27);
	assert_int_equal(scene->seen[0].closes, 0);
	server_stream_finish(stream, &(struct status){ .code = GRPC_OK });
	scene_until(scene, peer->responses[0].closed);
}

static void drops_the_only_message_and_still_finishes(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = narrow_peer(scene, 8);
	struct server_stream *stream = open_stream(scene, peer);
	server_stream_send(stream, (const uint8_t *)"one", 3);
	scene_until(scene, peer->responses[0].length == 8);
	send_values(stream, "red", red, NEVER);
	server_stream_finish(stream, &(struct status){ .code = GRPC_OK });
	scene_wait(scene, 5);
	assert_false(peer->responses[0].closed);
	assert_int_equal(server_drop(scene->server, red), 1);
	/* Trailers need no credit. */
	scene_until(scene, peer->responses[0].closed);
	assert_string_equal(peer->responses[0].grpc_status, "0");
	assert_int_equal(peer->responses[0].length, 8);
}

static void drops_on_every_stream_of_every_connection(void **state)
{
	struct scene *scene = *state;
	for (int i = 0; i < 3; i++) {
		struct peer *peer = narrow_peer(scene, 0x7fffffff);
		nghttp2_submit_settings(
			peer->http2, 0, &(nghttp2_settings_entry){ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0 }, 1);
		scene_wait(scene, 5);
		for (int j = 0; j < 4; j++)
			send_values(open_stream(scene, peer), "red", red, NEVER);
	}
	scene_wait(scene, 5);
	assert_int_equal(server_drop(scene->server, blue), 0);
	assert_int_equal(server_drop(scene->server, red), 12);
	scene_wait(scene, 5);
	for (size_t i = 0; i < scene->seen_count; i++)
		assert_int_equal(scene->seen[i].closes, 0);
}

static void resets_the_stream_when_some_has_left(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = narrow_peer(scene, 8);
	struct server_stream *stream = open_stream(scene, peer), *other = open_stream(scene, peer);
	send_values(stream, "red red red", red, NEVER);
	send_values(stream, "red again", red, NEVER);
	send_values(other, "blue blue", blue, NEVER);
	scene_until(scene, peer->responses[0].length == 8 && peer->responses[1].length == 8);
	assert_int_equal(server_drop(scene->server, red), 2);
	scene_until(scene, peer->responses[0].closed && scene->seen[0].closes == 1);
	assert_int_equal(peer->responses[0].error_code, NGHTTP2_CANCEL);
	assert_int_equal(peer->responses[0].length, 8);
	assert_false(peer->responses[1].closed);
	assert_int_equal(server_drop(scene->server, red), 0);
}

static void does_not_drop_what_has_left(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = narrow_peer(scene, 1000);
	struct server_stream *stream = open_stream(scene, peer);
	send_values(stream, "red", red, NEVER);
	scene_until(scene, peer->responses[0].length == 8);
	assert_int_equal(server_drop(scene->server, red), 0);
	assert_int_equal(scene->seen[0].closes, 0);
}

/* A record of them waits for the socket: nothing can be sent in its place. */
static void closes_the_connection_when_a_record_waits(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = deaf_peer(scene);
	struct server_stream *stream = open_stream(scene, peer);
	peer->deaf = true;
	char *text = mem_alloc(8001);
	memset(text, 'r', 8000);
	text[8000] = '\0';
	/* Every message red, so that whichever record waits is. */
	for (int i = 0; i < 2000; i++)
		send_values(stream, text, red, NEVER);
	mem_free(text);
	uint64_t written;
	do {
		written = server_counters(scene->server)->bytes_written;
		scene_wait(scene, 20);
	} while (server_counters(scene->server)->bytes_written != written);
	size_t died = server_drop(scene->server, red);
	assert_in_range(died, 2000 - written / 8005, 2000 - written / 8005 + 1);
	scene_until(scene, scene->seen[0].closes == 1);
	assert_int_equal(server_counters(scene->server)->connections_open, 0);
	assert_int_equal(server_counters(scene->server)->bytes_written, written);
	assert_int_equal(server_drop(scene->server, red), 0);
}

/* Dying of age. */

static void resets_a_stream_that_is_blocked_too_long(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = narrow_peer(scene, 8);
	struct server_stream *whole = open_stream(scene, peer), *torn = open_stream(scene, peer),
			     *patient = open_stream(scene, peer);
	int64_t soon = loop_now(scene->loop) + 50000;
	server_stream_send(whole, (const uint8_t *)"one", 3);
	send_values(whole, "red", red, soon);
	send_values(torn, "red red red", red, soon);
	send_values(patient, "blue blue", blue, soon + 60000000);
	scene_wait(scene, 20);
	assert_int_equal(scene->seen[0].closes, 0);
	scene_until(scene, peer->responses[0].closed && peer->responses[1].closed);
	assert_true(loop_now(scene->loop) >= soon);
	assert_int_equal(peer->responses[0].error_code, NGHTTP2_CANCEL);
	assert_int_equal(peer->responses[1].error_code, NGHTTP2_CANCEL);
	assert_int_equal(peer->responses[0].length, 8);
	assert_int_equal(scene->seen[0].closes, 1);
	assert_int_equal(scene->seen[1].closes, 1);
	assert_int_equal(scene->seen[2].closes, 0);
	assert_int_equal(server_drop(scene->server, red), 0);
	assert_int_equal(server_drop(scene->server, blue), 1);
}

static void does_not_send_what_is_dead_already(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = narrow_peer(scene, 1000);
	struct server_stream *stream = open_stream(scene, peer);
	send_values(stream, "red", red, loop_now(scene->loop));
	scene_until(scene, peer->responses[0].closed);
	assert_int_equal(peer->responses[0].length, 0);
	assert_int_equal(peer->responses[0].error_code, NGHTTP2_CANCEL);
	assert_int_equal(scene->seen[0].closes, 1);
}

static void closes_the_connection_when_a_record_waits_too_long(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = deaf_peer(scene);
	struct server_stream *stream = open_stream(scene, peer);
	peer->deaf = true;
	char *text = mem_alloc(FILLER + 1);
	memset(text, 'r', FILLER);
	text[FILLER] = '\0';
	send_values(stream, text, red, loop_now(scene->loop) + 200000);
	mem_free(text);
	scene_until(scene, scene->seen[0].closes == 1);
	assert_int_equal(server_counters(scene->server)->connections_open, 0);
}

/* No copies. */

/* Kept with every byte inverted, so that this is no copy itself. */
static const uint8_t marker[24] = { 'm' ^ 0xff, 'a' ^ 0xff, 'r' ^ 0xff, 'k' ^ 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
	12, 13, 14, 15, 16, 17, 18, 19, 20 };

static size_t count_marker(const uint8_t *bytes, size_t length)
{
	size_t found = 0;
	const uint8_t *end = bytes + length, *at = bytes;
	while ((at = memchr(at, marker[0] ^ 0xff, (size_t)(end - at)))) {
		size_t same = 0;
		while (same < sizeof marker && at + same < end && (at[same] ^ marker[same]) == 0xff)
			same++;
		found += same == sizeof marker;
		at++;
	}
	return found;
}

/* In all memory of this process that can be written to, but the shadow that sanitizers keep. */
static size_t copies_in_memory(void)
{
	static uint8_t chunk[1 << 16];
	char line[512];
	size_t found = 0;
	int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	FILE *maps = fopen("/proc/self/maps", "re");
	assert_true(memory >= 0 && maps);
	while (fgets(line, sizeof line, maps)) {
		unsigned long from, to;
		char mode[5];
		if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) != 3 || mode[0] != 'r' || mode[1] != 'w' ||
			to - from > 1UL << 30)
			continue;
		/* Chunks overlap, so that none is cut in two. */
		for (unsigned long at = from; at < to; at += sizeof chunk - sizeof marker) {
			if (at <= (unsigned long)chunk && (unsigned long)chunk < at + sizeof chunk)
				continue;
			ssize_t length = pread(memory, chunk, sizeof chunk, (off_t)at);
			if (length > 0)
				found += count_marker(chunk, (size_t)length);
			mem_wipe(chunk, sizeof chunk);
		}
	}
	fclose(maps);
	close(memory);
	return found;
}

static void send_marker(struct server_stream *stream, int64_t die_at)
{
	uint8_t *message = mem_alloc(sizeof marker);
	for (size_t i = 0; i < sizeof marker; i++)
		message[i] = marker[i] ^ 0xff;
	server_stream_send_values(stream, message, sizeof marker, red, die_at);
	mem_free(message);
}

static void leaves_no_copy_of_what_was_dropped(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = narrow_peer(scene, 8);
	struct server_stream *stream = open_stream(scene, peer);
	server_stream_send(stream, (const uint8_t *)"one", 3);
	send_marker(stream, NEVER);
	scene_until(scene, peer->responses[0].length == 8);
	assert_int_equal(copies_in_memory(), 1);
	assert_int_equal(server_drop(scene->server, red), 1);
	assert_int_equal(copies_in_memory(), 0);
}

static void leaves_no_copy_of_what_the_kernel_has(void **state)
{
	struct scene *scene = *state;
	struct peer *peer = deaf_peer(scene);
	struct server_stream *stream = open_stream(scene, peer);
	peer->deaf = true;
	send_marker(stream, NEVER);
	assert_int_equal(copies_in_memory(), 1);
	uint64_t written = server_counters(scene->server)->bytes_written;
	scene_until(scene, server_counters(scene->server)->bytes_written > written);
	assert_int_equal(copies_in_memory(), 0);
}

/* Another process sends it, so that whatever is found here is the server's. */
static void send_marker_and_stay(const struct scene *scene)
{
	char path[128];
	/* It ends with the test, however that ends. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	uint8_t frames[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
			   "\0\0\0\4\0\0\0\0\0"
			   "\0\0\x25\1\4\0\0\0\1"
			   "\x83\x87\4\x0b/test/Unary\1\1x\x0f\x10\x10"
			   "application/grpc"
			   "\0\0\x1d\0\1\0\0\0\1\0\0\0\0\x18........................";
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	SSL_CTX_use_certificate_chain_file(tls, scene_path(scene, "booking.crt", path));
	SSL_CTX_use_PrivateKey_file(tls, scene_path(scene, "booking.key", path), SSL_FILETYPE_PEM);
	SSL_CTX_set_alpn_protos(tls, (const uint8_t *)"\2h2", 3);
	SSL *ssl = SSL_new(tls);
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(scene->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		_exit(1);
	SSL_set_fd(ssl, fd);
	for (size_t i = 0; i < sizeof marker; i++)
		frames[sizeof frames - 1 - sizeof marker + i] = marker[i] ^ 0xff;
	if (SSL_connect(ssl) != 1 || SSL_write(ssl, frames, sizeof frames - 1) <= 0)
		_exit(1);
	pause();
}

static void leaves_no_copy_of_a_request(void **state)
{
	struct scene *scene = *state;
	pid_t child = fork();
	if (child == 0)
		send_marker_and_stay(scene);
	scene_until(scene, scene->seen_count == 1);
	assert_int_equal(scene->seen[0].length, sizeof marker);
	assert_int_equal(copies_in_memory(), 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

#define values_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		values_test(knows_what_a_peer_has_room_for),
		values_test(does_not_tell_who_did_not_ask),
		values_test(has_no_credit_while_the_socket_is_blocked),
		values_test(carries_all_through_a_blocked_socket),
		values_test(drops_what_has_not_begun_to_leave),
		values_test(drops_the_only_message_and_still_finishes),
		values_test(drops_on_every_stream_of_every_connection),
		values_test(resets_the_stream_when_some_has_left),
		values_test(does_not_drop_what_has_left),
		values_test(closes_the_connection_when_a_record_waits),
		values_test(resets_a_stream_that_is_blocked_too_long),
		values_test(does_not_send_what_is_dead_already),
		values_test(closes_the_connection_when_a_record_waits_too_long),
		values_test(leaves_no_copy_of_what_was_dropped),
		values_test(leaves_no_copy_of_what_the_kernel_has),
		values_test(leaves_no_copy_of_a_request),
	};
	signal(SIGPIPE, SIG_IGN);
	/* As the daemon does: OpenSSL decrypts into memory of its own. */
	if (tls_wipe_on_free() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
