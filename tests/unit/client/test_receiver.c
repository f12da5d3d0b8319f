/* The receiver against scripted streams of a server that is not ours. */
#include "peer.h"

#include <needtoknow/receiver.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

static struct peer peer;

/* Everything that the receiver told, a line each. */
static char told[8192];
static struct needtoknow_receiver *receiver;
static int refusals; /* deliveries to refuse first */
static const char *stop_at; /* a line after which to stop */
static const char *retain; /* a disclosure whose copies a law keeps */

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
	size_t length = strlen(told);
	char line[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	snprintf(told + length, sizeof told - length, "%s\n", line);
	if (stop_at != NULL && strcmp(line, stop_at) == 0)
		needtoknow_receiver_stop(receiver);
}

static int on_delivery(void *context, const Needtoknow__V1__Delivery *delivery)
{
	(void)context;
	if (refusals > 0) {
		refusals--;
		note("refused %s", delivery->delivery_id);
		return -1;
	}
	note("delivery %s %s", delivery->delivery_id, delivery->fields[0]->value);
	return 0;
}

static void on_withdrawal(
	void *context, const Needtoknow__V1__Withdrawal *withdrawal, size_t wiped, struct needtoknow_deletion *deletion)
{
	char ground[] = "tax law";

	(void)context;
	note("withdrawal %s, %zu wiped", withdrawal->disclosure_id, wiped);
	if (retain == NULL || strcmp(retain, withdrawal->disclosure_id) != 0)
		return;
	static char kept[16];
	memcpy(kept, ground, sizeof ground);
	deletion->retained = 1;
	deletion->ground = kept;
	deletion->until = 2000000000;
}

static void on_expiry(void *context, const char *disclosure_id, const char *booking_id, size_t wiped)
{
	(void)context;
	note("expiry %s %s, %zu wiped", disclosure_id, booking_id, wiped);
}

static void on_restriction(void *context, const Needtoknow__V1__Restriction *restriction)
{
	(void)context;
	note("restriction %s", restriction->disclosure_id);
}

static void on_confirmed(void *context, const char *disclosure_id)
{
	(void)context;
	note("confirmed %s", disclosure_id);
}

static void on_connection(void *context, const struct needtoknow_status *why, uint32_t retry_ms)
{
	(void)context;
	if (why == NULL)
		note("connected");
	else
		note("down %s, %s", needtoknow_status_name(why->code), retry_ms <= 2000 ? "soon" : "late");
}

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

/* A method of /test, on a connection of its own; its answer in `out`. */
static void ask(const char *path, const char *request, char *out, size_t size)
{
	struct needtoknow_options options = peer_options(&peer);
	struct needtoknow_status status;
	struct needtoknow_client *client = needtoknow_client_new(&options, &status);
	const uint8_t *answer;
	size_t length;

	assert_non_null(client);
	assert_int_equal(needtoknow_call_bytes(
				 client, path, (const uint8_t *)request, strlen(request), &answer, &length, &status),
		0);
	if (out != NULL)
		snprintf(out, size, "%.*s", (int)length, length > 0 ? (const char *)answer : "");
	needtoknow_client_free(client);
}

static int reset(void **state)
{
	(void)state;
	told[0] = '\0';
	refusals = 0;
	stop_at = retain = NULL;
	return 0;
}

/* Plays a scenario until it ends or `until` was told. The receiver is left for the test to look at and to free. */
static int play(const char *scenario, struct needtoknow_receiver_options receiver_options, const char *until)
{
	const struct needtoknow_receiver_handler handler = { on_delivery, on_withdrawal, on_expiry, on_restriction,
		on_confirmed, on_connection, NULL };
	struct needtoknow_options options = peer_options(&peer);
	struct needtoknow_status status;

	ask("/test/Scenario", scenario, NULL, 0);
	stop_at = until;
	receiver_options.retry_ms = 20;
	receiver = needtoknow_receiver_new(&options, &receiver_options, &handler, &status);
	assert_non_null(receiver);
	if (needtoknow_receiver_run(receiver, &status) == 0)
		return 0;
	return status.code;
}

static void expect_log(const char *expected)
{
	char log[2048];

	ask("/test/Log", "", log, sizeof log);
	assert_string_equal(log, expected);
}

static void finish(void)
{
	needtoknow_receiver_free(receiver);
	receiver = NULL;
}

static void test_acknowledges_after_the_callback(void **state)
{
	(void)state;
	assert_int_equal(
		play("{\"streams\": [[{\"delivery\": \"d1\", \"disclosure\": \"D\"},"
		     "{\"delivery\": \"d2\", \"disclosure\": \"E\"}, {\"await\": \"acknowledged d2\"}, {\"end\": 1}]]}",
			(struct needtoknow_receiver_options){ .max_unacknowledged = 7, .until_empty = 1 }, NULL),
		0);
	assert_string_equal(told, "connected\ndelivery d1 Alice\ndelivery d2 Alice\n");
	expect_log("receive 7 True\nacknowledged d1\nacknowledged d2");
	finish();
}

/* What the server sent last is acknowledged even when the stream ends at once. */
static void test_pays_its_debts_before_it_returns(void **state)
{
	(void)state;
	assert_int_equal(play("{\"streams\": [[{\"delivery\": \"d1\", \"disclosure\": \"D\"}, {\"withdrawal\": \"E\"}, "
			      "{\"end\": 1}]]}",
				 (struct needtoknow_receiver_options){ .until_empty = 1 }, NULL),
		0);
	/* Two calls at once: the peer's threads take them in either order. */
	char log[2048];
	ask("/test/Log", "", log, sizeof log);
	assert_non_null(strstr(log, "acknowledged d1"));
	assert_non_null(strstr(log, "confirmed E DELETED"));
	finish();
}

static void test_refused_is_not_acknowledged(void **state)
{
	(void)state;
	refusals = 1;
	assert_int_equal(play("{\"streams\": [[{\"delivery\": \"d1\", \"disclosure\": \"D\"}, {\"delivery\": \"d2\", "
			      "\"disclosure\": \"D\"},"
			      "{\"delivery\": \"d1\", \"disclosure\": \"D\", \"cause\": \"REPEATED\"}, {\"end\": 1}]]}",
				 (struct needtoknow_receiver_options){ .until_empty = 1 }, NULL),
		0);
	assert_string_equal(told, "connected\nrefused d1\ndelivery d2 Alice\ndelivery d1 Alice\n");
	expect_log("receive 0 True\nacknowledged d2\nacknowledged d1");
	finish();
}

static void test_reconnects_and_loses_nothing(void **state)
{
	(void)state;
	/* The acknowledgement of d1 fails once; the server repeats d1 on the new stream, and the app is not told again.
	 */
	assert_int_equal(play("{\"refuse\": [\"d1\"], \"streams\": ["
			      "[{\"delivery\": \"d1\", \"disclosure\": \"D\"}, {\"fail\": 14}],"
			      "[{\"delivery\": \"d1\", \"disclosure\": \"D\", \"cause\": \"REPEATED\"},"
			      " {\"delivery\": \"d2\", \"disclosure\": \"D\"}, {\"await\": \"acknowledged d2\"}, "
			      "{\"fail\": 13}],"
			      "[{\"restriction\": \"Z\"}]]}",
				 (struct needtoknow_receiver_options){ 0 }, "restriction Z"),
		0);
	assert_string_equal(told,
		"connected\ndelivery d1 Alice\ndown UNAVAILABLE, soon\n"
		"delivery d2 Alice\ndown INTERNAL, soon\nrestriction Z\n");
	char log[2048];
	ask("/test/Log", "", log, sizeof log);
	assert_non_null(strstr(log, "acknowledged d1"));
	assert_non_null(strstr(log, "acknowledged d2"));
	finish();
}

static void test_permanent_failure_ends_it(void **state)
{
	(void)state;
	assert_int_equal(play("{\"streams\": [[{\"fail\": 7}]]}", (struct needtoknow_receiver_options){ 0 }, NULL),
		NEEDTOKNOW_PERMISSION_DENIED);
	assert_string_equal(told, "connected\n");
	finish();
}

/* Whoever waits until it is empty is told in the end that it could not be. */
static void test_until_empty_gives_up(void **state)
{
	(void)state;
	assert_int_equal(play("{\"streams\": [[{\"fail\": 14}], [{\"fail\": 14}], [{\"fail\": 14}], [{\"fail\": 14}], "
			      "[{\"end\": 1}]]}",
				 (struct needtoknow_receiver_options){ .until_empty = 1 }, NULL),
		NEEDTOKNOW_UNAVAILABLE);
	finish();
}

static int count_held(void *context, const Needtoknow__V1__Delivery *delivery)
{
	char *line = context;
	size_t length = strlen(line);

	snprintf(line + length, 256 - length, "%s=%s ", delivery->delivery_id, delivery->fields[0]->value);
	return 0;
}

static void test_holds_and_wipes(void **state)
{
	char held[256] = "";

	(void)state;
	/* d2 corrects d1; E is withdrawn; F expires; a withdrawal comes again before its confirmation was taken. */
	assert_int_equal(
		play("{\"confirm_after\": 0.5, \"streams\": [[{\"delivery\": \"d1\", \"disclosure\": \"D\"},"
		     "{\"delivery\": \"d2\", \"disclosure\": \"D\", \"cause\": \"CORRECTED\", \"value\": \"Alicia\"},"
		     "{\"delivery\": \"e1\", \"disclosure\": \"E\"}, {\"delivery\": \"e2\", \"disclosure\": \"E\", "
		     "\"release\": \"entry\"},"
		     "{\"delivery\": \"f1\", \"disclosure\": \"F\", \"expires_in\": 1.5}, {\"withdrawal\": \"E\"}, "
		     "{\"withdrawal\": \"E\"},"
		     "{\"sleep\": 1.8}, {\"restriction\": \"Z\"}]]}",
			(struct needtoknow_receiver_options){ .keep = 1 }, "restriction Z"),
		0);
	assert_string_equal(told,
		"connected\ndelivery d1 Alice\ndelivery d2 Alicia\ndelivery e1 Alice\ndelivery e2 Alice\n"
		"delivery f1 Alice\nwithdrawal E, 2 wiped\nconfirmed E\nexpiry F B1, 1 wiped\nrestriction Z\n");
	needtoknow_receiver_visit(receiver, count_held, held);
	assert_string_equal(held, "d2=Alicia ");
	finish();
}

static int time_held(void *context, const Needtoknow__V1__Delivery *delivery)
{
	char *line = context;
	size_t length = strlen(line);

	snprintf(line + length, 256 - length, "%s until %lld of %lld ", delivery->delivery_id,
		(long long)delivery->expires_at->seconds, (long long)delivery->ends_at->seconds);
	return 0;
}

/* A repeat that says nothing new is not given again; one after a move is, and its times hold for all of the disclosure.
 */
static void test_the_latest_times_hold(void **state)
{
	char held[256] = "";

	(void)state;
	assert_int_equal(
		play("{\"streams\": [["
		     "{\"delivery\": \"d1\", \"disclosure\": \"D\", \"ends_at\": 2000000000, \"expires_at\": "
		     "2000000100},"
		     "{\"delivery\": \"d2\", \"disclosure\": \"D\", \"release\": \"entry\", \"ends_at\": 2000000000, "
		     "\"expires_at\": 2000000100},"
		     "{\"delivery\": \"e1\", \"disclosure\": \"E\", \"ends_at\": 2000000000, \"expires_at\": "
		     "2000000100},"
		     "{\"await\": \"acknowledged e1\"},"
		     "{\"delivery\": \"d1\", \"disclosure\": \"D\", \"cause\": \"REPEATED\", \"ends_at\": 2000000000, "
		     "\"expires_at\": 2000000100},"
		     "{\"delivery\": \"d1\", \"disclosure\": \"D\", \"cause\": \"REPEATED\", \"ends_at\": 2000000500, "
		     "\"expires_at\": 2000000600},"
		     "{\"restriction\": \"Z\"}]]}",
			(struct needtoknow_receiver_options){ .keep = 1 }, "restriction Z"),
		0);
	assert_string_equal(told,
		"connected\ndelivery d1 Alice\ndelivery d2 Alice\ndelivery e1 Alice\ndelivery d1 Alice\nrestriction "
		"Z\n");
	needtoknow_receiver_visit(receiver, time_held, held);
	assert_string_equal(held,
		"d2 until 2000000600 of 2000000500 e1 until 2000000100 of 2000000000 "
		"d1 until 2000000600 of 2000000500 ");
	finish();
}

/* The app was away when the booking was moved: what it had to wipe comes again. */
static void test_wiped_too_early_comes_again(void **state)
{
	char held[256] = "";

	(void)state;
	assert_int_equal(
		play("{\"streams\": [["
		     "{\"delivery\": \"d1\", \"disclosure\": \"D\", \"ends_at\": 2000000000, \"expires_in\": 0.3}, "
		     "{\"sleep\": 0.6},"
		     "{\"delivery\": \"d1\", \"disclosure\": \"D\", \"cause\": \"REPEATED\", \"ends_at\": 2000000500, "
		     "\"expires_at\": 2000000600},"
		     "{\"restriction\": \"Z\"}]]}",
			(struct needtoknow_receiver_options){ .keep = 1 }, "restriction Z"),
		0);
	assert_string_equal(
		told, "connected\ndelivery d1 Alice\nexpiry D B1, 1 wiped\ndelivery d1 Alice\nrestriction Z\n");
	needtoknow_receiver_visit(receiver, time_held, held);
	assert_string_equal(held, "d1 until 2000000600 of 2000000500 ");
	finish();
}

/* Expiry is by the server's clock, not by ours. */
static void test_expires_by_the_servers_clock(void **state)
{
	(void)state;
	assert_int_equal(play("{\"ahead\": 86400, \"streams\": [["
			      "{\"delivery\": \"d1\", \"disclosure\": \"D\", \"expires_in\": 0.3}, {\"sleep\": 0.6}, "
			      "{\"restriction\": \"Z\"}]]}",
				 (struct needtoknow_receiver_options){ .keep = 1 }, "restriction Z"),
		0);
	assert_string_equal(told, "connected\ndelivery d1 Alice\nexpiry D B1, 1 wiped\nrestriction Z\n");
	finish();
}

/* GDPR art. 18: kept beyond its time, told once, and handed out to nobody. */
static void test_keeps_what_is_restricted(void **state)
{
	char held[512] = "";
	(void)state;
	assert_int_equal(play("{\"streams\": [["
			      "{\"delivery\": \"d1\", \"disclosure\": \"D\", \"expires_in\": 0.5}, "
			      "{\"await\": \"acknowledged d1\"}, {\"restriction\": \"D\"}, {\"restriction\": \"D\"}, "
			      "{\"sleep\": 1}, {\"restriction\": \"Z\"}]]}",
				 (struct needtoknow_receiver_options){ .keep = 1 }, "restriction Z"),
		0);
	assert_string_equal(told, "connected\ndelivery d1 Alice\nrestriction D\nrestriction Z\n");
	needtoknow_receiver_visit(receiver, time_held, held);
	assert_string_equal(held, "");
	finish();
}

static void test_retained_says_why(void **state)
{
	(void)state;
	retain = "E";
	assert_int_equal(play("{\"streams\": [[{\"withdrawal\": \"D\"}, {\"withdrawal\": \"E\"}]]}",
				 (struct needtoknow_receiver_options){ 0 }, "confirmed E"),
		0);
	expect_log("receive 0 False\nconfirmed D DELETED \nconfirmed E RETAINED tax law");
	finish();
}

/* One that the server does not accept is not in the way of the others. */
static void test_one_bad_confirmation(void **state)
{
	(void)state;
	assert_int_equal(
		play("{\"streams\": [[{\"withdrawal\": \"D\"}, {\"withdrawal\": \"never\"}, {\"withdrawal\": \"E\"}]]}",
			(struct needtoknow_receiver_options){ 0 }, "confirmed E"),
		0);
	assert_non_null(strstr(told, "confirmed D\n"));
	assert_null(strstr(told, "confirmed never\n"));
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_acknowledges_after_the_callback, reset),
		cmocka_unit_test_setup(test_pays_its_debts_before_it_returns, reset),
		cmocka_unit_test_setup(test_refused_is_not_acknowledged, reset),
		cmocka_unit_test_setup(test_reconnects_and_loses_nothing, reset),
		cmocka_unit_test_setup(test_permanent_failure_ends_it, reset),
		cmocka_unit_test_setup(test_until_empty_gives_up, reset),
		cmocka_unit_test_setup(test_holds_and_wipes, reset),
		cmocka_unit_test_setup(test_the_latest_times_hold, reset),
		cmocka_unit_test_setup(test_keeps_what_is_restricted, reset),
		cmocka_unit_test_setup(test_wiped_too_early_comes_again, reset),
		cmocka_unit_test_setup(test_expires_by_the_servers_clock, reset),
		cmocka_unit_test_setup(test_retained_says_why, reset),
		cmocka_unit_test_setup(test_one_bad_confirmation, reset),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
