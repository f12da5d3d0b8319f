#include "pure/source_select.h"
#include "support/check.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static const struct policy_source client = { "client", "share", "client", "subject_id", NULL };
static const struct policy_source booking = { "booking", "share", "booking", "booking_id", "subject_id" };

static void expect_select(const struct policy_source *source, enum key_type key_type, enum key_type subject_type,
	const struct policy_field *const *fields, size_t count, const char *expected)
{
	struct buffer out;
	buffer_init(&out, 4096);
	assert_int_equal(source_select(source, key_type, subject_type, fields, count, &out), 0);
	assert_string_equal((const char *)out.data, expected);
	assert_int_equal(out.length, strlen(expected) + 1);
	buffer_release(&out);
}

static void test_selects_the_columns_that_are_due_and_no_other(void **state)
{
	(void)state;
	const struct policy_field name = { "client.given_name", &client, "given_name" };
	const struct policy_field address = { "client.home_address", &client, "home_address" };
	expect_select(&client, KEY_TYPE_TEXT, KEY_TYPE_TEXT, (const struct policy_field *const[]){ &name, &address }, 2,
		"SELECT u.ord, v.* FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(key, subject, ord)"
		" CROSS JOIN LATERAL (SELECT v.\"given_name\"::text, v.\"home_address\"::text FROM "
		"\"share\".\"client\" AS v"
		" WHERE v.\"subject_id\" = u.key::text OFFSET 0) AS v");
}

static void test_without_columns_asks_only_whether_it_is_there(void **state)
{
	(void)state;
	expect_select(&client, KEY_TYPE_INT8, KEY_TYPE_TEXT, NULL, 0,
		"SELECT u.ord, v.* FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(key, subject, ord)"
		" CROSS JOIN LATERAL (SELECT  FROM \"share\".\"client\" AS v WHERE v.\"subject_id\" = u.key::int8 "
		"OFFSET 0) AS v");
}

static void test_a_booking_is_read_for_its_subject_alone(void **state)
{
	(void)state;
	const struct policy_field tasks = { "booking.tasks", &booking, "tasks" };
	expect_select(&booking, KEY_TYPE_UUID, KEY_TYPE_INT4, (const struct policy_field *const[]){ &tasks }, 1,
		"SELECT u.ord, v.* FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(key, subject, ord)"
		" CROSS JOIN LATERAL (SELECT v.\"tasks\"::text FROM \"share\".\"booking\" AS v"
		" WHERE v.\"booking_id\" = u.key::uuid AND v.\"subject_id\" = u.subject::int4 OFFSET 0) AS v");
}

static void test_whose_booking_it_is_reads_nothing_else(void **state)
{
	(void)state;
	struct buffer out;
	buffer_init(&out, 4096);
	assert_int_equal(source_owner_select(&booking, KEY_TYPE_TEXT, KEY_TYPE_INT2, &out), 0);
	assert_string_equal((const char *)out.data,
		"SELECT u.ord, v.* FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(key, subject, ord)"
		" CROSS JOIN LATERAL (SELECT coalesce(v.\"subject_id\" = u.subject::int2, false)::text FROM"
		" \"share\".\"booking\" AS v WHERE v.\"booking_id\" = u.key::text OFFSET 0) AS v");
	buffer_release(&out);
}

static void test_names_are_quoted(void **state)
{
	(void)state;
	const struct policy_source odd = { "odd", "sh\"are", "User", "k\" OR \"1\"=\"1", NULL };
	const struct policy_field field = { "odd.select", &odd, "select" };
	expect_select(&odd, KEY_TYPE_TEXT, KEY_TYPE_TEXT, (const struct policy_field *const[]){ &field }, 1,
		"SELECT u.ord, v.* FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(key, subject, ord)"
		" CROSS JOIN LATERAL (SELECT v.\"select\"::text FROM \"sh\"\"are\".\"User\" AS v"
		" WHERE v.\"k\"\" OR \"\"1\"\"=\"\"1\" = u.key::text OFFSET 0) AS v");
}

/* At every length that is too short for it. */
static void test_too_little_room_is_an_error(void **state)
{
	(void)state;
	const struct policy_field field = { "booking.ta\"sks", &booking, "ta\"sks" };
	const struct policy_field *const fields[] = { &field };
	struct buffer out;
	buffer_init(&out, 4096);
	assert_int_equal(source_select(&booking, KEY_TYPE_TEXT, KEY_TYPE_TEXT, fields, 1, &out), 0);
	size_t needed = out.length;
	buffer_release(&out);
	for (size_t maximum = 0; maximum <= needed; maximum++) {
		buffer_init(&out, maximum);
		int result = source_select(&booking, KEY_TYPE_TEXT, KEY_TYPE_TEXT, fields, 1, &out);
		assert_int_equal(result, maximum < needed ? -1 : 0);
		buffer_release(&out);
	}
	buffer_init(&out, 8);
	assert_int_equal(source_owner_select(&booking, KEY_TYPE_TEXT, KEY_TYPE_TEXT, &out), -1);
	buffer_release(&out);
}

static const struct key_case {
	enum key_type type;
	const char *text;
	bool accepted;
} key_cases[] = {
	{ KEY_TYPE_TEXT, "C000001", true },
	{ KEY_TYPE_TEXT, "Zoé; DROP TABLE", true },
	{ KEY_TYPE_TEXT, "", true },
	{ KEY_TYPE_INT2, "0", true },
	{ KEY_TYPE_INT2, "32767", true },
	{ KEY_TYPE_INT2, "32768", false },
	{ KEY_TYPE_INT2, "-32768", true },
	{ KEY_TYPE_INT2, "-32769", false },
	{ KEY_TYPE_INT4, "2147483647", true },
	{ KEY_TYPE_INT4, "2147483648", false },
	{ KEY_TYPE_INT4, "-2147483648", true },
	{ KEY_TYPE_INT4, "-2147483649", false },
	{ KEY_TYPE_INT8, "9223372036854775807", true },
	{ KEY_TYPE_INT8, "9223372036854775808", false },
	{ KEY_TYPE_INT8, "-9223372036854775808", true },
	{ KEY_TYPE_INT8, "-9223372036854775809", false },
	{ KEY_TYPE_INT8, "99999999999999999999", false },
	/* PostgreSQL reads these, as a number that has another name too. */
	{ KEY_TYPE_INT4, "007", false },
	{ KEY_TYPE_INT4, "+7", false },
	{ KEY_TYPE_INT4, " 7", false },
	{ KEY_TYPE_INT4, "7 ", false },
	{ KEY_TYPE_INT4, "-0", false },
	{ KEY_TYPE_INT4, "00", false },
	{ KEY_TYPE_INT4, "0x7", false },
	{ KEY_TYPE_INT4, "1_000", false },
	{ KEY_TYPE_INT4, "1.0", false },
	{ KEY_TYPE_INT4, "", false },
	{ KEY_TYPE_INT4, "-", false },
	{ KEY_TYPE_INT4, "C000001", false },
	{ KEY_TYPE_UUID, "123e4567-e89b-12d3-a456-426614174000", true },
	{ KEY_TYPE_UUID, "123E4567-E89B-12D3-A456-426614174000", false },
	{ KEY_TYPE_UUID, "{123e4567-e89b-12d3-a456-426614174000}", false },
	{ KEY_TYPE_UUID, "123e4567e89b12d3a456426614174000", false },
	{ KEY_TYPE_UUID, "", false },
};

static void test_a_key_has_one_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(key_cases); i++) {
		const struct key_case *test = &key_cases[i];
		if (key_type_accepts(test->type, test->text) != test->accepted)
			fail_msg("`%s` as %s", test->text, key_type_sql(test->type));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_selects_the_columns_that_are_due_and_no_other),
		cmocka_unit_test(test_without_columns_asks_only_whether_it_is_there),
		cmocka_unit_test(test_a_booking_is_read_for_its_subject_alone),
		cmocka_unit_test(test_whose_booking_it_is_reads_nothing_else),
		cmocka_unit_test(test_names_are_quoted),
		cmocka_unit_test(test_too_little_room_is_an_error),
		cmocka_unit_test(test_a_key_has_one_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
