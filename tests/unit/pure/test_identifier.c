#include "pure/identifier.h"

#include "support/check.h"

#define TEXT(literal) literal, sizeof(literal) - 1

static void test_utf8(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t length;
		bool valid;
	} cases[] = {
		{ TEXT(""), true }, { TEXT("plain"), true }, { TEXT("a\0b"), true }, { TEXT("\x7f"), true },
		{ TEXT("\xc2\x80"), true }, /* U+0080, the least of two */
		{ TEXT("\xdf\xbf"), true }, /* U+07FF */
		{ TEXT("\xe0\xa0\x80"), true }, /* U+0800 */
		{ TEXT("\xed\x9f\xbf"), true }, /* U+D7FF */
		{ TEXT("\xee\x80\x80"), true }, /* U+E000 */
		{ TEXT("\xef\xbf\xbf"), true }, /* U+FFFF */
		{ TEXT("\xf0\x90\x80\x80"), true }, /* U+10000 */
		{ TEXT("\xf4\x8f\xbf\xbf"), true }, /* U+10FFFF */
		{ TEXT("\x80"), false }, /* continuation alone */
		{ TEXT("\xbf"), false }, { TEXT("\xc0\x80"), false }, /* overlong NUL */
		{ TEXT("\xc0\xaf"), false }, /* overlong slash */
		{ TEXT("\xc1\xbf"), false }, { TEXT("\xe0\x80\xaf"), false }, { TEXT("\xe0\x9f\xbf"), false },
		{ TEXT("\xf0\x80\x80\xaf"), false }, { TEXT("\xf0\x8f\xbf\xbf"), false },
		{ TEXT("\xed\xa0\x80"), false }, /* U+D800 */
		{ TEXT("\xed\xbf\xbf"), false }, /* U+DFFF */
		{ TEXT("\xed\xa0\xbd\xed\xb8\x80"), false }, { TEXT("\xf4\x90\x80\x80"), false }, /* U+110000 */
		{ TEXT("\xf5\x80\x80\x80"), false }, { TEXT("\xf8\x88\x80\x80\x80"), false }, /* five bytes */
		{ TEXT("\xfc\x84\x80\x80\x80\x80"), false }, { TEXT("\xfe"), false }, { TEXT("\xff"), false },
		{ TEXT("\xc2"), false }, /* cut short */
		{ TEXT("\xe2\x82"), false }, { TEXT("\xf0\x9f\x98"), false }, { TEXT("a\xe2\x82"), false },
		{ TEXT("\xc2\x41"), false }, /* not continued */
		{ TEXT("\xe2\x82\x41"), false }, { TEXT("\xe2\x41\xac"), false }, { TEXT("\xf0\x9f\x98\xc0"), false },
		{ TEXT("caf\xe9"), false }, /* Latin-1 */
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (utf8_valid(cases[i].bytes, cases[i].length) != cases[i].valid)
			fail_msg("case %zu: %s", i, cases[i].bytes);
	assert_true(utf8_valid(NULL, 0));
}

/* Every code point, as Unicode's table 3-6 writes it. */
static void test_utf8_every_code_point(void **state)
{
	(void)state;
	for (uint32_t point = 0; point < 0x120000; point++) {
		uint8_t bytes[4];
		size_t length;
		if (point < 0x80) {
			length = 1;
			bytes[0] = (uint8_t)point;
		} else if (point < 0x800) {
			length = 2;
			bytes[0] = (uint8_t)(0xc0 | point >> 6);
		} else if (point < 0x10000) {
			length = 3;
			bytes[0] = (uint8_t)(0xe0 | point >> 12);
		} else {
			length = 4;
			bytes[0] = (uint8_t)(0xf0 | point >> 18);
		}
		for (size_t i = 1; i < length; i++)
			bytes[i] = (uint8_t)(0x80 | (point >> (6 * (length - 1 - i)) & 0x3f));
		bool expected = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
		assert_int_equal(utf8_valid(bytes, length), expected);
		bool control = point < 0x20 || (point >= 0x7f && point < 0xa0);
		assert_int_equal(identifier_valid((const char *)bytes, length), expected && !control);
	}
}

static void test_identifiers(void **state)
{
	(void)state;
	char text[200];
	memset(text, 'x', sizeof text);
	assert_false(identifier_valid("", 0));
	assert_true(identifier_valid(text, 1));
	assert_true(identifier_valid(text, IDENTIFIER_MAX));
	assert_false(identifier_valid(text, IDENTIFIER_MAX + 1));
	assert_true(identifier_valid(TEXT("C000001")));
	assert_true(identifier_valid(TEXT("with space / and ' \"quotes\"")));
	assert_true(identifier_valid(TEXT("Zo\xc3\xab \xf0\x9f\x98\x80")));
	assert_false(identifier_valid(TEXT("a\0b")));
	assert_false(identifier_valid(TEXT("a\n")));
	assert_false(identifier_valid(TEXT("\x1b[31m")));
	assert_false(identifier_valid(TEXT("a\x7f")));
	assert_false(identifier_valid(TEXT("a\xc2\x85")));
	assert_false(identifier_valid(TEXT("caf\xe9")));
}

static void test_uuid(void **state)
{
	(void)state;
	static const unsigned char uuid[16] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb,
		0xcc, 0xdd, 0xee, 0xff };
	static const char text[] = "00112233-4455-6677-8899-aabbccddeeff";
	char formatted[UUID_TEXT_LENGTH + 1];
	uuid_format(uuid, formatted);
	assert_string_equal(formatted, text);
	unsigned char parsed[16];
	assert_int_equal(uuid_parse(text, UUID_TEXT_LENGTH, parsed), 0);
	assert_memory_equal(parsed, uuid, 16);
}

static void test_uuid_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",
		"00112233445566778899aabbccddeeff",
		"00112233-4455-6677-8899-aabbccddeef",
		"00112233-4455-6677-8899-aabbccddeefff",
		"00112233-4455-6677-8899-AABBCCDDEEFF",
		"{00112233-4455-6677-8899-aabbccddee}",
		"00112233-4455-6677-8899_aabbccddeeff",
		"0011223-34455-6677-8899-aabbccddeeff",
		"00112233-4455-6677-8899-aabbccddeefg",
		"00112233-4455-6677-8899-aabbccddee/f",
		"00112233-4455-6677-8899-aabbccddee:f",
		"00112233-4455-6677-8899-aabbccddee`f",
	};
	unsigned char uuid[16] = { 0x5a };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(uuid_parse(cases[i], strlen(cases[i]), uuid), -1);
	assert_int_equal(uuid[0], 0x5a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_utf8_every_code_point),
		cmocka_unit_test(test_identifiers),
		cmocka_unit_test(test_uuid),
		cmocka_unit_test(test_uuid_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
