/* `needtoknow receive` against scripted streams of a server that is not ours: what people see, and what they must not.
 */
#include "../client/peer.h"
#include "run.h"

#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

static struct peer peer;
static struct ran ran;

#define HAS(text, words) assert_non_null(strstr(text, words))
#define LACKS(text, words) assert_null(strstr(text, words))

static int start(void **state)
{
	(void)state;
	if (peer_start(&peer) != 0)
		return -1;
	setenv("NEEDTOKNOW_ADDRESS", peer.address, 1);
	setenv("NEEDTOKNOW_CA", peer.ca, 1);
	setenv("NEEDTOKNOW_CERT", peer.certificate, 1);
	setenv("NEEDTOKNOW_KEY", peer.key, 1);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	peer_stop(&peer);
	return 0;
}

static void scenario(const char *text)
{
	struct needtoknow_options options = peer_options(&peer);
	struct needtoknow_status status;
	struct needtoknow_client *client = needtoknow_client_new(&options, &status);
	const uint8_t *answer;
	size_t length;

	assert_non_null(client);
	assert_int_equal(needtoknow_call_bytes(client, "/test/Scenario", (const uint8_t *)text, strlen(text), &answer,
				 &length, &status),
		0);
	needtoknow_client_free(client);
}

#define EVENTS                                                                                                         \
	"{\"streams\": [[{\"delivery\": \"d1\", \"disclosure\": \"D\", \"value\": \"Al\\u001b[31mice\"},"              \
	"{\"delivery\": \"d2\", \"disclosure\": \"E\", \"release\": \"entry\", \"expires_in\": 0.2},"                  \
	"{\"await\": \"acknowledged d2\"}, {\"withdrawal\": \"D\"}, {\"await\": \"confirmed D DELETED \"},"            \
	"{\"restriction\": \"Z\"}, {\"sleep\": 0.5}, {\"end\": 1}]]}"

static void test_for_people(void **state)
{
	(void)state;
	scenario(EVENTS);
	run(&ran, "receive", "--until-empty", NULL);
	assert_int_equal(ran.code, EXIT_OK);
	HAS(ran.out, "DELIVERY visit of home-cleaning for booking B1, disclosure D\n");
	HAS(ran.out,
		"client.given_name Al\\x1B[31mice\n"); /* no escape sequence from a database reaches the terminal */
	HAS(ran.out, "client.door_code  ******** (--show-sensitive shows it)\n");
	HAS(ran.out, "WITHDRAWAL booking B1, disclosure D: REVOKED, stop using it\n  1 delivery wiped from memory");
	HAS(ran.out, "CONFIRMED disclosure D: needtoknow has recorded its deletion\n");
	HAS(ran.out, "EXPIRED booking B1, disclosure E: its time is over, 1 delivery wiped from memory\n");
	HAS(ran.out, "RESTRICTION disclosure Z: keep it, do not use it");
	LACKS(ran.out, "4711");
	LACKS(ran.out, "\033");
	/* Standard error tells of the connection, never of a value. */
	assert_string_equal(ran.err, "needtoknow receive: connected\n");
}

static void test_sensitive_when_asked(void **state)
{
	(void)state;
	scenario("{\"streams\": [[{\"delivery\": \"d1\", \"disclosure\": \"D\"}, {\"end\": 1}]]}");
	run(&ran, "receive", "--until-empty", "--show-sensitive", NULL);
	assert_int_equal(ran.code, EXIT_OK);
	HAS(ran.out, "client.door_code  4711\n");
}

static void test_json(void **state)
{
	static const char *const events[] = { "delivery", "delivery", "withdrawal", "confirmed", "restriction",
		"expiry" };
	size_t count = 0;

	(void)state;
	scenario(EVENTS);
	run(&ran, "receive", "--until-empty", "--json", NULL);
	assert_int_equal(ran.code, EXIT_OK);
	LACKS(ran.out, "4711");
	HAS(ran.out, "\"value\":null,\"is_null\":false,\"sensitive\":true,\"masked\":true");
	run(&ran, "receive", "--until-empty", "--json", "--max-unacknowledged", "0", NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
	scenario(EVENTS);
	run(&ran, "receive", "--until-empty", "--json", "--show-sensitive", NULL);
	for (char *line = ran.out; *line != '\0'; count++) {
		char *end = strchr(line, '\n');
		assert_non_null(end);
		json_t *object = json_loadb(line, (size_t)(end - line), JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(object);
		assert_true(count < sizeof events / sizeof events[0]);
		assert_string_equal(json_string_value(json_object_get(object, "event")), events[count]);
		if (count == 1) {
			const json_t *field = json_array_get(json_object_get(object, "fields"), 1);
			assert_string_equal(json_string_value(json_object_get(field, "value")), "4711");
			assert_true(json_is_false(json_object_get(field, "masked")));
		}
		json_decref(object);
		line = end + 1;
	}
	assert_int_equal(count, sizeof events / sizeof events[0]);
}

/* A reader that is gone: what it did not get is not acknowledged, and the command ends. */
static void test_closed_pipe(void **state)
{
	char log[256];
	const uint8_t *answer;
	size_t length;
	int status = 0, ends[2];

	(void)state;
	scenario("{\"streams\": [[{\"delivery\": \"d1\", \"disclosure\": \"D\"}]]}");
	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		char *argv[] = { (char *)(uintptr_t) "needtoknow", (char *)(uintptr_t) "receive", NULL };
		signal(SIGPIPE, SIG_IGN);
		close(ends[0]);
		dup2(ends[1], STDOUT_FILENO);
		close(ends[1]);
		output_init();
		exit((int)cli_main(2, argv));
	}
	close(ends[0]);
	close(ends[1]);
	waitpid(pid, &status, 0);
	assert_int_equal(WEXITSTATUS(status), EXIT_FAILED);
	struct needtoknow_options options = peer_options(&peer);
	struct needtoknow_status why;
	struct needtoknow_client *client = needtoknow_client_new(&options, &why);
	assert_int_equal(needtoknow_call_bytes(client, "/test/Log", (const uint8_t *)"", 0, &answer, &length, &why), 0);
	snprintf(log, sizeof log, "%.*s", (int)length, (const char *)answer);
	needtoknow_client_free(client);
	assert_string_equal(log, "receive 0 False");
}

static void test_interrupted(void **state)
{
	int status = 0, ends[2];
	char text[512] = "";

	(void)state;
	scenario("{\"streams\": [[{\"delivery\": \"d1\", \"disclosure\": \"D\"}]]}");
	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		char *argv[] = { (char *)(uintptr_t) "needtoknow", (char *)(uintptr_t) "receive", NULL };
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		output_init();
		exit((int)cli_main(2, argv));
	}
	close(ends[1]);
	assert_true(read(ends[0], text, sizeof text - 1) > 0);
	HAS(text, "DELIVERY");
	kill(pid, SIGINT);
	waitpid(pid, &status, 0);
	close(ends[0]);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_OK);
}

static void test_refused(void **state)
{
	(void)state;
	scenario("{\"streams\": [[{\"fail\": 7}]]}");
	run(&ran, "receive", NULL);
	assert_int_equal(ran.code, EXIT_NOT_PERMITTED);
	HAS(ran.err, "PERMISSION_DENIED");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_for_people),
		cmocka_unit_test(test_sensitive_when_asked),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_closed_pipe),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
