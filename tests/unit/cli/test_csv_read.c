/* Comma-separated values as spreadsheets write them, right and wrong. */
#include "cli/csv_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char text[512];
static struct csv_reader reader;
static struct csv_row row;

static const char *begin(const char *content)
{
	snprintf(text, sizeof text, "%s", content);
	return csv_reader_init(&reader, text, strlen(text));
}

/* The next row, its cells between bars; a cell in quotes has a star. */
static void expect(size_t line, const char *cells)
{
	char seen[512] = "";

	assert_null(csv_read(&reader, &row));
	for (size_t i = 0; i < row.count; i++) {
		strncat(seen, i > 0 ? "|" : "", sizeof seen - strlen(seen) - 1);
		strncat(seen, row.quoted[i] ? "*" : "", sizeof seen - strlen(seen) - 1);
		strncat(seen, row.cells[i], sizeof seen - strlen(seen) - 1);
	}
	assert_string_equal(seen, cells);
	assert_int_equal(row.line, line);
}

static void expect_end(void)
{
	assert_null(csv_read(&reader, &row));
	assert_int_equal(row.count, 0);
}

static void expect_wrong(const char *content, size_t line, const char *why)
{
	assert_null(begin(content));
	const char *wrong = NULL;
	do
		wrong = csv_read(&reader, &row);
	while (wrong == NULL && row.count > 0);
	assert_non_null(wrong);
	assert_non_null(strstr(wrong, why));
	assert_int_equal(row.line, line);
}

static void test_rows_are_what_they_say(void **state)
{
	(void)state;
	assert_null(begin("subject,value\r\nC1,\"a \"\"b\"\", c\"\r\nC2,\nC3,\"\"\n\n,\"two\nlines\"\nC4,é"));
	expect(1, "subject|value");
	expect(2, "C1|*a \"b\", c");
	expect(3, "C2|");
	expect(4, "C3|*");
	expect(6, "|*two\nlines");
	expect(8, "C4|é");
	expect_end();
	expect_end();
}

static void test_spreadsheets_have_their_ways(void **state)
{
	(void)state;
	assert_null(begin("\xEF\xBB\xBFsubject;purpose\r\nC1;\"a;b\"\r\nC,2;\r\n"));
	expect(1, "subject|purpose");
	expect(2, "C1|*a;b");
	expect(3, "C,2|");
	expect_end();
	assert_null(begin("a,b;c\n1,2"));
	expect(1, "a|b;c");
	expect(2, "1|2");
	assert_null(begin(""));
	expect_end();
	assert_null(begin("a\n'=1\n")); /* what csv.h put there stays */
	expect(1, "a");
	expect(2, "'=1");
}

static void test_what_is_broken_is_named_by_its_line(void **state)
{
	(void)state;
	expect_wrong("a,b\n1,\"2\n3,4\n", 2, "never closed");
	expect_wrong("a\n\"1\"2\n", 2, "follows a closing quote");
	expect_wrong("a\n\n1\"2\"\n", 3, "a quote stands");
	expect_wrong(",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\n", 1, "too many cells");
	assert_non_null(strstr(begin("a\n\xE9t\xE9\n"), "UTF-8")); /* Latin-1 */
	memcpy(text, "a\0b", 3);
	assert_non_null(strstr(csv_reader_init(&reader, text, 3), "NUL"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_what_they_say),
		cmocka_unit_test(test_spreadsheets_have_their_ways),
		cmocka_unit_test(test_what_is_broken_is_named_by_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
