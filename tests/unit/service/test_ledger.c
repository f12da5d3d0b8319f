#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/ledger.h"

#include <string.h>

static void test_packed_bodies(void **state)
{
	static const uint8_t packed[] = { 0, 3, 'a', 'b', 'c', 0, 0, 0, 1, 'd' };
	static const struct {
		const char *body;
		size_t length;
	} expected[] = { { "abc", 3 }, { "", 0 }, { "d", 1 } };
	size_t offset = 0, length;
	const uint8_t *body;
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(ledger_next_body(packed, sizeof packed, &offset, &body, &length), 0);
		assert_int_equal(length, expected[i].length);
		assert_memory_equal(body, expected[i].body, length);
	}
	assert_int_equal(ledger_next_body(packed, sizeof packed, &offset, &body, &length), -1);
}

/* Cut anywhere, no body reaches beyond the row. */
static void test_cut_short(void **state)
{
	static const uint8_t packed[] = { 0, 3, 'a', 'b', 'c', 0, 2, 'd', 'e' };
	(void)state;
	for (size_t size = 0; size < sizeof packed; size++) {
		size_t offset = 0, length, bodies = 0;
		const uint8_t *body;
		while (!ledger_next_body(packed, size, &offset, &body, &length)) {
			assert_true(body + length <= packed + size);
			bodies++;
		}
		assert_int_equal(bodies, size < 5 ? 0 : 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_packed_bodies), cmocka_unit_test(test_cut_short) };
	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
