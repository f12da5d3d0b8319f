#include "pure/erasure_line.h"

#include "support/check.h"

#include <stdio.h>
#include <string.h>

static const uint8_t secret[32] = "of this database", other[32] = "of another one";

static struct erasure_line line_of(const char *subject, uint8_t key)
{
	struct erasure_line line = { .recorded_at = INT64_C(1795478400123456),
		.forget_after = INT64_C(1953158400000000) };
	memset(line.request_key, key, sizeof line.request_key);
	snprintf(line.subject_id, sizeof line.subject_id, "%s", subject);
	return line;
}

static void a_line_is_read_as_it_was_written(void **state)
{
	char longest[ERASURE_SUBJECT_MAX + 1], text[ERASURE_LINE_MAX];
	(void)state;
	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	const char *subjects[] = { "C1", "Zoé", longest };
	for (size_t i = 0; i < 3; i++) {
		struct erasure_line line = line_of(subjects[i], 7), found;
		erasure_line_format(secret, &line, text);
		size_t length = strlen(text);
		assert_int_equal(text[length - 1], '\n');
		assert_null(strstr(text, subjects[i]));
		assert_int_equal(erasure_line_parse(secret, text, length - 1, &found), 0);
		assert_memory_equal(&found, &line, sizeof line);
		assert_int_equal(erasure_line_parse(other, text, length - 1, &found), -1);
	}
}

static void a_line_that_was_changed_or_cut_is_none(void **state)
{
	char text[ERASURE_LINE_MAX];
	struct erasure_line line = line_of("C000001", 1), found;
	(void)state;
	erasure_line_format(secret, &line, text);
	size_t length = strlen(text) - 1;
	for (size_t i = 0; i < length; i++) {
		char kept = text[i];
		text[i] = kept == '5' ? '6' : '5';
		assert_int_equal(erasure_line_parse(secret, text, length, &found), -1);
		text[i] = kept;
		assert_int_equal(erasure_line_parse(secret, text, i, &found), -1);
	}
	assert_int_equal(erasure_line_parse(secret, text, length, &found), 0);
}

/* The same nonce for different lines would tell their difference. */
static void no_nonce_serves_twice_for_different_lines(void **state)
{
	char first[ERASURE_LINE_MAX], second[ERASURE_LINE_MAX];
	struct erasure_line line = line_of("C1", 1), another = line_of("C1", 2);
	(void)state;
	erasure_line_format(secret, &line, first);
	erasure_line_format(secret, &line, second);
	assert_string_equal(first, second);
	erasure_line_format(secret, &another, second);
	assert_memory_not_equal(strchr(first, ' '), strchr(second, ' '), 17);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_read_as_it_was_written),
		cmocka_unit_test(a_line_that_was_changed_or_cut_is_none),
		cmocka_unit_test(no_nonce_serves_twice_for_different_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
