#ifndef NEEDTOKNOW_PURE_CHECKPOINT_RULE_H
#define NEEDTOKNOW_PURE_CHECKPOINT_RULE_H

#include "pure/checkpoint.h"

/*
 * May a ledger be signed, after what was seen of it before? Whoever signs two trees of which neither is the beginning
 * of the other has signed a fork. Sizes tell the clear cases; where they do not, a root has to be computed.
 */
enum checkpoint_rule {
	CHECKPOINT_GOOD,
	CHECKPOINT_OLDER, /* the ledger has fewer entries than what was seen: an older copy of it */
	CHECKPOINT_AHEAD, /* or than the last that was published: its head was moved back */
	CHECKPOINT_FORK, /* another root at the same size */
	CHECKPOINT_ASK_TREE, /* good if the published tree has, at the size that was seen, the root that was seen */
	CHECKPOINT_ASK_ENTRIES, /* the same; but what is published is smaller, so the entries have to be looked at */
};

/* `seen` and `published`: NULL when there is none. `entries`: of the ledger now. */
enum checkpoint_rule checkpoint_rule(
	const struct checkpoint *seen, const struct checkpoint *published, uint64_t entries);

#endif
