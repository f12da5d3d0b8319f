/* The blocking client against a server that is not ours: Python's grpcio. */
#include "peer.h"

#include <needtoknow/client.h>
#include <needtoknow/methods.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

static struct peer peer;

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

static struct needtoknow_client *open_client(uint32_t call_timeout_ms)
{
	struct needtoknow_options options = peer_options(&peer);
	struct needtoknow_status status;

	options.call_timeout_ms = call_timeout_ms;
	struct needtoknow_client *client = needtoknow_client_new(&options, &status);
	assert_non_null(client);
	return client;
}

/* -1, or the answer's length; the answer as a string in `out`. */
static long call(struct needtoknow_client *client, const char *path, const char *request, char *out, size_t size,
	struct needtoknow_status *status)
{
	const uint8_t *answer;
	size_t length;

	if (needtoknow_call_bytes(client, path, (const uint8_t *)request, strlen(request), &answer, &length, status) !=
		0)
		return -1;
	if (out != NULL)
		snprintf(out, size, "%.*s", (int)length, length > 0 ? (const char *)answer : "");
	return (long)length;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void test_unary(void **state)
{
	struct needtoknow_client *client = open_client(0);
	struct needtoknow_status status;
	char answer[64];

	(void)state;
	for (int i = 0; i < 300; i++) {
		char request[32];
		snprintf(request, sizeof request, "hello %d", i);
		assert_true(call(client, "/test/Echo", request, answer, sizeof answer, &status) > 0);
		assert_string_equal(answer, request);
	}
	assert_int_equal(call(client, "/test/Echo", "", answer, sizeof answer, &status), 0);
	assert_int_equal(status.code, NEEDTOKNOW_OK);
	needtoknow_client_free(client);
}

/* Larger than a frame, a record, a flow-control window of HTTP/2's default, and than ours; and too large. */
static void test_sizes(void **state)
{
	struct needtoknow_client *client = open_client(0);
	struct needtoknow_status status;

	(void)state;
	assert_int_equal(call(client, "/test/Large", "20000", NULL, 0, &status), 20000);
	assert_int_equal(call(client, "/test/Large", "4194304", NULL, 0, &status), 4194304);
	assert_int_equal(call(client, "/test/Large", "4194305", NULL, 0, &status), -1);
	assert_int_equal(status.code, NEEDTOKNOW_RESOURCE_EXHAUSTED);
	assert_string_equal(status.reason, NEEDTOKNOW_REASON_BAD_ANSWER);

	size_t length = 3000000;
	uint8_t *request = malloc(length);
	const uint8_t *answer;
	size_t answer_length;
	for (size_t i = 0; i < length; i++)
		request[i] = (uint8_t)(i * 7);
	assert_int_equal(
		needtoknow_call_bytes(client, "/test/Echo", request, length, &answer, &answer_length, &status), 0);
	assert_int_equal(answer_length, length);
	assert_memory_equal(answer, request, length);
	free(request);
	needtoknow_client_free(client);
}

static void test_error_details(void **state)
{
	struct needtoknow_client *client = open_client(0);
	struct needtoknow_status status;

	(void)state;
	assert_int_equal(call(client, "/test/Fail", "9 the client's consent, dé façon 100%", NULL, 0, &status), -1);
	assert_int_equal(status.code, NEEDTOKNOW_FAILED_PRECONDITION);
	assert_string_equal(status.message, "the client's consent, dé façon 100%");
	assert_string_equal(status.reason, "CONSENT_MISSING");
	assert_int_equal(status.metadata_count, 1);
	assert_string_equal(needtoknow_status_metadata(&status, "ledger_index"), "17");
	assert_null(needtoknow_status_metadata(&status, "other"));
	assert_int_equal(call(client, "/test/None", "", NULL, 0, &status), -1);
	assert_int_equal(status.code, NEEDTOKNOW_UNIMPLEMENTED);
	needtoknow_client_free(client);
}

static void test_wrong_message(void **state)
{
	struct needtoknow_client *client = open_client(0);
	struct needtoknow_status status;
	const struct needtoknow_method echo = { "/test/Echo", needtoknow_method_share.request,
		needtoknow_method_get_policy.response };
	Needtoknow__V1__ShareRequest request = NEEDTOKNOW__V1__SHARE_REQUEST__INIT;

	(void)state;
	request.booking_id = (char *)(uintptr_t) "caf\xE9"; /* field 2 of the response is text too */
	assert_int_equal(needtoknow_call(client, &echo, &request.base, NULL, &status), -1);
	assert_int_equal(status.code, NEEDTOKNOW_INTERNAL);
	assert_string_equal(status.reason, NEEDTOKNOW_REASON_BAD_ANSWER);
	needtoknow_client_free(client);
}

static void test_deadline(void **state)
{
	struct needtoknow_client *client = open_client(300);
	struct needtoknow_status status;
	char answer[32];

	(void)state;
	assert_true(call(client, "/test/Slow", "1", answer, sizeof answer, &status) > 0);
	double told = strtod(answer, NULL);
	assert_true(told > 0.1 && told <= 0.3);
	double begun = seconds();
	assert_int_equal(call(client, "/test/Slow", "3000", NULL, 0, &status), -1);
	assert_int_equal(status.code, NEEDTOKNOW_DEADLINE_EXCEEDED);
	assert_true(seconds() - begun < 2);
	/* The connection is good after that. */
	assert_int_equal(call(client, "/test/Echo", "x", NULL, 0, &status), 1);
	needtoknow_client_free(client);
}

static void *interrupt_later(void *client)
{
	const struct timespec wait = { 0, 200000000 };

	nanosleep(&wait, NULL);
	needtoknow_client_interrupt(client);
	return NULL;
}

static void test_interrupt(void **state)
{
	struct needtoknow_client *client = open_client(0);
	struct needtoknow_status status;
	pthread_t thread;
	double begun = seconds();

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, interrupt_later, client), 0);
	assert_int_equal(call(client, "/test/Slow", "5000", NULL, 0, &status), -1);
	assert_int_equal(status.code, NEEDTOKNOW_CANCELLED);
	assert_true(seconds() - begun < 3);
	pthread_join(thread, NULL);
	assert_int_equal(call(client, "/test/Echo", "x", NULL, 0, &status), 1);
	needtoknow_client_free(client);
}

static void test_goaway(void **state)
{
	struct needtoknow_client *client = open_client(0);
	struct needtoknow_status status;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(call(client, "/test/Restart", "", NULL, 0, &status), 0);
		assert_true(call(client, "/test/Slow", "300", NULL, 0, &status) > 0); /* runs through GOAWAY */
		/* Where the port is closed for a moment, it says so and works later. */
		long length = -1;
		for (int attempt = 0; attempt < 50 && length < 0; attempt++)
			length = call(client, "/test/Echo", "x", NULL, 0, &status);
		assert_int_equal(length, 1);
	}
	needtoknow_client_free(client);
}

static void expect_failure(struct needtoknow_options options, int code, const char *reason, const char *words)
{
	struct needtoknow_status status;
	struct needtoknow_client *client = needtoknow_client_new(&options, &status);

	if (client != NULL)
		assert_int_equal(call(client, "/test/Echo", "x", NULL, 0, &status), -1);
	if (status.code != code)
		print_message("%s: %s\n", status.reason, status.message);
	assert_int_equal(status.code, code);
	assert_string_equal(status.reason, reason);
	assert_non_null(strstr(status.message, words));
	needtoknow_client_free(client);
}

static void test_trust(void **state)
{
	struct needtoknow_options options = peer_options(&peer);

	(void)state;
	options.ca = peer.other_ca;
	expect_failure(options, NEEDTOKNOW_UNAUTHENTICATED, NEEDTOKNOW_REASON_SERVER_NOT_TRUSTED, "not trusted");
	options.ca = peer.ca;
	options.server_name = "needtoknow.example";
	expect_failure(options, NEEDTOKNOW_UNAUTHENTICATED, NEEDTOKNOW_REASON_SERVER_NOT_TRUSTED, "needtoknow.example");
	options.server_name = NULL;
	options.certificate = peer.stranger;
	options.key = peer.stranger_key;
	/* grpcio sends no alert */
	expect_failure(options, NEEDTOKNOW_UNAVAILABLE, NEEDTOKNOW_REASON_CONNECTION_FAILED, "our certificate");
	options.key = peer.key;
	expect_failure(options, NEEDTOKNOW_INVALID_ARGUMENT, NEEDTOKNOW_REASON_BAD_CREDENTIALS, "client.key");
	options.certificate = "/nowhere/client.crt";
	expect_failure(options, NEEDTOKNOW_INVALID_ARGUMENT, NEEDTOKNOW_REASON_BAD_CREDENTIALS, "/nowhere/client.crt");
}

static void test_addresses(void **state)
{
	struct needtoknow_options options = peer_options(&peer);
	char localhost[64];
	struct needtoknow_status status;

	(void)state;
	options.address = "127.0.0.1:1";
	expect_failure(options, NEEDTOKNOW_UNAVAILABLE, NEEDTOKNOW_REASON_CONNECTION_FAILED, "Connection refused");
	options.address = "no-such-host.invalid:8443";
	expect_failure(options, NEEDTOKNOW_UNAVAILABLE, NEEDTOKNOW_REASON_CONNECTION_FAILED, "no-such-host.invalid");
	options.address = "127.0.0.1:";
	expect_failure(options, NEEDTOKNOW_INVALID_ARGUMENT, NEEDTOKNOW_REASON_BAD_ADDRESS, "127.0.0.1:");
	/* A name with several addresses, of which not all listen. */
	snprintf(localhost, sizeof localhost, "localhost%s", strchr(peer.address, ':'));
	options.address = localhost;
	struct needtoknow_client *client = needtoknow_client_new(&options, &status);
	assert_non_null(client);
	assert_int_equal(call(client, "/test/Echo", "x", NULL, 0, &status), 1);
	needtoknow_client_free(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unary),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_error_details),
		cmocka_unit_test(test_wrong_message),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_trust),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_goaway),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
