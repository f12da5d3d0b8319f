#ifndef NEEDTOKNOW_PURE_MERKLE_PROOF_H
#define NEEDTOKNOW_PURE_MERKLE_PROOF_H

#include "pure/merkle.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Inclusion and consistency proofs of RFC 6962 section 2.1: which nodes they are made of, and their verification as in
 * RFC 9162 sections 2.1.3.2 and 2.1.4.2. Making a proof asks for the hashes of perfect subtrees alone, wherever they
 * are kept.
 */
#define MERKLE_PROOF_MAX 64 /* hashes of a proof in a tree of fewer than 2^63 leaves */
#define MERKLE_PLAN_MAX 128 /* perfect subtrees that a proof is made of */

/* The perfect subtree over the leaves from index << height to ((index + 1) << height) - 1. */
struct merkle_node_id {
	unsigned height; /* 0: a leaf */
	uint64_t index;
};

/*
 * The nodes of a proof in its order. At most one of its hashes covers a right edge that is not a perfect subtree: the
 * nodes from ragged_from to ragged_until - 1, left to right, are joined into it; with ragged_from == ragged_until there
 * is none.
 */
struct merkle_plan {
	size_t count;
	struct merkle_node_id nodes[MERKLE_PLAN_MAX];
	size_t ragged_from, ragged_until;
};

/* That leaf `index` is in the tree of `size` leaves. 0, or -1: index >= size, or size >= 2^63. */
int merkle_inclusion_plan(uint64_t index, uint64_t size, struct merkle_plan *out);
/* That the tree of `from` leaves is the beginning of that of `to`. 0 (an empty plan when they are equal), or -1: from
 * is 0 or greater than to, or to >= 2^63. */
int merkle_consistency_plan(uint64_t from, uint64_t to, struct merkle_plan *out);
/* The root of `size` leaves: one ragged hash, or none when size is 0. */
void merkle_root_plan(uint64_t size, struct merkle_plan *out);
/* The plan's nodes' hashes, in its order -> the proof's. Returns how many, at most MERKLE_PROOF_MAX. */
size_t merkle_plan_join(const struct merkle_plan *plan, const struct merkle_hash *nodes, struct merkle_hash *out);

/* 0 when the proof shows that, -1 when it does not: a hash is wrong, missing or too many, or index >= size. The size is
 * bound by the root alone: take both from one checkpoint. */
int merkle_verify_inclusion(const struct merkle_hash *leaf, uint64_t index, uint64_t size,
	const struct merkle_hash *proof, size_t count, const struct merkle_hash *root);
/* A tree of 0 leaves is consistent with nothing: -1. */
int merkle_verify_consistency(uint64_t from, const struct merkle_hash *from_root, uint64_t to,
	const struct merkle_hash *to_root, const struct merkle_hash *proof, size_t count);

#endif
