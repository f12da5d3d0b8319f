/* Comma-separated values that a spreadsheet opens without running anything. */
#include "cli/csv.h"
#include "pure/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const one[] = { "a" };

static void expect_cell_of(char *const *texts, size_t count, const char *written)
{
	struct csv csv;
	char *out = NULL, expected[256];
	size_t length;
	FILE *file = open_memstream(&out, &length);

	csv_begin(&csv, file, one, 1);
	if (count == 1)
		csv_text(&csv, texts[0]);
	else
		csv_texts(&csv, texts, count);
	csv_end(&csv);
	fclose(file);
	snprintf(expected, sizeof expected, "a\r\n%s\r\n", written);
	assert_string_equal(out, expected);
	free(out);
}

static void expect_cell(const char *text, const char *written)
{
	char *texts[] = { (char *)(uintptr_t)text };

	expect_cell_of(texts, 1, written);
}

static void test_texts_are_quoted(void **state)
{
	(void)state;
	expect_cell("Ménage à domicile", "\"Ménage à domicile\"");
	expect_cell("a,b;c", "\"a,b;c\"");
	expect_cell("say \"when\"", "\"say \"\"when\"\"\"");
	expect_cell("", "");
	expect_cell(NULL, "");
	expect_cell("2+2", "\"2+2\"");
	expect_cell("O'Neill", "\"O'Neill\"");
}

static void test_no_text_is_a_formula(void **state)
{
	static const char *const starts[] = { "=", "+", "-", "@", "\uFF1D", "\uFF0B", "\uFF0D", "\uFF20", "\u2212",
		" =", "\u00A0=", "\uFEFF=", "\u200B+", " \u3000 @" };

	(void)state;
	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
		char text[64], written[128];
		snprintf(text, sizeof text, "%scmd|' /C calc'!A0", starts[i]);
		snprintf(written, sizeof written, "\"'%s\"", text);
		expect_cell(text, written);
	}
	expect_cell("=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\"");
}

static void test_no_texts_together_are_a_formula(void **state)
{
	char *texts[] = { (char *)(uintptr_t) "", (char *)(uintptr_t) " ", (char *)(uintptr_t) "=1",
		(char *)(uintptr_t) "a" };

	(void)state;
	expect_cell_of(texts, 4, "\"'   =1 a\"");
	expect_cell_of(texts, 2, "\"  \"");
	expect_cell_of(texts + 3, 1, "\"a\"");
}

static void test_no_text_begins_a_line(void **state)
{
	(void)state;
	expect_cell("\t=1", "\"'\\x09=1\"");
	expect_cell("\r=1", "\"'\\x0D=1\"");
	expect_cell("\n=1", "\"'\\n=1\"");
	expect_cell("a\r\n=1", "\"a\\x0D\\n=1\"");
	expect_cell("a\x7F"
		    "b\u202Ec",
		"\"a\\x7Fb\\xE2\\x80\\xAEc\"");
}

static void test_numbers_and_times_are_plain(void **state)
{
	static const char *const headings[] = { "number", "time", "none", "word", "bytes", "texts", "e", "f" };
	const uint8_t bytes[] = { 0x00, 0xAB };
	char *texts[] = { (char *)(uintptr_t) "client.email", (char *)(uintptr_t) "=x\"" };
	Google__Protobuf__Timestamp time;
	struct csv csv;
	char *out = NULL;
	size_t length;
	FILE *file = open_memstream(&out, &length);

	(void)state;
	time_to_timestamp(INT64_C(1700000000) * TIME_SECOND + 250000, &time);
	csv_begin(&csv, file, headings, sizeof headings / sizeof headings[0]);
	csv_number(&csv, UINT64_MAX);
	csv_time(&csv, &time);
	csv_time(&csv, NULL);
	csv_word(&csv, "DELIVERED");
	csv_bytes(&csv, bytes, sizeof bytes);
	csv_texts(&csv, texts, 2);
	csv_empty(&csv, 2);
	csv_end(&csv);
	fclose(file);
	assert_string_equal(out,
		"number,time,none,word,bytes,texts,e,f\r\n"
		"18446744073709551615,2023-11-14T22:13:20.250Z,,DELIVERED,00ab,\"client.email =x\"\"\",,\r\n");
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts_are_quoted),
		cmocka_unit_test(test_no_text_is_a_formula),
		cmocka_unit_test(test_no_texts_together_are_a_formula),
		cmocka_unit_test(test_no_text_begins_a_line),
		cmocka_unit_test(test_numbers_and_times_are_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
