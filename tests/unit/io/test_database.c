/* The pipeline: segments in, results out. Against a real server. */
#include "database_scene.h"
#include "pure/pgbinary.h"
#include "support/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct database_fixture fixture;

static const struct statement one = { "one", "SELECT 'one'", 0 };
static const struct statement two = { "two", "SELECT 'two'", 0 };
static const struct statement divide = { "divide", "SELECT 1 / 0", 0 };
static const struct statement add = { "add",
	"SELECT (u.a + u.b)::text FROM unnest($1::int8[], $2::int8[]) WITH ORDINALITY AS u(a, b, ord) ORDER BY ord",
	2 };
static const struct statement echo = { "echo", "SELECT $1::text", 1 };

static int start(void **state)
{
	(void)state;
	database_fixture_start(&fixture);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	database_fixture_stop(&fixture);
	return 0;
}

static int open_scene(void **state)
{
	static struct scene scene;
	struct database_config config = scene_config(database_fixture_conninfo(&fixture, "options='-c work_mem=77MB'"));
	config.lock_timeout_ms = 50;
	config.statement_timeout_ms = 250;
	scene_open_up(&scene, &config);
	*state = &scene;
	return 0;
}

static int close_scene(void **state)
{
	struct scene *scene = *state;
	assert_int_equal(database_in_flight(scene->database), 0);
	scene_close(scene);
	return 0;
}

static void add_setting(struct scene *scene, const char *name)
{
	char text[128];
	snprintf(text, sizeof text, "SELECT current_setting('%s')", name);
	database_add_text(scene->database, text);
}

static void session_is_set_up(void **state)
{
	static const char *const expected[][2] = {
		{ "TimeZone", "UTC" },
		{ "DateStyle", "ISO, MDY" },
		{ "client_encoding", "UTF8" },
		{ "standard_conforming_strings", "on" },
		{ "lock_timeout", "50ms" },
		{ "statement_timeout", "250ms" },
		{ "idle_in_transaction_session_timeout", "5s" },
		{ "application_name", "needtoknow test" },
		{ "work_mem", "77MB" }, /* the connection string's own option has stayed */
		{ "plan_cache_mode", "auto" },
	};
	struct scene *scene = *state;
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		struct answer answer = { 0 };
		database_open(scene->database);
		add_setting(scene, expected[i][0]);
		scene_send(scene, &answer);
		scene_await(scene, &answer.calls, 1);
		assert_string_equal(answer.value, expected[i][1]);
	}
}

static void keyed_plans_never_scan(void **state)
{
	static const char *const expected[][2] = {
		{ "plan_cache_mode", "force_generic_plan" },
		{ "enable_seqscan", "off" },
		{ "enable_hashjoin", "off" },
		{ "enable_mergejoin", "off" },
		{ "jit", "off" },
	};
	struct scene scene;
	(void)state;
	struct database_config config = scene_config(database_fixture_conninfo(&fixture, "application_name=mine"));
	config.keyed_plans = true;
	scene_open_up(&scene, &config);
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		struct answer answer = { 0 };
		database_open(scene.database);
		add_setting(&scene, expected[i][0]);
		scene_send(&scene, &answer);
		scene_await(&scene, &answer.calls, 1);
		assert_string_equal(answer.value, expected[i][1]);
	}
	struct answer answer = { 0 };
	scene_text(&scene, &answer, "SELECT current_setting('application_name')");
	assert_string_equal(answer.value, "mine");
	scene_close(&scene);
}

static void arrays_go_and_rows_come(void **state)
{
	struct scene *scene = *state;
	struct answer answer = { 0 };
	struct pg_array left, right;
	pg_array_init(&left, PG_INT8, 1 << 20);
	pg_array_init(&right, PG_INT8, 1 << 20);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(pg_array_int(&left, i), 0);
		assert_int_equal(pg_array_int(&right, 41), 0);
	}
	const struct parameter parameters[] = {
		{ left.bytes.data, left.bytes.length },
		{ right.bytes.data, right.bytes.length },
	};
	database_open(scene->database);
	database_add(scene->database, &add, parameters);
	pg_array_release(&left); /* the bytes were copied */
	pg_array_release(&right);
	scene_send(scene, &answer);
	assert_int_equal(answer.calls, 0); /* never before the turn's end */
	scene_await(scene, &answer.calls, 1);
	assert_int_equal(answer.result, DATABASE_OK);
	assert_int_equal(answer.rows, 1000);
	assert_string_equal(answer.value, "41");
	assert_int_equal(answer.failed, -1);
	assert_string_equal(answer.sqlstate, "");
	assert_false(answer.warned);
}

static void null_and_empty_differ(void **state)
{
	struct scene *scene = *state;
	const struct statement is_null = { "is_null", "SELECT ($1::text IS NULL)::text", 1 };
	const struct parameter null = { NULL, 0 }, empty = { "", 0 };
	struct answer answers[2] = { 0 };
	database_open(scene->database);
	database_add(scene->database, &is_null, &null);
	scene_send(scene, &answers[0]);
	database_open(scene->database);
	database_add(scene->database, &is_null, &empty);
	scene_send(scene, &answers[1]);
	scene_await(scene, &answers[1].calls, 1);
	assert_string_equal(answers[0].value, "true");
	assert_string_equal(answers[1].value, "false");
}

static void error_ends_its_segment_alone(void **state)
{
	struct scene *scene = *state;
	struct answer before = { 0 }, guilty = { 0 }, after = { 0 };
	database_open(scene->database);
	database_add(scene->database, &one, NULL);
	scene_send(scene, &before);
	database_open(scene->database);
	database_add(scene->database, &one, NULL);
	database_add(scene->database, &two, NULL);
	database_add(scene->database, &divide, NULL);
	database_add(scene->database, &one, NULL);
	scene_send(scene, &guilty);
	database_open(scene->database);
	database_add(scene->database, &two, NULL);
	scene_send(scene, &after);
	assert_int_equal(database_in_flight(scene->database), 3);
	scene_await(scene, &after.calls, 1);
	assert_int_equal(before.result, DATABASE_OK);
	assert_string_equal(before.value, "one");
	assert_int_equal(guilty.result, DATABASE_FAILED);
	assert_string_equal(guilty.sqlstate, "22012");
	assert_string_equal(guilty.message, "division by zero");
	assert_int_equal(guilty.failed, 2);
	assert_int_equal(guilty.count, 2);
	assert_int_equal(after.result, DATABASE_OK);
	assert_string_equal(after.value, "two");
}

/* A segment that fails before it prepares a statement must not take later users of that statement along. */
static void statement_of_a_failed_segment_is_prepared_again(void **state)
{
	struct scene *scene = *state;
	struct answer first = { 0 }, same_turn = { 0 }, later = { 0 }, last = { 0 };
	const struct parameter parameter = { "hello", 5 };
	database_open(scene->database);
	database_add_text(scene->database, "SELECT 1 / 0");
	database_add(scene->database, &echo, &parameter);
	scene_send(scene, &first);
	database_open(scene->database);
	database_add(scene->database, &echo, &parameter);
	scene_send(scene, &same_turn);
	scene_await(scene, &same_turn.calls, 1);
	assert_int_equal(first.failed, 0);
	assert_int_equal(same_turn.result, DATABASE_OK);
	assert_string_equal(same_turn.value, "hello");
	database_open(scene->database);
	database_add(scene->database, &echo, &parameter);
	scene_send(scene, &later);
	scene_await(scene, &later.calls, 1);
	assert_string_equal(later.value, "hello");
	scene_text(scene, &last, "SELECT count(*)::text FROM pg_prepared_statements WHERE name = 'echo'");
	assert_string_equal(last.value, "1");
}

static void statement_that_cannot_be_prepared_is_tried_again(void **state)
{
	struct scene *scene = *state;
	const struct statement late = { "late", "SELECT a FROM late", 0 };
	struct answer answer = { 0 };
	scene_statement(scene, &answer, &late);
	assert_int_equal(answer.result, DATABASE_FAILED);
	assert_string_equal(answer.sqlstate, "42P01");
	assert_int_equal(answer.failed, 0);
	assert_int_equal(answer.count, 0);
	database_fixture_query(&fixture, "CREATE TABLE late AS SELECT 'now'::text AS a");
	scene_statement(scene, &answer, &late);
	assert_int_equal(answer.result, DATABASE_OK);
	assert_string_equal(answer.value, "now");
}

static void statements_are_prepared_once(void **state)
{
	struct scene *scene = *state;
	struct answer answer = { 0 };
	for (int i = 0; i < 5; i++) {
		database_open(scene->database);
		database_add(scene->database, &one, NULL);
		database_add(scene->database, &one, NULL);
		scene_send(scene, &answer);
		scene_await(scene, &answer.calls, 1);
		assert_int_equal(answer.count, 2);
	}
	scene_text(scene, &answer,
		"SELECT string_agg(name || ':' || generic_plans + custom_plans, ',') FROM pg_prepared_statements");
	assert_string_equal(answer.value, "one:10");
}

static void failed_transaction_stays_open_until_rollback(void **state)
{
	struct scene *scene = *state;
	struct answer begin = { 0 }, broken = { 0 }, ignored = { 0 }, rollback = { 0 }, fine = { 0 };
	database_open(scene->database);
	database_add_text(scene->database, "BEGIN");
	database_add(scene->database, &one, NULL);
	scene_send(scene, &begin);
	database_open(scene->database);
	database_add(scene->database, &divide, NULL);
	scene_send(scene, &broken);
	database_open(scene->database);
	database_add(scene->database, &two, NULL);
	scene_send(scene, &ignored);
	database_open(scene->database);
	database_add_text(scene->database, "ROLLBACK");
	scene_send(scene, &rollback);
	scene_await(scene, &rollback.calls, 1);
	assert_int_equal(begin.result, DATABASE_OK);
	assert_string_equal(broken.sqlstate, "22012");
	assert_string_equal(ignored.sqlstate, "25P02");
	assert_int_equal(rollback.result, DATABASE_OK);
	scene_statement(scene, &fine, &two);
	assert_string_equal(fine.value, "two");
}

static void commit_that_rolled_back_is_no_success(void **state)
{
	struct scene *scene = *state;
	struct answer broken = { 0 }, commit = { 0 };
	database_open(scene->database);
	database_add_text(scene->database, "BEGIN");
	database_add(scene->database, &divide, NULL);
	scene_send(scene, &broken);
	database_open(scene->database);
	database_add_text(scene->database, "COMMIT");
	scene_send(scene, &commit);
	scene_await(scene, &commit.calls, 1);
	assert_int_equal(commit.result, DATABASE_FAILED);
	assert_string_equal(commit.sqlstate, "25P02");
	assert_int_equal(commit.failed, 0);
	scene_text(scene, &commit, "COMMIT"); /* none open: a warning and "COMMIT" */
	assert_int_equal(commit.result, DATABASE_OK);
	assert_true(commit.warned);
}

/* A deferred constraint is checked when the Sync commits, after all statements were answered. */
static void implicit_commit_can_fail(void **state)
{
	struct scene *scene = *state;
	struct answer answer = { 0 }, after = { 0 };
	database_fixture_query(&fixture, "CREATE TABLE twin (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)");
	database_open(scene->database);
	database_add_text(scene->database, "INSERT INTO twin VALUES (1)");
	database_add_text(scene->database, "INSERT INTO twin VALUES (1)");
	scene_send(scene, &answer);
	database_open(scene->database);
	database_add(scene->database, &one, NULL);
	scene_send(scene, &after);
	scene_await(scene, &after.calls, 1);
	assert_int_equal(answer.result, DATABASE_FAILED);
	assert_string_equal(answer.sqlstate, "23505");
	assert_int_equal(answer.failed, 2);
	assert_int_equal(answer.count, 2);
	assert_int_equal(after.result, DATABASE_OK);
	assert_string_equal(database_fixture_query(&fixture, "SELECT count(*) FROM twin"), "0");
}

static void warnings_count_notices_do_not(void **state)
{
	struct scene *scene = *state;
	struct answer before = { 0 }, warned = { 0 }, noticed = { 0 };
	database_open(scene->database);
	database_add(scene->database, &one, NULL);
	scene_send(scene, &before);
	database_open(scene->database);
	database_add_text(scene->database, "DO $$ BEGIN RAISE WARNING 'careful'; END $$");
	scene_send(scene, &warned);
	database_open(scene->database);
	database_add_text(scene->database, "DO $$ BEGIN RAISE NOTICE 'by the way'; END $$");
	scene_send(scene, &noticed);
	scene_await(scene, &noticed.calls, 1);
	assert_false(before.warned);
	assert_true(warned.warned);
	assert_int_equal(warned.result, DATABASE_OK);
	assert_false(noticed.warned);
}

static void empty_segment_is_answered(void **state)
{
	struct scene *scene = *state;
	struct answer answer = { 0 };
	database_open(scene->database);
	scene_send(scene, &answer);
	scene_await(scene, &answer.calls, 1);
	assert_int_equal(answer.result, DATABASE_OK);
	assert_int_equal(answer.count, 0);
}

static struct answer chained;

static void send_another(struct scene *scene)
{
	database_open(scene->database);
	database_add(scene->database, &two, NULL);
	scene_send(scene, &chained);
}

static void callback_may_send(void **state)
{
	struct scene *scene = *state;
	struct answer answer = { .then = send_another };
	chained = (struct answer){ 0 };
	database_open(scene->database);
	database_add(scene->database, &one, NULL);
	scene_send(scene, &answer);
	scene_await(scene, &chained.calls, 1);
	assert_string_equal(chained.value, "two");
}

static void copy_is_refused(void **state)
{
	struct scene *scene = *state;
	struct answer answer = { 0 };
	scene_text(scene, &answer, "COPY (SELECT 1) TO STDOUT");
	assert_int_equal(answer.result, DATABASE_LOST);
	scene_await(scene, &scene->ups, 2);
}

/* More than the sockets hold, both ways at once: neither side may wait for the other. */
static void large_both_ways(void **state)
{
	struct scene *scene = *state;
	enum {
		SEGMENTS = 4
	};
	/* Valgrind looks at every byte, and the answers have their timeout. */
	const size_t size = patience() > 1 ? 2 << 20 : 24 << 20;
	char expected[24];
	snprintf(expected, sizeof expected, "%zu", size);
	struct answer answers[SEGMENTS] = { 0 };
	const struct statement back = { "back", "SELECT length($1::text)::text, $1::text", 1 };
	char *text = malloc(size);
	assert_non_null(text);
	memset(text, 'x', size);
	const struct parameter parameter = { text, size };
	scene_text(scene, &answers[0], "SET statement_timeout = 0");
	for (int i = 0; i < SEGMENTS; i++) {
		database_open(scene->database);
		database_add(scene->database, &back, &parameter);
		scene_send(scene, &answers[i]);
	}
	free(text);
	scene_await(scene, &answers[SEGMENTS - 1].calls, 1);
	for (int i = 0; i < SEGMENTS; i++) {
		assert_int_equal(answers[i].result, DATABASE_OK);
		assert_string_equal(answers[i].value, expected);
	}
}

static void ten_thousand_segments(void **state)
{
	enum {
		SEGMENTS = 10000
	};
	struct scene *scene = *state;
	struct answer *answers = calloc(SEGMENTS, sizeof *answers);
	assert_non_null(answers);
	for (int i = 0; i < SEGMENTS; i++) {
		char text[16];
		const struct parameter parameter = { text, (size_t)snprintf(text, sizeof text, "%d", i) };
		database_open(scene->database);
		database_add(scene->database, &echo, &parameter);
		if (i % 100 == 99)
			database_add(scene->database, &divide, NULL);
		database_add(scene->database, &echo, &parameter);
		scene_send(scene, &answers[i]);
	}
	assert_int_equal(database_in_flight(scene->database), SEGMENTS);
	scene_await(scene, &answers[SEGMENTS - 1].calls, 1);
	for (int i = 0; i < SEGMENTS; i++) {
		char text[16];
		snprintf(text, sizeof text, "%d", i);
		assert_int_equal(answers[i].calls, 1);
		assert_int_equal(answers[i].result, i % 100 == 99 ? DATABASE_FAILED : DATABASE_OK);
		assert_string_equal(answers[i].value, text);
	}
	struct answer answer = { 0 }; /* not one copy a segment: the server's memory */
	scene_text(scene, &answer, "SELECT count(*)::text FROM pg_prepared_statements");
	assert_string_equal(answer.value, "2");
	free(answers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(session_is_set_up, open_scene, close_scene),
		cmocka_unit_test(keyed_plans_never_scan),
		cmocka_unit_test_setup_teardown(arrays_go_and_rows_come, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(null_and_empty_differ, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(error_ends_its_segment_alone, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(
			statement_of_a_failed_segment_is_prepared_again, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(
			statement_that_cannot_be_prepared_is_tried_again, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(statements_are_prepared_once, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(failed_transaction_stays_open_until_rollback, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(commit_that_rolled_back_is_no_success, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(implicit_commit_can_fail, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(warnings_count_notices_do_not, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(empty_segment_is_answered, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(callback_may_send, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(copy_is_refused, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(large_both_ways, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(ten_thousand_segments, open_scene, close_scene),
	};
	return cmocka_run_group_tests_name("io/database", tests, start, stop);
}
