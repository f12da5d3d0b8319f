#include "cli/bodies.h"

#include "support/check.h"

#include <needtoknow/v1/ledger.pb-c.h>

static struct bodies bodies;
static struct verdict verdict;

static int begin(void **state)
{
	(void)state;
	bodies = (struct bodies){ 0 };
	verdict = (struct verdict){ 0 };
	return 0;
}

static int end(void **state)
{
	(void)state;
	bodies_release(&bodies);
	return 0;
}

static void present(uint64_t index, Needtoknow__V1__EntryKind kind, uint64_t until)
{
	Needtoknow__V1__LedgerEntry entry = NEEDTOKNOW__V1__LEDGER_ENTRY__INIT;
	uint8_t bytes[128];
	entry.kind = kind;
	entry.actor = (char *)(uintptr_t) "system";
	entry.pruned_until = until;
	bodies_present(&bodies, index, bytes, needtoknow__v1__ledger_entry__pack(&entry, bytes));
}

static void test_what_a_pruned_entry_covers_is_gone_by_right(void **state)
{
	(void)state;
	bodies_gone(&bodies, 0, 256);
	bodies_gone(&bodies, 256, 100);
	present(600, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_PRUNED, 512);
	bodies_judge(&bodies, false, &verdict);
	assert_int_equal(bodies.count, 1);
	assert_int_equal(verdict.faults, 0);
}

static void test_what_it_does_not_cover_is_missing(void **state)
{
	(void)state;
	bodies_gone(&bodies, 0, 300);
	bodies_gone(&bodies, 400, 2);
	present(600, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_PRUNED, 256);
	bodies_judge(&bodies, false, &verdict);
	assert_int_equal(verdict.faults, 2);
	assert_int_equal(verdict.index, 256);
	assert_non_null(strstr(verdict.first, "entries 256 to 299"));
}

static void test_only_a_pruned_entry_behind_what_it_names_counts(void **state)
{
	(void)state;
	bodies_gone(&bodies, 0, 256);
	present(600, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_AUDITED, 512);
	present(601, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_PRUNED, 768); /* of what did not exist yet */
	bodies_present(&bodies, 602, (const uint8_t *)"\x08\x18\xa0", 3); /* no message */
	bodies_present(&bodies, 603, (const uint8_t *)"", 0);
	bodies_judge(&bodies, false, &verdict);
	assert_int_equal(verdict.faults, 1);
}

static void test_none_at_all_is_missing_unless_leaves_are_all_that_is_published(void **state)
{
	(void)state;
	bodies_gone(&bodies, 0, 256);
	bodies_judge(&bodies, true, &verdict);
	assert_int_equal(verdict.faults, 0);
	bodies_judge(&bodies, false, &verdict);
	assert_int_equal(verdict.faults, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_a_pruned_entry_covers_is_gone_by_right, begin, end),
		cmocka_unit_test_setup_teardown(test_what_it_does_not_cover_is_missing, begin, end),
		cmocka_unit_test_setup_teardown(test_only_a_pruned_entry_behind_what_it_names_counts, begin, end),
		cmocka_unit_test_setup_teardown(
			test_none_at_all_is_missing_unless_leaves_are_all_that_is_published, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
