#ifndef NEEDTOKNOW_PURE_RETENTION_H
#define NEEDTOKNOW_PURE_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

/* Figures of what may go from the ledger and of what room it needs; indices count entries from 0. */

/* What a pruning is decided on. */
struct prune_facts {
	uint64_t old; /* every entry below it is older than the policy keeps bodies */
	uint64_t signed_size; /* of the last checkpoint */
	uint64_t tiled; /* leaves in full tiles that are stored, so that proofs need no bodies */
	uint64_t needed; /* from here on something that still lives stands in the ledger; UINT64_MAX: nothing does */
	uint64_t pruned; /* bodies below may be gone already */
};

/* Up to where bodies may go: a multiple of TILE_WIDTH; 0 when no whole tile more may. */
uint64_t prune_until(const struct prune_facts *facts);

/* How often to look, microseconds: every hour, more often where bodies are kept for less than four. */
int64_t prune_interval(int64_t keep);

/* The ledger lies in partitions of this many entries, numbered from 0; deploy/sql/migrations/0001_ledger.sql. */
#define LEDGER_PARTITION (UINT64_C(1) << 26)

/*
 * How many partitions there should be, from number 0 on, for a ledger of `size` entries of which `last_day` are of the
 * last day: two whole ones beyond the one that is being written, and as many as two such days fill.
 */
uint64_t partitions_wanted(uint64_t size, uint64_t last_day);

/* Is less than one whole partition left beyond the one that is being written? `end`: the first index that has none. */
bool partitions_are_short(uint64_t size, uint64_t end);

#endif
