/* P3: no copy of a value stays in this process's memory once it was handed over. */
#include "base/memory.h"
#include "database_scene.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * Each of the server's values is MARK, then a number. This program writes the mark with every byte changed, so that it
 * finds the server's and not its own.
 */
#define VALUES 200
static const unsigned char changed_mark[] = { 'S' ^ 0x55, 'e' ^ 0x55, 'N' ^ 0x55, 't' ^ 0x55, 'I' ^ 0x55, 'n' ^ 0x55,
	'E' ^ 0x55, 'l' ^ 0x55 };
/* The server puts the mark together, so that the statement does not hold it either. */
#define MARK "chr(83) || 'eNtI' || 'nEl'"

static struct database_fixture fixture;

static int start(void **state)
{
	(void)state;
	database_fixture_start(&fixture);
	database_fixture_query(&fixture,
		"CREATE TABLE secret AS SELECT n, " MARK
		" || n || repeat('.', 40) AS value FROM generate_series(1, 200) AS n;"
		"CREATE TABLE large AS SELECT " MARK " || '1' || repeat(" MARK " || '2', 200000) AS value;"
		"CREATE ROLE visitor LOGIN PASSWORD 'open'; GRANT SELECT ON secret TO visitor;");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	database_fixture_stop(&fixture);
	return 0;
}

static int count_marks(const unsigned char *bytes, size_t length)
{
	const unsigned char *end = bytes + length;
	int found = 0;
	while ((bytes = memchr(bytes, changed_mark[0] ^ 0x55, (size_t)(end - bytes)))) {
		size_t same = 0;
		while (same < sizeof changed_mark && bytes + same < end && (bytes[same] ^ 0x55) == changed_mark[same])
			same++;
		found += same == sizeof changed_mark;
		bytes++;
	}
	return found;
}

/*
 * Looks through all of this process's writable memory, but for the buffer that it is read into, and the stack, where
 * the dynamic linker saves the vector registers with which memcpy() has just moved a value, until the next call there.
 */
static int marks_in_memory(void)
{
	static unsigned char chunk[1 << 16];
	int found = 0;
	char line[512];
	int memory = open("/proc/self/mem", O_RDONLY);
	FILE *maps = fopen("/proc/self/maps", "r");
	assert_true(memory >= 0 && maps);
	while (fgets(line, sizeof line, maps)) {
		unsigned long from, to;
		char access[8];
		if (sscanf(line, "%lx-%lx %7s", &from, &to, access) != 3 || access[0] != 'r' || access[1] != 'w')
			continue;
		if (to - from > 1UL << 32 || strstr(line, "[stack]")) /* so large is only the sanitizer's shadow */
			continue;
		size_t kept = 0; /* so that a mark across two chunks is seen */
		while (from < to) {
			size_t want = to - from < sizeof chunk - kept ? to - from : sizeof chunk - kept;
			ssize_t got = pread(memory, chunk + kept, want, (off_t)from);
			if (got <= 0)
				break;
			bool own = from < (unsigned long)(chunk + sizeof chunk) &&
				from + (unsigned long)got > (unsigned long)chunk;
			if (!own)
				found += count_marks(chunk, kept + (size_t)got);
			size_t total = kept + (size_t)got;
			kept = total < sizeof changed_mark - 1 ? total : sizeof changed_mark - 1;
			memmove(chunk, chunk + total - kept, kept);
			from += (unsigned long)got;
		}
	}
	mem_wipe(chunk, sizeof chunk);
	fclose(maps);
	close(memory);
	return found;
}

static int marks_while_open;

static void count_now(struct scene *scene)
{
	(void)scene;
	marks_while_open = marks_in_memory();
}

static const struct statement values = { "values", "SELECT value FROM secret ORDER BY n", 0 };

/* Sends one statement, and looks for values while its results are there. */
static void read_values(struct scene *scene, struct answer *answer, const struct statement *statement)
{
	*answer = (struct answer){ .then = count_now };
	marks_while_open = 0;
	scene_statement(scene, answer, statement);
	mem_wipe(answer->value, sizeof answer->value);
}

static void open_scene(struct scene *scene, const char *conninfo, bool wipe)
{
	struct database_config config = scene_config(conninfo);
	config.wipe = wipe;
	config.answer_timeout_ms = 1500;
	scene_open_up(scene, &config);
}

static void without_wiping_they_stay(void **state)
{
	struct scene scene;
	struct answer answer;
	(void)state;
	open_scene(&scene, database_fixture_conninfo(&fixture, ""), false);
	read_values(&scene, &answer, &values);
	assert_true(marks_in_memory() >= VALUES); /* else this test looks in the wrong places */
	scene_close(&scene);
}

static void values_are_gone_once_handed_over(void **state)
{
	struct scene scene;
	struct answer answer;
	(void)state;
	open_scene(&scene, database_fixture_conninfo(&fixture, ""), true);
	for (int i = 0; i < 3; i++) {
		read_values(&scene, &answer, &values);
		assert_int_equal(answer.rows, VALUES);
		assert_in_range(marks_while_open, VALUES, 3 * VALUES);
		assert_int_equal(marks_in_memory(), 0);
	}
	scene_close(&scene);
	assert_int_equal(marks_in_memory(), 0);
}

static void values_are_gone_over_tls(void **state)
{
	char conninfo[256];
	struct scene scene;
	struct answer answer;
	(void)state;
	snprintf(conninfo, sizeof conninfo,
		"host=localhost hostaddr=127.0.0.1 port=%d user=visitor password=open dbname=postgres sslmode=require",
		fixture.port);
	open_scene(&scene, conninfo, true);
	read_values(&scene, &answer, &values);
	assert_int_equal(answer.rows, VALUES);
	assert_in_range(marks_while_open, VALUES, 3 * VALUES);
	assert_int_equal(marks_in_memory(), 0);
	scene_close(&scene);
	assert_int_equal(marks_in_memory(), 0);
}

/* One message larger than libpq's buffer, which has to grow for it. */
static void large_value_is_gone(void **state)
{
	const struct statement large = { "large", "SELECT value FROM large", 0 };
	struct scene scene;
	struct answer answer;
	(void)state;
	open_scene(&scene, database_fixture_conninfo(&fixture, ""), true);
	read_values(&scene, &answer, &large);
	assert_true(marks_while_open > 200000);
	assert_int_equal(marks_in_memory(), 0);
	read_values(&scene, &answer, &values);
	assert_int_equal(answer.rows, VALUES);
	assert_int_equal(marks_in_memory(), 0);
	scene_close(&scene);
}

static void parameters_are_gone_once_sent(void **state)
{
	const struct statement size = { "size", "SELECT length($1::text)::text", 1 };
	enum {
		SIZE = 3 << 20
	};
	struct scene scene;
	struct answer answer = { 0 };
	(void)state;
	open_scene(&scene, database_fixture_conninfo(&fixture, ""), true);
	unsigned char *text = malloc(SIZE);
	assert_non_null(text);
	for (size_t i = 0; i < SIZE; i++)
		text[i] = changed_mark[i % sizeof changed_mark] ^ 0x55;
	const struct parameter parameter = { text, SIZE };
	database_open(scene.database);
	database_add(scene.database, &size, &parameter);
	mem_wipe(text, SIZE);
	free(text);
	assert_true(marks_in_memory() > 0);
	scene_send(&scene, &answer);
	scene_await(&scene, &answer.calls, 1);
	assert_string_equal(answer.value, "3145728");
	assert_int_equal(marks_in_memory(), 0);
	scene_close(&scene);
}

static void error_that_quotes_a_value_is_withheld(void **state)
{
	const struct statement number = { "number", "SELECT value::int8 FROM secret", 0 };
	struct scene scene;
	struct answer answer;
	(void)state;
	open_scene(&scene, database_fixture_conninfo(&fixture, ""), true);
	read_values(&scene, &answer, &number);
	assert_int_equal(answer.result, DATABASE_FAILED);
	assert_string_equal(answer.sqlstate, "22P02");
	assert_string_equal(answer.message, "withheld, since it may quote personal data");
	assert_int_equal(marks_while_open, 0);
	assert_int_equal(marks_in_memory(), 0);
	scene_text(&scene, &answer, "SELECT nothing");
	assert_string_equal(answer.message, "column \"nothing\" does not exist");
	scene_close(&scene);
}

/* The connection is given up while some rows are there and others are not. */
static void half_a_result_is_gone(void **state)
{
	const struct statement slow = { "slow", "SELECT value, pg_sleep(n / 20000.0) FROM secret ORDER BY n", 0 };
	struct scene scene;
	struct answer answer = { 0 };
	(void)state;
	open_scene(&scene, database_fixture_conninfo(&fixture, ""), true);
	database_open(scene.database);
	database_add(scene.database, &values, NULL);
	database_add(scene.database, &slow, NULL);
	database_add_text(scene.database, "SELECT pg_sleep(60)");
	scene_send(&scene, &answer);
	scene_await(&scene, &answer.calls, 1);
	assert_int_equal(answer.result, DATABASE_LOST);
	assert_int_equal(answer.count, 0);
	assert_int_equal(marks_in_memory(), 0);
	scene_close(&scene);
}

static void library_fits(void **state)
{
	char error[256] = "";
	(void)state;
	assert_int_equal(database_check_library(error, sizeof error), 0);
	assert_string_equal(error, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(library_fits),
		cmocka_unit_test(values_are_gone_once_handed_over),
		cmocka_unit_test(values_are_gone_over_tls),
		cmocka_unit_test(large_value_is_gone),
		cmocka_unit_test(parameters_are_gone_once_sent),
		cmocka_unit_test(error_that_quotes_a_value_is_withheld),
		cmocka_unit_test(half_a_result_is_gone),
		/* Last, since it leaves them behind. */
		cmocka_unit_test(without_wiping_they_stay),
	};
	return cmocka_run_group_tests_name("io/database_wipe", tests, start, stop);
}
