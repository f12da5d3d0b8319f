#include "daemon/handover.h"
#include "support/check.h"

#include <errno.h>
#include <string.h>

static const struct handover full = {
	.listeners = { .count = 2, .sockets = { 7, 8 } },
	.monitor = 9,
	.elder_count = 3,
	.elders = { 1234, 1235, 4194304 },
	.leaving_count = 1,
	.leaving = { 1236 },
};

static void test_what_is_left_is_found_again(void **state)
{
	(void)state;
	struct handover read;
	char text[256];
	assert_int_equal(handover_write(&full, text, sizeof text), 0);
	assert_string_equal(text, "1 7,8 9 1234,1235,4194304 1236");
	assert_int_equal(handover_read(&read, text), 0);
	assert_int_equal(read.listeners.count, 2);
	assert_int_equal(read.listeners.sockets[1], 8);
	assert_int_equal(read.monitor, 9);
	assert_int_equal(read.elder_count, 3);
	assert_int_equal(read.elders[2], 4194304);
	assert_int_equal(read.leaving_count, 1);
	assert_int_equal(read.leaving[0], 1236);
}

static void test_there_may_be_no_monitor_and_no_worker(void **state)
{
	(void)state;
	struct handover left = full, read;
	char text[64];
	left.monitor = -1;
	left.elder_count = left.leaving_count = 0;
	assert_int_equal(handover_write(&left, text, sizeof text), 0);
	assert_string_equal(text, "1 7,8 - - -");
	assert_int_equal(handover_read(&read, text), 0);
	assert_int_equal(read.monitor, -1);
	assert_int_equal(read.elder_count, 0);
}

static void test_as_many_as_there_can_be_fit(void **state)
{
	(void)state;
	struct handover most = { .monitor = 1023 }, read;
	char text[4096];
	most.listeners.count = LISTENERS_MAX;
	for (int i = 0; i < LISTENERS_MAX; i++)
		most.listeners.sockets[i] = 1000000 + i;
	for (int i = 0; i < HANDOVER_ELDERS_MAX; i++) {
		assert_int_equal(handover_add(&most, 4194000 + i, false), 0);
		assert_int_equal(handover_add(&most, 4193000 + i, true), 0);
	}
	assert_int_equal(handover_add(&most, 1, false), -1);
	assert_int_equal(handover_add(&most, 1, true), -1);
	assert_int_equal(handover_write(&most, text, sizeof text), 0);
	assert_int_equal(handover_read(&read, text), 0);
	assert_int_equal(read.elders[HANDOVER_ELDERS_MAX - 1], 4194000 + HANDOVER_ELDERS_MAX - 1);
	assert_int_equal(read.leaving[HANDOVER_ELDERS_MAX - 1], 4193000 + HANDOVER_ELDERS_MAX - 1);
	assert_int_equal(handover_write(&most, text, 100), -1);
}

static void test_nothing_else_is_understood(void **state)
{
	static const char *const texts[] = { "", "1", "2 7 - - -", "1 - - - -", "1 7 - -", "1 7 - - - ", "1 7 8,9 - -",
		"1 7 - 5, -", "1 7 - - 5,", "1 7 - ,5 -", "1 x - - -", "1 7 - 99999999999 -", "1 -7 - - -", "1 7  - -",
		"1 7 - 5 6 7" };
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct handover read;
		if (handover_read(&read, texts[i]) == 0)
			fail_msg("`%s` was understood", texts[i]);
	}
	char many[4096] = "1 7 - - 1";
	for (int i = 0; i < HANDOVER_ELDERS_MAX; i++)
		memcpy(many + strlen(many), ",1", 3);
	struct handover read;
	assert_int_equal(handover_read(&read, many), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_left_is_found_again),
		cmocka_unit_test(test_there_may_be_no_monitor_and_no_worker),
		cmocka_unit_test(test_as_many_as_there_can_be_fit),
		cmocka_unit_test(test_nothing_else_is_understood),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
