/* needtoknowd migrate, against a real server. */
#include "daemon/migrate.h"
#include "daemon/migrate_text.h"
#include "database_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct database_fixture fixture;
static char *said, *complained; /* by the last run */

static const struct migration two[] = {
	{ 1, "first",
		"CREATE SCHEMA IF NOT EXISTS needtoknow;\nCREATE TABLE needtoknow.a (b text DEFAULT "
		"':\"state_role\"');\n"
		"GRANT USAGE ON SCHEMA needtoknow TO :\"state_role\"; GRANT SELECT ON needtoknow.a TO :\"state_role\", "
		":\"audit_role\";\n" },
	{ 2, "second", "INSERT INTO needtoknow.a DEFAULT VALUES;\n" },
};

static int start(void **state)
{
	(void)state;
	database_fixture_start(&fixture);
	database_fixture_query(&fixture,
		"CREATE ROLE needtoknow_state; CREATE ROLE needtoknow_source; CREATE ROLE needtoknow_audit;"
		"CREATE ROLE \"odd \"\"role\"; CREATE ROLE owner LOGIN");
	database_fixture_query(&fixture, "CREATE DATABASE clean OWNER owner");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	free(said);
	free(complained);
	database_fixture_stop(&fixture);
	return 0;
}

static int clean(void **state)
{
	(void)state;
	database_fixture_query(&fixture, "DROP SCHEMA IF EXISTS needtoknow CASCADE");
	return 0;
}

static int migrate(const struct migrate_roles *roles, const struct migration *list, int count)
{
	size_t said_size, complained_size;
	free(said);
	free(complained);
	FILE *out = open_memstream(&said, &said_size);
	FILE *errors = open_memstream(&complained, &complained_size);
	assert_true(out && errors);
	int status = migrate_apply(database_fixture_conninfo(&fixture, ""), roles, list, count, out, errors);
	fclose(out);
	fclose(errors);
	assert_int_equal(status == 0, complained[0] == '\0'); /* a failure says why, a success says nothing there */
	return status;
}

static const char *query(const char *sql)
{
	return database_fixture_query(&fixture, sql);
}

static void applies_in_order_and_once(void **state)
{
	(void)state;
	assert_int_equal(migrate(NULL, two, 1), 0);
	assert_non_null(strstr(said, "0001 first: applied"));
	assert_non_null(strstr(said, "at version 1"));
	assert_int_equal(migrate(NULL, two, 2), 0);
	assert_null(strstr(said, "0001 first"));
	assert_non_null(strstr(said, "0002 second: applied"));
	assert_int_equal(migrate(NULL, two, 2), 0);
	assert_non_null(strstr(said, "at version 2: nothing to do"));
	assert_string_equal(query("SELECT count(*) FROM needtoknow.a"), "1");
	assert_string_equal(query("SELECT string_agg(number || name, ' ' ORDER BY number) FROM needtoknow.migration"),
		"1first 2second");
	assert_string_equal(query("SELECT encode(digest, 'hex') = encode(sha256('INSERT INTO needtoknow.a DEFAULT "
				  "VALUES;\n'), 'hex') "
				  "FROM needtoknow.migration WHERE number = 2"),
		"t");
}

static void grants_go_to_the_roles_named(void **state)
{
	const struct migrate_roles roles = { .state = "odd \"role" };
	(void)state;
	assert_int_equal(migrate(&roles, two, 2), 0);
	assert_string_equal(query("SELECT has_table_privilege('odd \"role', 'needtoknow.a', 'SELECT')"), "t");
	assert_string_equal(query("SELECT has_table_privilege('needtoknow_audit', 'needtoknow.a', 'SELECT')"), "t");
	assert_string_equal(query("SELECT has_table_privilege('needtoknow_state', 'needtoknow.a', 'SELECT')"), "f");
	assert_string_equal(query("SELECT b FROM needtoknow.a"), ":\"state_role\""); /* a string stays */
	const struct migrate_roles nobody = { .state = "nobody there" };
	clean(NULL);
	assert_int_equal(migrate(&nobody, two, 2), -1);
	assert_non_null(strstr(complained, "role \"nobody there\" does not exist"));
}

static void failing_migration_leaves_nothing(void **state)
{
	const struct migration broken[] = { two[0],
		{ 2, "broken", "CREATE TABLE needtoknow.c (d text); SELECT 1 / 0;" } };
	const struct migration commits[] = { two[0], { 2, "commits", "COMMIT;" } };
	const struct migration misspelt[] = { two[0],
		{ 2, "misspelt", "SELECT 1;\nGRANT SELECT ON needtoknow.a TO :\"state_rule\";" } };
	(void)state;
	assert_int_equal(migrate(NULL, broken, 2), -1);
	assert_non_null(strstr(complained, "division by zero"));
	assert_non_null(strstr(complained, "0002 broken"));
	assert_string_equal(query("SELECT to_regclass('needtoknow.c') IS NULL"), "t");
	assert_int_equal(migrate(NULL, commits, 2), -1);
	assert_non_null(strstr(complained, "0002 commits"));
	assert_int_equal(migrate(NULL, misspelt, 2), -1);
	assert_non_null(strstr(complained, "line 2: :\"state_rule\""));
	assert_string_equal(query("SELECT max(number) FROM needtoknow.migration"), "1");
	assert_int_equal(migrate(NULL, two, 2), 0);
}

static void newer_schema_is_refused(void **state)
{
	(void)state;
	assert_int_equal(migrate(NULL, two, 2), 0);
	assert_int_equal(migrate(NULL, two, 1), -1);
	assert_non_null(strstr(complained, "at version 2"));
	assert_non_null(strstr(complained, "knows version 1"));
	assert_non_null(strstr(complained, "install"));
}

static void changed_migration_is_refused(void **state)
{
	const struct migration changed[] = { two[0],
		{ 2, "second", "INSERT INTO needtoknow.a DEFAULT VALUES; -- twice\n" } };
	(void)state;
	assert_int_equal(migrate(NULL, two, 2), 0);
	assert_int_equal(migrate(NULL, changed, 2), -1);
	assert_non_null(strstr(complained, "0002 second"));
	assert_non_null(strstr(complained, "another text"));
	query("DELETE FROM needtoknow.migration WHERE number = 1");
	assert_int_equal(migrate(NULL, two, 2), -1);
	assert_non_null(strstr(complained, "no line 1"));
}

/* Each would apply the first migration if it did not wait for the other. */
static void two_at_once_wait_for_each_other(void **state)
{
	enum {
		RUNS = 4
	};
	pid_t children[RUNS];
	const struct migration slow[] = { { 1, "slow",
		"SELECT pg_sleep(0.2); CREATE TABLE needtoknow.once (a int);" } };
	(void)state;
	for (int i = 0; i < RUNS; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0) {
			int status =
				migrate_apply(database_fixture_conninfo(&fixture, ""), NULL, slow, 1, stdout, stderr);
			fflush(stdout);
			_exit(status == 0 ? 0 : 1);
		}
	}
	for (int i = 0; i < RUNS; i++) {
		int status;
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	assert_string_equal(query("SELECT count(*) FROM needtoknow.migration"), "1");
}

static void no_connection_is_said(void **state)
{
	char *words;
	size_t size;
	(void)state;
	FILE *errors = open_memstream(&words, &size);
	assert_int_equal(migrate_apply("host=/nowhere", NULL, two, 2, stdout, errors), -1);
	fclose(errors);
	assert_non_null(strstr(words, "/nowhere"));
	free(words);
}

/* As an owner that is no superuser, in a database of its own. */
static void compiled_in_migrations_apply(void **state)
{
	char dsn[256];
	FILE *out = tmpfile();
	(void)state;
	assert_true(migration_count > 0);
	snprintf(dsn, sizeof dsn, "host=%s port=%d user=owner dbname=clean", fixture.directory, fixture.port);
	assert_int_equal(migrate_run(dsn, NULL, out, stderr), 0);
	assert_int_equal(migrate_run(dsn, NULL, out, stderr), 0);
	fclose(out);
}

static void only_code_is_substituted(void **state)
{
	static const struct placeholder placeholders[] = { { "x", "\"X\"" } };
	static const struct {
		const char *from, *to;
	} cases[] = {
		{ ":\"x\"", "\"X\"" },
		{ "a :\"x\", :\"x\";", "a \"X\", \"X\";" },
		{ "':\"x\"' :\"x\"", "':\"x\"' \"X\"" },
		{ "'it''s :\"x\"' :\"x\"", "'it''s :\"x\"' \"X\"" },
		{ "E'\\' :\"x\"' :\"x\"", "E'\\' :\"x\"' \"X\"" },
		{ "'\\' :\"x\"", "'\\' \"X\"" },
		{ "\":\"\"x\" :\"x\"", "\":\"\"x\" \"X\"" },
		{ "-- :\"x\"\n:\"x\"", "-- :\"x\"\n\"X\"" },
		{ "/* /* :\"x\" */ :\"x\" */ :\"x\"", "/* /* :\"x\" */ :\"x\" */ \"X\"" },
		{ "$$ :\"x\" ' $$ :\"x\"", "$$ :\"x\" ' $$ \"X\"" },
		{ "$a$ :\"x\" $$ $a$ :\"x\"", "$a$ :\"x\" $$ $a$ \"X\"" },
		{ "$1 :\"x\" a$b$ :\"x\"", "$1 \"X\" a$b$ \"X\"" },
		{ "a::\"x\"", "a::\"x\"" }, /* a cast */
		{ "'no end :\"x\"", "'no end :\"x\"" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buffer out;
		char error[128];
		buffer_init(&out, 4096);
		assert_int_equal(migrate_substitute(cases[i].from, placeholders, 1, &out, error, sizeof error), 0);
		assert_string_equal((char *)out.data, cases[i].to);
		buffer_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_code_is_substituted),
		cmocka_unit_test_setup(applies_in_order_and_once, clean),
		cmocka_unit_test_setup(grants_go_to_the_roles_named, clean),
		cmocka_unit_test_setup(failing_migration_leaves_nothing, clean),
		cmocka_unit_test_setup(newer_schema_is_refused, clean),
		cmocka_unit_test_setup(changed_migration_is_refused, clean),
		cmocka_unit_test_setup(two_at_once_wait_for_each_other, clean),
		cmocka_unit_test(no_connection_is_said),
		cmocka_unit_test(compiled_in_migrations_apply),
	};
	return cmocka_run_group_tests_name("daemon/migrate", tests, start, stop);
}
