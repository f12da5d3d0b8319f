#include "pure/retention.h"

#include "pure/time.h"
#include "support/check.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define NOTHING_LIVES UINT64_MAX

static const struct pruning {
	struct prune_facts facts;
	uint64_t until;
} prunings[] = {
	/* old, signed_size, tiled, needed, pruned */
	{ { 0, 0, 0, NOTHING_LIVES, 0 }, 0 }, { { 255, 1000, 768, NOTHING_LIVES, 0 }, 0 },
	{ { 256, 1000, 768, NOTHING_LIVES, 0 }, 256 },
	{ { 900, 1000, 768, NOTHING_LIVES, 0 }, 768 }, /* beyond it bodies make up the last tile */
	{ { 900, 600, 768, NOTHING_LIVES, 0 }, 512 }, /* nobody could hold us to what is not signed */
	{ { 900, 1000, 768, 511, 0 }, 256 }, /* the tile that a live disclosure begins in stays */
	{ { 900, 1000, 768, 512, 0 }, 512 }, { { 900, 1000, 768, 0, 0 }, 0 },
	{ { 900, 1000, 768, NOTHING_LIVES, 512 }, 768 }, { { 900, 1000, 768, NOTHING_LIVES, 768 }, 0 }, /* done */
	{ { 300, 1000, 768, NOTHING_LIVES, 512 }, 0 }, /* a policy that keeps more now takes nothing back */
};

static void bodies_go_by_whole_tiles_that_are_old_signed_and_stored_and_that_nothing_living_needs(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(prunings); i++) {
		uint64_t until = prune_until(&prunings[i].facts);
		if (until != prunings[i].until)
			print_error("case %zu\n", i);
		assert_true(until == prunings[i].until);
	}
}

static void looks_are_an_hour_apart_or_a_quarter_of_what_is_kept_and_never_under_a_second(void **state)
{
	(void)state;
	assert_true(prune_interval(0) == TIME_SECOND);
	assert_true(prune_interval(2 * TIME_SECOND) == TIME_SECOND);
	assert_true(prune_interval(40 * TIME_SECOND) == 10 * TIME_SECOND);
	assert_true(prune_interval(4 * 3600 * TIME_SECOND) == 3600 * TIME_SECOND);
	assert_true(prune_interval(5 * 365 * 86400 * TIME_SECOND) == 3600 * TIME_SECOND);
}

static void two_whole_partitions_lie_ahead_or_two_days_growth(void **state)
{
	(void)state;
	assert_true(partitions_wanted(0, 0) == 3);
	assert_true(partitions_wanted(LEDGER_PARTITION - 1, 10) == 3);
	assert_true(partitions_wanted(LEDGER_PARTITION, 10) == 4);
	assert_true(partitions_wanted(5 * LEDGER_PARTITION + 7, LEDGER_PARTITION) == 8);
	assert_true(partitions_wanted(5 * LEDGER_PARTITION + 7, LEDGER_PARTITION + 1) == 9);
	assert_true(partitions_wanted(50 * LEDGER_PARTITION, 10 * LEDGER_PARTITION) == 71);
}

static void it_is_short_when_no_whole_partition_is_left(void **state)
{
	(void)state;
	assert_false(partitions_are_short(0, 2 * LEDGER_PARTITION));
	assert_false(partitions_are_short(LEDGER_PARTITION - 1, 2 * LEDGER_PARTITION));
	assert_true(partitions_are_short(LEDGER_PARTITION, 2 * LEDGER_PARTITION));
	assert_false(partitions_are_short(LEDGER_PARTITION, 3 * LEDGER_PARTITION));
	assert_true(partitions_are_short(0, LEDGER_PARTITION));
	/* What it calls short, what is wanted mends. */
	for (uint64_t size = 0; size < 4 * LEDGER_PARTITION; size += LEDGER_PARTITION / 2 + 1)
		assert_false(partitions_are_short(size, partitions_wanted(size, 0) * LEDGER_PARTITION));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_go_by_whole_tiles_that_are_old_signed_and_stored_and_that_nothing_living_needs),
		cmocka_unit_test(looks_are_an_hour_apart_or_a_quarter_of_what_is_kept_and_never_under_a_second),
		cmocka_unit_test(two_whole_partitions_lie_ahead_or_two_days_growth),
		cmocka_unit_test(it_is_short_when_no_whole_partition_is_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
