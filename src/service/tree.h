#ifndef NEEDTOKNOW_SERVICE_TREE_H
#define NEEDTOKNOW_SERVICE_TREE_H

#include "pure/tile.h"
#include "service/batch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Hashes of the ledger's tree, for proofs: each tile is read once, and of the last tile of leaves, which is not stored,
 * the entries themselves. One round trip, whatever the tree's size.
 */
struct tree_node {
	struct merkle_hash hash;
	bool known;
	unsigned count; /* hashes that it is made of */
};

struct tree_reading;

/* Of one tile what the plan's nodes in it are made of, from `first` to before `until`. */
struct tree_slice {
	struct tree_reading *reading;
	struct tile_id tile;
	unsigned first, until;
};

struct tree_reading {
	struct merkle_plan plan; /* filled by the caller */
	/* The rest is ours. */
	struct tree_node nodes[MERKLE_PLAN_MAX];
	struct tree_slice slices[MERKLE_PLAN_MAX];
	size_t slice_count;
	uint64_t first_leaf; /* of those that are read from entries */
	bool leaf_known[TILE_WIDTH];
	uint8_t leaves[TILE_BYTES];
};

/* Who asks: auditors' connection or our own. */
enum tree_from {
	TREE_AUDIT,
	TREE_STATE
};

/* Asks for all that the plan names. `tiled`: how many leaves the full tiles hold, read before; the reading must stay
 * until the call's reads are back. */
void tree_read(struct call *call, enum tree_from from, struct tree_reading *reading, uint64_t tiled);
/* Then: the plan's hashes joined. `out` has MERKLE_PROOF_MAX, and one more for each node
 * that the caller added. 0, or -1: the database does not have them all. */
int tree_join(struct tree_reading *reading, struct merkle_hash *out, size_t *count);

#endif
