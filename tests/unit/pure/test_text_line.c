#include "pure/text_line.h"

#include "support/check.h"

static void test_lines_in_turn(void **state)
{
	(void)state;
	static const char text[] = "one\n\nthree\nno line feed";
	const char *at = text, *end = text + strlen(text);
	static const char *const expected[] = { "one", "", "three" };
	struct text_line line;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(text_line_next(&at, end, &line), 0);
		assert_int_equal(line.length, strlen(expected[i]));
		assert_memory_equal(line.text, expected[i], line.length);
	}
	const char *rest = at;
	assert_int_equal(text_line_next(&at, end, &line), -1);
	assert_ptr_equal(at, rest);
	assert_memory_equal(line.text, "three", 5);
	/* Nothing behind the end is looked at. */
	assert_int_equal(text_line_next(&at, at, &line), -1);
	at = text;
	assert_int_equal(text_line_next(&at, text + 3, &line), -1);
}

static void test_decimal_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t value;
	} numbers[] = { { "0", 0 }, { "1", 1 }, { "10", 10 }, { "20852163", 20852163 },
		{ "18446744073709551615", UINT64_MAX }, { "9999999999999999999", UINT64_C(9999999999999999999) } };
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		uint64_t value = 99;
		assert_int_equal(text_decimal(numbers[i].text, strlen(numbers[i].text), &value), 0);
		assert_int_equal(value, numbers[i].value);
	}
	static const char *const others[] = { "", "00", "01", "-1", "+1", " 1", "1 ", "1a", "/", ":", "0x1", "1.0",
		"18446744073709551616", "18446744073709551620", "28446744073709551615", "99999999999999999999" };
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		uint64_t value = 99;
		assert_int_equal(text_decimal(others[i], strlen(others[i]), &value), -1);
		assert_int_equal(value, 99);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_in_turn),
		cmocka_unit_test(test_decimal_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
