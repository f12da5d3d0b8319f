/* Many calls at once on one loop, against a server that is not ours and takes 20 streams a connection. */
#include "client/channel.h"
#include "io/tls.h"
#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define CALLS 500

static struct peer peer;
static struct loop *loop;
static struct channel *channel;
static int done, ok, messages;
static int last_code;
static struct channel_call *stream;

static int start(void **state)
{
	(void)state;
	return peer_start(&peer);
}

static int stop(void **state)
{
	(void)state;
	peer_stop(&peer);
	return 0;
}

static int open_channel(void **state)
{
	const struct tls_files files = { .certificate = peer.certificate, .key = peer.key, .ca = peer.ca };
	char error[256];
	SSL_CTX *tls = tls_client_new(&files, error, sizeof error);
	struct channel_config config = { .address = peer.address, .tls = tls };

	(void)state;
	assert_non_null(tls);
	loop = loop_new();
	channel = channel_new(loop, &config);
	assert_non_null(channel);
	SSL_CTX_free(tls);
	done = ok = messages = last_code = 0;
	return 0;
}

static int close_channel(void **state)
{
	(void)state;
	channel_free(channel);
	loop_free(loop);
	return 0;
}

static void on_done(void *context, const struct channel_reply *reply)
{
	const int *last = context;

	done++;
	ok += reply->status->code == NEEDTOKNOW_OK;
	last_code = reply->status->code;
	if (last_code != NEEDTOKNOW_OK)
		print_message("%s\n", reply->status->message);
	if (done == *last)
		loop_stop(loop);
}

static void on_echo(void *context, const struct channel_reply *reply)
{
	const char *expected = context;

	if (reply->length == strlen(expected))
		ok += memcmp(reply->message, expected, reply->length) == 0;
	if (++done == CALLS)
		loop_stop(loop);
}

static void test_many_calls_get_their_own_answers(void **state)
{
	static char texts[CALLS][16];

	(void)state;
	for (int i = 0; i < CALLS; i++) {
		snprintf(texts[i], sizeof texts[i], "call %d", i);
		channel_call(channel, "/test/Echo", texts[i], strlen(texts[i]), on_echo, texts[i]);
	}
	assert_int_equal(channel_open_calls(channel), CALLS);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(ok, CALLS);
	assert_int_equal(channel_open_calls(channel), 0);
}

/* Deadlines pass for those that wait for a place on the connection, too. */
static void test_deadlines_of_waiting_calls(void **state)
{
	static const int all = 60;

	(void)state;
	for (int i = 0; i < all; i++) {
		const struct channel_request request = { .path = "/test/Slow",
			.message = "2000",
			.length = 4,
			.timeout = 200000,
			.done = on_done,
			.context = (void *)(uintptr_t)&all };
		channel_start(channel, &request);
	}
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(done, all);
	assert_int_equal(ok, 0);
	assert_int_equal(last_code, NEEDTOKNOW_DEADLINE_EXCEEDED);
	assert_int_equal(channel_open_calls(channel), 0);
}

static void stop_third(void *context, const uint8_t *message, size_t length)
{
	(void)context;
	(void)message;
	(void)length;
	if (++messages < 3)
		return;
	channel_cancel(stream);
	loop_stop(loop);
}

static void test_cancel_from_a_message(void **state)
{
	static const int one = 1;
	const struct channel_request request = { .path = "/test/Count",
		.message = "1000",
		.length = 4,
		.on_message = stop_third,
		.done = on_done,
		.context = (void *)(uintptr_t)&one };

	(void)state;
	stream = channel_start(channel, &request);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(messages, 3);
	assert_int_equal(done, 0); /* not after channel_cancel() */
	/* The connection goes on. */
	channel_call(channel, "/test/Echo", "x", 1, on_done, (void *)(uintptr_t)&one);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(messages, 3);
	assert_int_equal(ok, 1);
}

static void count(void *context, const uint8_t *message, size_t length)
{
	char expected[16];

	(void)context;
	snprintf(expected, sizeof expected, "%d", messages++);
	assert_int_equal(length, strlen(expected));
	assert_memory_equal(message, expected, length);
}

static void test_whole_stream(void **state)
{
	static const int one = 1;
	const struct channel_request request = { .path = "/test/Count",
		.message = "2000",
		.length = 4,
		.on_message = count,
		.done = on_done,
		.context = (void *)(uintptr_t)&one };

	(void)state;
	channel_start(channel, &request);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(messages, 2000);
	assert_int_equal(ok, 1);
}

/* A graceful end of the server: of the calls before, during and after it, none is lost. */
static void test_goaway_loses_nothing(void **state)
{
	static const int all = 101;

	(void)state;
	channel_call(channel, "/test/Restart", "", 0, on_done, (void *)(uintptr_t)&all);
	for (int i = 0; i < 100; i++) {
		const struct channel_request request = { .path = "/test/Slow",
			.message = "40",
			.length = 2,
			.timeout = 20000000,
			.done = on_done,
			.context = (void *)(uintptr_t)&all };
		channel_start(channel, &request);
	}
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(ok, all);
}

/* Calls in every state are there when the channel goes. */
static void test_free_with_open_calls(void **state)
{
	static const int one = 1;
	const struct channel_request request = { .path = "/test/Slow",
		.message = "5000",
		.length = 4,
		.timeout = 60000000,
		.done = on_done,
		.context = (void *)(uintptr_t)&one };

	(void)state;
	for (int i = 0; i < 30; i++)
		channel_start(channel, &request);
	struct channel_call *waiting = channel_start(channel, &request);
	channel_call(channel, "/test/Echo", "x", 1, on_done, (void *)(uintptr_t)&one);
	channel_cancel(waiting);
	const struct channel_request quick = { .path = "/test/Slow",
		.message = "1",
		.length = 1,
		.timeout = 300000,
		.done = on_done,
		.context = (void *)(uintptr_t)&one };
	channel_start(channel, &quick);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(done, 1);
	assert_int_equal(channel_open_calls(channel), 31);
}

static void test_nobody_there(void **state)
{
	static const int two = 2;
	struct channel_config config = { .address = "127.0.0.1:1" };
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	(void)state;
	config.tls = tls;
	struct channel *nowhere = channel_new(loop, &config);
	SSL_CTX_free(tls);
	channel_call(nowhere, "/test/Echo", "x", 1, on_done, (void *)(uintptr_t)&two);
	channel_call(nowhere, "/test/Echo", "x", 1, on_done, (void *)(uintptr_t)&two);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(ok, 0);
	assert_int_equal(last_code, NEEDTOKNOW_UNAVAILABLE);
	/* The next attempt waits for the back-off, and fails as well. */
	done = 1;
	channel_call(nowhere, "/test/Echo", "x", 1, on_done, (void *)(uintptr_t)&two);
	int64_t begun = loop_now(loop);
	assert_int_equal(loop_run(loop), 0);
	assert_true(loop_now(loop) - begun >= 90000);
	assert_int_equal(done, 2);
	channel_free(nowhere);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_many_calls_get_their_own_answers, open_channel, close_channel),
		cmocka_unit_test_setup_teardown(test_deadlines_of_waiting_calls, open_channel, close_channel),
		cmocka_unit_test_setup_teardown(test_cancel_from_a_message, open_channel, close_channel),
		cmocka_unit_test_setup_teardown(test_whole_stream, open_channel, close_channel),
		cmocka_unit_test_setup_teardown(test_goaway_loses_nothing, open_channel, close_channel),
		cmocka_unit_test_setup_teardown(test_free_with_open_calls, open_channel, close_channel),
		cmocka_unit_test_setup_teardown(test_nobody_there, open_channel, close_channel),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
