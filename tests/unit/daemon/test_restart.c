#include "daemon/restart.h"
#include "support/check.h"

#define SECOND INT64_C(1000000)

static void test_the_delay_doubles_from_a_tenth_of_a_second_to_five_seconds(void **state)
{
	(void)state;
	const int64_t expected[] = { 100000, 200000, 400000, 800000, 1600000, 3200000, 5000000, 5000000 };
	struct restart restart = { 0 };
	int64_t now = 7 * SECOND;
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		assert_int_equal(restart_died(&restart, now, now + SECOND), expected[i]);
		now += SECOND + expected[i];
	}
}

static void test_a_long_life_is_forgiven(void **state)
{
	(void)state;
	struct restart restart = { 0 };
	for (int i = 0; i < 5; i++)
		restart_died(&restart, 0, SECOND);
	assert_int_equal(restart_died(&restart, 0, 30 * SECOND - 1), 3200000);
	assert_int_equal(restart_died(&restart, 0, 30 * SECOND), 100000);
	assert_int_equal(restart_died(&restart, 0, SECOND), 200000);
}

/* Ten deaths, `apart` from each other; `after` the last one. */
static bool hopeless(unsigned deaths, int64_t apart, int64_t after)
{
	struct restart restart = { 0 };
	int64_t died = 0;
	for (unsigned i = 0; i < deaths; i++) {
		died = 100 * SECOND + i * apart;
		restart_died(&restart, died, died);
	}
	return restart_is_hopeless(&restart, died + after);
}

static void test_ten_deaths_within_a_minute_are_hopeless(void **state)
{
	(void)state;
	assert_false(hopeless(0, SECOND, 0));
	assert_false(hopeless(9, SECOND, 0));
	assert_true(hopeless(10, SECOND, 0));
	assert_true(hopeless(10, SECOND, 51 * SECOND - 1));
	assert_false(hopeless(10, SECOND, 51 * SECOND));
	assert_true(hopeless(23, 6 * SECOND, 0));
	assert_false(hopeless(10, 7 * SECOND, 0));
	assert_false(hopeless(23, 7 * SECOND, 0));
}

/* Left alone, the delays themselves let ten deaths happen within a minute. */
static void test_a_worker_that_dies_at_once_becomes_hopeless(void **state)
{
	(void)state;
	struct restart restart = { 0 };
	int64_t now = 0;
	unsigned deaths = 0;
	while (!restart_is_hopeless(&restart, now)) {
		now += restart_died(&restart, now, now);
		assert_true(++deaths <= RESTART_DEATHS);
	}
	assert_int_equal(deaths, RESTART_DEATHS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_delay_doubles_from_a_tenth_of_a_second_to_five_seconds),
		cmocka_unit_test(test_a_long_life_is_forgiven),
		cmocka_unit_test(test_ten_deaths_within_a_minute_are_hopeless),
		cmocka_unit_test(test_a_worker_that_dies_at_once_becomes_hopeless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
