#include "pure/pgbinary.h"

#include "support/check.h"

/* The expected bytes are what PostgreSQL's array_send() and timestamptz_send() answer for the same values. */
static void assert_array_is(const struct pg_array *array, const char *hex)
{
	uint8_t expected[512];
	size_t length = from_hex(hex, expected);
	assert_int_equal(array->bytes.length, length);
	assert_memory_equal(array->bytes.data, expected, length);
}

static void test_empty(void **state)
{
	(void)state;
	struct pg_array array;
	pg_array_init(&array, PG_TEXT, 1000);
	assert_array_is(&array,
		"00000001"
		"00000000"
		"00000019"
		"00000000"
		"00000001");
	assert_int_equal(array.count, 0);
	pg_array_release(&array);
	assert_null(array.bytes.data);
}

static void test_text_with_null(void **state)
{
	(void)state;
	struct pg_array array;
	pg_array_init(&array, PG_TEXT, 1000);
	assert_int_equal(pg_array_text(&array, "Zoë"), 0);
	assert_false(array.has_null);
	assert_int_equal(pg_array_text(&array, NULL), 0);
	assert_true(array.has_null);
	assert_int_equal(pg_array_text(&array, ""), 0);
	assert_int_equal(pg_array_bytes(&array, "xy", 2), 0);
	assert_int_equal(array.count, 4);
	assert_array_is(&array,
		"00000001"
		"00000001"
		"00000019"
		"00000004"
		"00000001"
		"00000004"
		"5a6fc3ab"
		"ffffffff"
		"00000000"
		"00000002"
		"7879");

	/* Cleared, it is as new, its memory kept. */
	uint8_t *memory = array.bytes.memory;
	pg_array_clear(&array);
	assert_ptr_equal(array.bytes.memory, memory);
	assert_int_equal(array.count, 0);
	assert_false(array.has_null);
	assert_array_is(&array,
		"00000001"
		"00000000"
		"00000019"
		"00000000"
		"00000001");
	pg_array_release(&array);
}

static void test_numbers_in_their_width(void **state)
{
	(void)state;
	static const struct {
		enum pg_type type;
		int64_t value;
		const char *hex;
	} cases[] = {
		{ PG_BOOL, 0,
			"0000000100000000000000100000000100000001"
			"0000000100" },
		{ PG_BOOL, 1,
			"0000000100000000000000100000000100000001"
			"0000000101" },
		{ PG_INT2, -2,
			"0000000100000000000000150000000100000001"
			"00000002fffe" },
		{ PG_INT2, INT16_MAX,
			"0000000100000000000000150000000100000001"
			"000000027fff" },
		{ PG_INT4, INT32_MIN,
			"0000000100000000000000170000000100000001"
			"0000000480000000" },
		{ PG_INT4, 258,
			"0000000100000000000000170000000100000001"
			"0000000400000102" },
		{ PG_INT8, INT64_MIN,
			"0000000100000000000000140000000100000001"
			"000000088000000000000000" },
		{ PG_INT8, 72623859790382856,
			"0000000100000000000000140000000100000001"
			"000000080102030405060708" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct pg_array array;
		pg_array_init(&array, cases[i].type, 100);
		assert_int_equal(pg_array_int(&array, cases[i].value), 0);
		assert_array_is(&array, cases[i].hex);
		pg_array_release(&array);
	}
}

static void test_bytes_uuids_and_times(void **state)
{
	(void)state;
	struct pg_array array;
	pg_array_init(&array, PG_BYTEA, 100);
	assert_int_equal(pg_array_bytes(&array, "\0\xff", 2), 0);
	assert_int_equal(pg_array_bytes(&array, NULL, 0), 0);
	assert_array_is(&array,
		"0000000100000000000000110000000200000001"
		"0000000200ff"
		"00000000");
	pg_array_release(&array);

	pg_array_init(&array, PG_UUID, 100);
	assert_int_equal(pg_array_bytes(&array, "0123456789abcdef", 16), 0);
	assert_int_equal(pg_array_null(&array), 0);
	assert_array_is(&array,
		"000000010000000100000b860000000200000001"
		"0000001030313233343536373839616263646566"
		"ffffffff");
	pg_array_release(&array);

	pg_array_init(&array, PG_TIMESTAMPTZ, 100);
	assert_int_equal(pg_array_time(&array, INT64_C(946684800000001)), 0);
	assert_int_equal(pg_array_time(&array, INT64_MAX), 0);
	assert_array_is(&array,
		"0000000100000000000004a00000000200000001"
		"000000080000000000000001"
		"000000087fffffffffffffff");
	pg_array_release(&array);
}

static void test_maximum_changes_nothing(void **state)
{
	(void)state;
	struct pg_array array;
	pg_array_init(&array, PG_TEXT, 20 + 4 + 3);
	assert_int_equal(pg_array_text(&array, "four"), -1);
	assert_int_equal(pg_array_text(&array, "abc"), 0);
	const char *whole = "0000000100000000000000190000000100000001"
			    "00000003616263";
	assert_array_is(&array, whole);
	assert_int_equal(pg_array_text(&array, ""), -1);
	assert_int_equal(pg_array_text(&array, NULL), -1);
	assert_int_equal(array.count, 1);
	assert_false(array.has_null);
	assert_array_is(&array, whole);
	pg_array_release(&array);

	/* PostgreSQL's lengths are signed. */
	pg_array_init(&array, PG_BYTEA, SIZE_MAX);
	assert_int_equal(pg_array_bytes(&array, "x", (size_t)INT32_MAX + 1), -1);
	assert_int_equal(array.count, 0);
	pg_array_release(&array);
}

static void test_times_reach_the_ends(void **state)
{
	(void)state;
	static const struct {
		int64_t ours;
		const char *hex;
	} cases[] = {
		{ INT64_C(946684800000000), "0000000000000000" },
		{ 0, "fffca2fec4c82000" }, /* 1970-01-01 */
		{ INT64_C(1795608000123456), "0003041755c8f240" },
		{ INT64_MAX, "7fffffffffffffff" },
		{ INT64_MIN, "8000000000000000" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t expected[8], bytes[8];
		from_hex(cases[i].hex, expected);
		pg_put_time(bytes, cases[i].ours);
		assert_memory_equal(bytes, expected, 8);
		assert_int_equal(pg_time((const char *)bytes, 8), cases[i].ours);
	}
	/* What we cannot say is as good as without end. */
	assert_int_equal(pg_time("\x7f\xff\xff\xff\xff\xff\xff\xfe", 8), INT64_MAX);
	uint8_t bytes[8];
	pg_put_time(bytes, INT64_MIN + 5);
	assert_memory_equal(bytes, "\x80\0\0\0\0\0\0\0", 8);
}

static void test_results(void **state)
{
	(void)state;
	assert_true(pg_bool("\1", 1));
	assert_false(pg_bool("\0", 1));
	assert_int_equal(pg_int("\xff\xfe", 2), -2);
	assert_int_equal(pg_int("\x7f\xff", 2), 32767);
	assert_int_equal(pg_int("\x80\0\0\0", 4), INT32_MIN);
	assert_int_equal(pg_int("\0\0\1\2", 4), 258);
	assert_true(pg_int("\x80\0\0\0\0\0\0\0", 8) == INT64_MIN);
	assert_true(pg_int("\x01\x02\x03\x04\x05\x06\x07\x08", 8) == 72623859790382856);
	uint8_t bytes[8];
	pg_put_int8(bytes, -1);
	assert_memory_equal(bytes, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
}

struct misuse {
	enum pg_type type;
	int64_t value;
};

static void put_int(void *argument)
{
	const struct misuse *misuse = argument;
	struct pg_array array;
	pg_array_init(&array, misuse->type, 100);
	pg_array_int(&array, misuse->value);
	pg_array_release(&array);
}

static void put_text_as_number(void *unused)
{
	(void)unused;
	struct pg_array array;
	pg_array_init(&array, PG_INT4, 100);
	pg_array_text(&array, "1");
}

static void put_short_uuid(void *unused)
{
	(void)unused;
	struct pg_array array;
	pg_array_init(&array, PG_UUID, 100);
	pg_array_bytes(&array, "1", 1);
}

static void read_bool_of_two(void *unused)
{
	(void)unused;
	pg_bool("\0\1", 2);
}

static void read_int_of_three(void *unused)
{
	(void)unused;
	pg_int("\0\0\1", 3);
}

static void read_time_of_four(void *unused)
{
	(void)unused;
	pg_time("\0\0\0\1", 4);
}

static void test_disagreement_ends_the_process(void **state)
{
	(void)state;
	assert_true(ends_process(put_int, &(struct misuse){ PG_INT2, 32768 }));
	assert_true(ends_process(put_int, &(struct misuse){ PG_INT4, INT64_C(1) << 31 }));
	assert_true(ends_process(put_int, &(struct misuse){ PG_BOOL, 2 }));
	assert_true(ends_process(put_int, &(struct misuse){ PG_TEXT, 1 }));
	assert_false(ends_process(put_int, &(struct misuse){ PG_INT8, 1 }));
	assert_true(ends_process(put_text_as_number, NULL));
	assert_true(ends_process(put_short_uuid, NULL));
	assert_true(ends_process(read_bool_of_two, NULL));
	assert_true(ends_process(read_int_of_three, NULL));
	assert_true(ends_process(read_time_of_four, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_text_with_null),
		cmocka_unit_test(test_numbers_in_their_width),
		cmocka_unit_test(test_bytes_uuids_and_times),
		cmocka_unit_test(test_maximum_changes_nothing),
		cmocka_unit_test(test_times_reach_the_ends),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_disagreement_ends_the_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
