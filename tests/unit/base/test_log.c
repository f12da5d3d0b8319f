#include "base/log.h"

#include "support/check.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

/* What one call of `write_lines` puts on standard error. */
static char *captured(void (*write_lines)(void))
{
	static char text[16384];
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	int saved = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	write_lines();
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[1]);
	size_t length = 0;
	ssize_t got;
	while ((got = read(ends[0], text + length, sizeof text - 1 - length)) > 0)
		length += (size_t)got;
	close(ends[0]);
	text[length] = '\0';
	return text;
}

/* Behind `2026-11-23T12:00:00.123Z `. */
#define TIME_LENGTH 25

static void write_each_level(void)
{
	log_error("database", "gone: %s", "refused");
	log_warning("tls", "%d days", 7);
	log_info("server", "ready");
	log_debug("loop", "turn");
}

static void test_levels(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_DEBUG);
	char *line = captured(write_each_level);
	static const char *const expected[] = {
		"error database gone: refused",
		"warning tls 7 days",
		"info server ready",
		"debug loop turn",
	};
	for (size_t i = 0; i < 4; i++) {
		char *end = strchr(line, '\n');
		assert_non_null(end);
		*end = '\0';
		assert_string_equal(line + TIME_LENGTH, expected[i]);
		line = end + 1;
	}
	assert_string_equal(line, "");

	log_set_level(LOG_LEVEL_ERROR);
	line = captured(write_each_level);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	assert_non_null(strstr(line, " error "));
	log_set_level(LOG_LEVEL_INFO);
	line = captured(write_each_level);
	assert_non_null(strstr(line, " info "));
	assert_null(strstr(line, " debug "));
}

static void write_one(void)
{
	log_info("server", "now");
}

static void test_time_is_utc(void **state)
{
	(void)state;
	setenv("TZ", "Asia/Tokyo", 1);
	tzset();
	time_t before = time(NULL);
	char *line = captured(write_one);
	time_t after = time(NULL);
	struct tm broken = { 0 };
	char *rest = strptime(line, "%Y-%m-%dT%H:%M:%S", &broken);
	assert_non_null(rest);
	time_t written = timegm(&broken);
	assert_in_range(written, before, after);
	int milliseconds, length = 0;
	assert_int_equal(sscanf(rest, ".%3dZ info server now\n%n", &milliseconds, &length), 1);
	assert_int_equal(length, strlen(rest));
	unsetenv("TZ");
	tzset();
}

static void write_hostile(void)
{
	log_info("server", "a\nb\r\x1b[31m\x7f\tc \xc2\x85\xc2\x9f \xc2\xa0 \xc3\xa9 %s", "\n2026 error forged");
}

static void test_no_text_forges_a_line(void **state)
{
	(void)state;
	char *line = captured(write_hostile);
	assert_string_equal(line + TIME_LENGTH,
		"info server a\\x0ab\\x0d\\x1b[31m\\x7f\\x09c \\xc2\\x85\\xc2\\x9f \xc2\xa0 \xc3\xa9 \\x0a2026 error "
		"forged\n");
}

static char long_text[5000];

static void write_long(void)
{
	log_info("server", "%s", long_text);
}

static void test_long_messages_are_cut(void **state)
{
	(void)state;
	memset(long_text, 'x', sizeof long_text - 1);
	char *line = captured(write_long);
	assert_in_range(strlen(line), 1000, 1200);
	assert_string_equal(line + strlen(line) - 5, "x...\n");
	/* Also when every byte is written as four. */
	memset(long_text, '\n', sizeof long_text - 1);
	line = captured(write_long);
	assert_in_range(strlen(line), 4000, 4096);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void test_process_name(void **state)
{
	(void)state;
	log_set_process("worker 1");
	assert_string_equal(captured(write_one) + TIME_LENGTH, "info [worker 1] server now\n");
	log_set_process("0123456789012345678901234567890123456789");
	assert_string_equal(captured(write_one) + TIME_LENGTH, "info [0123456789012345678901234567890] server now\n");
	log_set_process("");
	assert_string_equal(captured(write_one) + TIME_LENGTH, "info server now\n");
}

static void write_and_keep_errno(void)
{
	errno = ENOTTY;
	int closed = dup(STDERR_FILENO);
	close(STDERR_FILENO);
	log_error("server", "nobody hears this");
	assert_int_equal(errno, ENOTTY);
	dup2(closed, STDERR_FILENO);
	close(closed);
}

static void test_errno_survives(void **state)
{
	(void)state;
	assert_string_equal(captured(write_and_keep_errno), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_time_is_utc),
		cmocka_unit_test(test_no_text_forges_a_line),
		cmocka_unit_test(test_long_messages_are_cut),
		cmocka_unit_test(test_process_name),
		cmocka_unit_test(test_errno_survives),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
