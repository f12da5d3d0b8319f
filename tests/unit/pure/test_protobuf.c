#include "pure/protobuf.h"

#include "support/check.h"

#include <needtoknow/v1/audit.pb-c.h>

/* What protobuf-c packs is read field by field. */
static void test_fields_of_a_message_are_walked(void **state)
{
	(void)state;
	Needtoknow__V1__Entry entry = NEEDTOKNOW__V1__ENTRY__INIT;
	uint8_t bytes[64], body[] = { 1, 2, 3 };
	entry.index = UINT64_C(1) << 40;
	entry.body = (ProtobufCBinaryData){ sizeof body, body };
	const uint8_t *at = bytes, *end = bytes + needtoknow__v1__entry__pack(&entry, bytes);
	struct protobuf_field field;

	assert_int_equal(protobuf_next(&at, end, &field), 1);
	assert_int_equal(field.number, 1);
	assert_int_equal(field.type, PROTOBUF_VARINT);
	assert_true(field.value == UINT64_C(1) << 40);
	assert_int_equal(protobuf_next(&at, end, &field), 1);
	assert_int_equal(field.number, 3);
	assert_int_equal(field.type, PROTOBUF_BYTES);
	assert_int_equal(field.length, sizeof body);
	assert_memory_equal(field.bytes, body, sizeof body);
	assert_int_equal(protobuf_next(&at, end, &field), 0);
}

static void test_fixed_widths_are_little_endian(void **state)
{
	(void)state;
	static const uint8_t bytes[] = { 1 << 3 | 5, 1, 2, 3, 4, 2 << 3 | 1, 1, 0, 0, 0, 0, 0, 0, 0x80 };
	const uint8_t *at = bytes, *end = bytes + sizeof bytes;
	struct protobuf_field field;

	assert_int_equal(protobuf_next(&at, end, &field), 1);
	assert_true(field.number == 1 && field.value == 0x04030201);
	assert_int_equal(protobuf_next(&at, end, &field), 1);
	assert_true(field.number == 2 && field.value == UINT64_C(0x8000000000000001));
	assert_int_equal(protobuf_next(&at, end, &field), 0);
}

static void test_what_is_no_message_is_refused(void **state)
{
	(void)state;
	static const struct {
		uint8_t bytes[16];
		size_t length;
	} cases[] = {
		{ { 0x08 }, 1 }, /* no value */
		{ { 0x08, 0x80 }, 2 }, /* half a varint */
		{ { 0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00 }, 12 }, /* too long a one */
		{ { 0x0A, 0x02, 'x' }, 3 }, /* longer than the message */
		{ { 0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01 }, 11 }, { { 0x0D, 1, 2, 3 }, 4 },
		{ { 0x09, 1, 2, 3, 4, 5, 6, 7 }, 8 }, { { 0x00, 0x01 }, 2 }, /* no field has the number 0 */
		{ { 0x0B }, 1 }, /* a group */
		{ { 0x0F }, 1 }, /* no type */
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const uint8_t *at = cases[i].bytes;
		struct protobuf_field field = { .number = 77 };
		assert_int_equal(protobuf_next(&at, cases[i].bytes + cases[i].length, &field), -1);
		assert_int_equal(field.number, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields_of_a_message_are_walked),
		cmocka_unit_test(test_fixed_widths_are_little_endian),
		cmocka_unit_test(test_what_is_no_message_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
