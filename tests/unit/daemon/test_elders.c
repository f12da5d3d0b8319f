#include "daemon/elders.h"
#include "support/check.h"

#include <signal.h>

#define PATIENCE 100

static struct elders three(void)
{
	struct elders elders;
	elders_init(&elders, &(struct handover){ .elder_count = 3, .elders = { 11, 12, 13 } }, 0, PATIENCE);
	return elders;
}

static void expect(struct elders *elders, unsigned serving, unsigned workers, int64_t now, pid_t pid, int number)
{
	struct elders_order order = elders_next(elders, serving, workers, now, PATIENCE);
	assert_int_equal(order.pid, pid);
	assert_int_equal(order.number, number);
}

static void test_nobody_goes_before_a_new_one_serves(void **state)
{
	(void)state;
	struct elders elders = three();
	expect(&elders, 0, 3, 1, 0, 0);
	assert_int_equal(elders_serving(&elders), 3);
}

static void test_they_go_one_by_one_as_the_new_ones_come(void **state)
{
	(void)state;
	struct elders elders = three();
	expect(&elders, 1, 3, 1, 11, SIGTERM);
	expect(&elders, 3, 3, 2, 0, 0); /* 11 drains still */
	assert_int_equal(elders_serving(&elders), 2);
	assert_int_equal(elders_alive(&elders), 3);
	assert_true(elders_ended(&elders, 11));
	expect(&elders, 1, 3, 3, 0, 0); /* one serves: as many as have gone */
	expect(&elders, 2, 3, 4, 12, SIGTERM);
	assert_true(elders_ended(&elders, 12));
	expect(&elders, 3, 3, 5, 13, SIGTERM);
	assert_true(elders_ended(&elders, 13));
	assert_int_equal(elders_alive(&elders), 0);
	expect(&elders, 3, 3, 6, 0, 0);
	assert_false(elders_ended(&elders, 13));
}

static void test_fewer_new_ones_relieve_all(void **state)
{
	(void)state;
	struct elders elders = three();
	for (pid_t pid = 11; pid <= 13; pid++) {
		expect(&elders, 1, 1, pid, pid, SIGTERM);
		assert_true(elders_ended(&elders, pid));
	}
}

static void test_one_that_does_not_end_is_killed_once(void **state)
{
	(void)state;
	struct elders elders = three();
	expect(&elders, 3, 3, 1, 11, SIGTERM);
	expect(&elders, 3, 3, PATIENCE, 0, 0);
	expect(&elders, 3, 3, 1 + PATIENCE, 11, SIGKILL);
	expect(&elders, 3, 3, 2 + PATIENCE, 0, 0);
	assert_true(elders_ended(&elders, 11));
	expect(&elders, 3, 3, 3 + PATIENCE, 12, SIGTERM);
}

static void test_one_that_died_by_itself_counts_as_gone(void **state)
{
	(void)state;
	struct elders elders = three();
	assert_true(elders_ended(&elders, 12));
	assert_false(elders_ended(&elders, 99));
	expect(&elders, 1, 3, 1, 0, 0);
	expect(&elders, 2, 3, 1, 11, SIGTERM);
}

static void test_who_was_told_before_the_handover_serves_nobody(void **state)
{
	(void)state;
	const struct handover handover = {
		.elder_count = 1, .elders = { 11 }, .leaving_count = 2, .leaving = { 21, 22 }
	};
	struct elders elders;
	elders_init(&elders, &handover, 5, PATIENCE);
	assert_int_equal(elders_serving(&elders), 1);
	assert_int_equal(elders_alive(&elders), 3);
	expect(&elders, 3, 3, 6, 0, 0); /* they drain */
	assert_true(elders_ended(&elders, 21));
	expect(&elders, 3, 3, 5 + PATIENCE, 22, SIGKILL);
	assert_true(elders_ended(&elders, 22));
	expect(&elders, 3, 3, 6 + PATIENCE, 11, SIGTERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_goes_before_a_new_one_serves),
		cmocka_unit_test(test_they_go_one_by_one_as_the_new_ones_come),
		cmocka_unit_test(test_fewer_new_ones_relieve_all),
		cmocka_unit_test(test_one_that_does_not_end_is_killed_once),
		cmocka_unit_test(test_one_that_died_by_itself_counts_as_gone),
		cmocka_unit_test(test_who_was_told_before_the_handover_serves_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
