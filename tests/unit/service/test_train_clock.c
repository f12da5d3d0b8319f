#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pure/time.h"
#include "service/train_clock.h"

#define START (INT64_C(1700000000) * TIME_SECOND)

/* Each row: what the database and our own steady clock say after the start, and whether a train may leave. */
static void test_p4_a_clock_that_steps_stops_the_trains(void **state)
{
	static const struct {
		int64_t database, recorded, local;
		int answer;
	} cases[] = {
		{ 0, 0, 0, 0 }, { 10 * TIME_SECOND, 0, 10 * TIME_SECOND, 0 },
		{ 9 * TIME_SECOND, 10 * TIME_SECOND, 11 * TIME_SECOND,
			0 }, /* back by a second: the head's time holds */
		{ 8 * TIME_SECOND, 10 * TIME_SECOND, 12 * TIME_SECOND, -1 }, /* by more */
		{ 13 * TIME_SECOND, 10 * TIME_SECOND, 13 * TIME_SECOND, 0 }, /* caught up */
		{ 73 * TIME_SECOND, 13 * TIME_SECOND, 13 * TIME_SECOND,
			0 }, /* a minute ahead: a fail-over's difference */
		{ 3673 * TIME_SECOND, 73 * TIME_SECOND, 14 * TIME_SECOND, -1 }, /* an hour: codes would go out early */
		{ 3700 * TIME_SECOND, 73 * TIME_SECOND, 41 * TIME_SECOND, -1 }, /* and it does not pass by waiting */
		{ 100 * TIME_SECOND, 73 * TIME_SECOND, 40 * TIME_SECOND, 0 }, /* put right */
	};
	struct train_clock clock = { 0 };
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(
			train_clock_check(&clock, START + cases[i].database, START + cases[i].recorded, cases[i].local),
			cases[i].answer);
		assert_int_equal(train_clock_wrong(&clock), cases[i].answer != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_p4_a_clock_that_steps_stops_the_trains) };
	return cmocka_run_group_tests_name("train_clock", tests, NULL, NULL);
}
