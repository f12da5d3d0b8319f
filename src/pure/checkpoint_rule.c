#include "pure/checkpoint_rule.h"

#include <string.h>

enum checkpoint_rule checkpoint_rule(
	const struct checkpoint *seen, const struct checkpoint *published, uint64_t entries)
{
	if (seen && entries < seen->size)
		return CHECKPOINT_OLDER;
	if (published && entries < published->size)
		return CHECKPOINT_AHEAD;
	if (!seen)
		return CHECKPOINT_GOOD;
	if (!published || published->size < seen->size)
		return CHECKPOINT_ASK_ENTRIES;
	if (published->size > seen->size)
		return CHECKPOINT_ASK_TREE;
	return memcmp(&published->root, &seen->root, sizeof seen->root) == 0 ? CHECKPOINT_GOOD : CHECKPOINT_FORK;
}
