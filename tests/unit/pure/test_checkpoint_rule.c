#include "pure/checkpoint_rule.h"
#include "support/check.h"

/* Sizes; 0 is none. The roots are the same unless `forked`. */
static const struct {
	uint64_t seen, published, entries;
	bool forked;
	enum checkpoint_rule expected;
} cases[] = {
	{ 0, 0, 0, false, CHECKPOINT_GOOD },
	{ 0, 0, 7, false, CHECKPOINT_GOOD },
	{ 0, 7, 7, false, CHECKPOINT_GOOD },
	{ 0, 7, 9, false, CHECKPOINT_GOOD },
	{ 7, 7, 7, false, CHECKPOINT_GOOD },
	{ 7, 7, 9, false, CHECKPOINT_GOOD },
	/* A backup. */
	{ 7, 0, 0, false, CHECKPOINT_OLDER },
	{ 7, 6, 6, false, CHECKPOINT_OLDER },
	{ 7, 0, 6, false, CHECKPOINT_OLDER },
	/* A head that was moved back; what was seen is told first. */
	{ 0, 7, 6, false, CHECKPOINT_AHEAD },
	{ 5, 7, 6, false, CHECKPOINT_AHEAD },
	{ 7, 7, 6, false, CHECKPOINT_OLDER },
	{ 9, 7, 6, false, CHECKPOINT_OLDER },
	/* Two trees of one size. */
	{ 7, 7, 7, true, CHECKPOINT_FORK },
	{ 7, 7, 9, true, CHECKPOINT_FORK },
	/* Sizes do not tell. */
	{ 7, 8, 8, false, CHECKPOINT_ASK_TREE },
	{ 7, 8, 9, true, CHECKPOINT_ASK_TREE },
	{ 7, 6, 7, true, CHECKPOINT_ASK_ENTRIES },
	{ 7, 6, 9, false, CHECKPOINT_ASK_ENTRIES },
	{ 7, 0, 7, false, CHECKPOINT_ASK_ENTRIES },
};

static void test_what_was_seen_and_what_is_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct checkpoint seen = { .size = cases[i].seen }, published = { .size = cases[i].published };
		published.root.bytes[31] = cases[i].forked;
		enum checkpoint_rule found =
			checkpoint_rule(seen.size ? &seen : NULL, published.size ? &published : NULL, cases[i].entries);
		if (found != cases[i].expected)
			fail_msg("case %zu: %d, not %d", i, (int)found, (int)cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_seen_and_what_is_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
