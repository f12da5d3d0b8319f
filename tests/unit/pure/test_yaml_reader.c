/* What the policy's tests do not touch: numbers, and items without a key. Most of it is tested by tests/policy/bad. */
#include "pure/yaml_reader.h"
#include "support/check.h"

#include <stdio.h>

struct numbers {
	uint32_t one, two;
};
static const struct yaml_key keys[] = {
	{ "one", yaml_read_count, offsetof(struct numbers, one), true, "a number" },
	{ "two", yaml_read_count, offsetof(struct numbers, two), false, "a number" },
};
static const struct yaml_map map = { "the numbers", sizeof keys / sizeof *keys, keys };

/* "" when it was read. */
static const char *read_numbers(const char *text, struct numbers *out)
{
	static char message[600];
	struct yaml_reader reader = { .arena = arena_new(YAML_ARENA_MAX) };
	const struct yaml_value *root = yaml_tree_parse(text, strlen(text), reader.arena, &reader.error);
	message[0] = '\0';
	if (root == NULL || yaml_read_map(&reader, root, &map, out) != 0)
		snprintf(message, sizeof message, "%d:%d: %s", reader.error.line, reader.error.column,
			reader.error.message);
	arena_free(reader.arena);
	return message;
}

static void test_numbers(void **state)
{
	(void)state;
	struct numbers numbers = { .two = 7 };
	assert_string_equal(read_numbers("one: 4294967295", &numbers), "");
	assert_true(numbers.one == UINT32_MAX && numbers.two == 7); /* what is absent stays */
	assert_string_equal(read_numbers("{ two: 1, one: 2 }", &numbers), "");
	assert_true(numbers.one == 2 && numbers.two == 1);
}

static void test_what_is_no_number(void **state)
{
	(void)state;
	static const char *const bad[] = { "0", "00", "01", "-1", "+1", "4294967296", "99999999999", "1.0", "1e3",
		"0x10", "ten", "''", "'1'", "~", "[1]", "{ a: 1 }", "1 2" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char text[40];
		struct numbers numbers = { .one = 7 };
		snprintf(text, sizeof text, "one: %s", bad[i]);
		const char *message = read_numbers(text, &numbers);
		if (strncmp(message, "1:6: `one`: found ", 18) != 0 || numbers.one != 7)
			fail_msg("%s: %s", text, message);
	}
	struct numbers numbers;
	assert_string_equal(
		read_numbers("two: 1", &numbers), "1:1: the numbers needs `one`, which is missing; allowed: a number");
	assert_string_equal(
		read_numbers("{}", &numbers), "1:1: found nothing; allowed: the numbers, with the keys one, two");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_what_is_no_number),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
