#include "service/flights.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t one[16] = { 1 }, other[16] = { 2 };

static void forget_all(struct flights *flights)
{
	while (flights->all)
		flights_remove(flights, flights->all);
	assert_null(flights->firsts);
}

static void finds_each_release_of_each_disclosure(void **state)
{
	(void)state;
	struct flights flights = { 0 };
	assert_null(flights_find(&flights, one, 0));
	struct flight *first = flights_add(&flights, one, 0), *third = flights_add(&flights, one, 2);
	struct flight *of_other = flights_add(&flights, other, 0);
	assert_ptr_equal(flights_find(&flights, one, 0), first);
	assert_ptr_equal(flights_find(&flights, one, 2), third);
	assert_ptr_equal(flights_find(&flights, other, 0), of_other);
	assert_null(flights_find(&flights, one, 1));
	assert_null(flights_find(&flights, other, 2));
	forget_all(&flights);
}

static void knows_who_has_others_of_its_disclosure(void **state)
{
	(void)state;
	struct flights flights = { 0 };
	struct flight *first = flights_add(&flights, one, 0);
	flights_add(&flights, other, 0);
	assert_false(flights_has_others(&flights, first));
	struct flight *second = flights_add(&flights, one, 1);
	assert_true(flights_has_others(&flights, first));
	assert_true(flights_has_others(&flights, second));
	flights_remove(&flights, first);
	assert_false(flights_has_others(&flights, second));
	forget_all(&flights);
}

/* Whichever goes: the one that the others are found by, one in the middle, the last. */
static void keeps_the_others_when_one_goes(void **state)
{
	(void)state;
	for (int16_t gone = 0; gone < 4; gone++) {
		struct flights flights = { 0 };
		for (int16_t release = 0; release < 4; release++)
			flights_add(&flights, one, release);
		flights_remove(&flights, flights_find(&flights, one, gone));
		for (int16_t release = 0; release < 4; release++)
			assert_int_equal(flights_find(&flights, one, release) != NULL, release != gone);
		flights_add(&flights, one, gone);
		assert_non_null(flights_find(&flights, one, gone));
		forget_all(&flights);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_each_release_of_each_disclosure),
		cmocka_unit_test(knows_who_has_others_of_its_disclosure),
		cmocka_unit_test(keeps_the_others_when_one_goes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
