#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pure/delivery_id.h"

#include <string.h>

#define UUID "00112233-4455-6677-8899-aabbccddeeff"

static void test_round_trip(void **state)
{
	static const struct {
		int16_t release, serial;
		const char *text;
	} cases[] = {
		{ 0, 0, UUID "-0-0" },
		{ 15, 1, UUID "-15-1" },
		{ INT16_MAX, INT16_MAX, UUID "-32767-32767" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct delivery_key key = { .release = cases[i].release, .serial = cases[i].serial }, back;
		char text[DELIVERY_ID_MAX];
		for (unsigned byte = 0; byte < 16; byte++)
			key.disclosure[byte] = (uint8_t)(byte * 0x11);
		delivery_id_format(&key, text);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(delivery_id_parse(text, &back), 0);
		assert_memory_equal(back.disclosure, key.disclosure, 16);
		assert_int_equal(back.release, key.release);
		assert_int_equal(back.serial, key.serial);
	}
}

static void test_what_is_none_of_ours(void **state)
{
	static const char *const bad[] = { "", "x", UUID, UUID "-", UUID "-1", UUID "-1-", UUID "--1", UUID "-1-2-3",
		UUID "-01-2", UUID "-1-02", UUID "-+1-2", UUID "-1-32768", UUID "-99999999999-1", UUID "-1-2 ",
		UUID "_1-2", "0011223344556677-8899-aabbccddeeff-1-2", "00112233-4455-6677-8899-AABBCCDDEEFF-1-2" };
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct delivery_key key = { .release = 7, .serial = 9 };
		assert_int_equal(delivery_id_parse(bad[i], &key), -1);
		assert_int_equal(key.release, 7); /* untouched */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_what_is_none_of_ours) };
	return cmocka_run_group_tests_name("delivery_id", tests, NULL, NULL);
}
