#include "pure/merkle_proof.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

static void plan_add(struct merkle_plan *plan, unsigned height, uint64_t index)
{
	assert(plan->count < MERKLE_PLAN_MAX);
	plan->nodes[plan->count++] = (struct merkle_node_id){ .height = height, .index = index };
}

/* One hash over the leaves from `start` to the last: as the bits of size - start say, largest subtree first. Every one
 * of them is aligned, since `start` is a multiple of more than size - start. */
static void plan_right_edge(struct merkle_plan *plan, uint64_t start, uint64_t size)
{
	size_t from = plan->count;
	while (start < size) {
		unsigned height = 63 - (unsigned)__builtin_clzll(size - start);
		plan_add(plan, height, start >> height);
		start += UINT64_C(1) << height;
	}
	if (plan->count - from > 1) {
		plan->ragged_from = from;
		plan->ragged_until = plan->count;
	}
}

/* The siblings on the way from a node up to the root. */
static void plan_climb(struct merkle_plan *plan, unsigned height, uint64_t index, uint64_t size)
{
	for (uint64_t last = (size - 1) >> height; last > 0; height++, index >>= 1, last >>= 1) {
		if (index & 1)
			plan_add(plan, height, index - 1);
		else if (index + 1 < last)
			plan_add(plan, height, index + 1);
		else if (index + 1 == last)
			plan_right_edge(plan, last << height, size);
		/* else it is the last of its row: it has no sibling and counts as its own parent. */
	}
}

int merkle_inclusion_plan(uint64_t index, uint64_t size, struct merkle_plan *out)
{
	if (index >= size || size > INT64_MAX)
		return -1;
	*out = (struct merkle_plan){ 0 };
	plan_climb(out, 0, index, size);
	return 0;
}

int merkle_consistency_plan(uint64_t from, uint64_t to, struct merkle_plan *out)
{
	if (from == 0 || from > to || to > INT64_MAX)
		return -1;
	*out = (struct merkle_plan){ 0 };
	if (from == to)
		return 0;
	/* Up from the last perfect subtree of the smaller tree. When that is the whole of it, its hash is the root that
	 * the verifier has. */
	unsigned height = (unsigned)__builtin_ctzll(from);
	uint64_t index = (from >> height) - 1;
	if (index > 0)
		plan_add(out, height, index);
	plan_climb(out, height, index, to);
	return 0;
}

void merkle_root_plan(uint64_t size, struct merkle_plan *out)
{
	*out = (struct merkle_plan){ 0 };
	plan_right_edge(out, 0, size);
}

size_t merkle_plan_join(const struct merkle_plan *plan, const struct merkle_hash *nodes, struct merkle_hash *out)
{
	size_t count = 0;
	for (size_t i = 0; i < plan->count; i++) {
		if (i != plan->ragged_from || plan->ragged_from == plan->ragged_until) {
			out[count++] = nodes[i];
			continue;
		}
		i = plan->ragged_until - 1;
		struct merkle_hash joined = nodes[i];
		for (size_t left = i; left > plan->ragged_from; left--)
			merkle_node(&nodes[left - 1], &joined, &joined);
		out[count++] = joined;
	}
	return count;
}

static bool same(const struct merkle_hash *a, const struct merkle_hash *b)
{
	return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* Where a proof has climbed to: a node, and the last one of its row. */
struct climb {
	uint64_t node, last;
};

/* Is the next hash of the proof the left sibling? Steps up past it. */
static bool climb_left(struct climb *climb)
{
	bool left = (climb->node & 1) != 0 || climb->node == climb->last;
	if (left) {
		/* A last node without a sibling is its own parent. */
		while ((climb->node & 1) == 0 && climb->node != 0) {
			climb->node >>= 1;
			climb->last >>= 1;
		}
	}
	climb->node >>= 1;
	climb->last >>= 1;
	return left;
}

/* The names fn, sn and so on of RFC 9162 are node, last and so on here. */
int merkle_verify_inclusion(const struct merkle_hash *leaf, uint64_t index, uint64_t size,
	const struct merkle_hash *proof, size_t count, const struct merkle_hash *root)
{
	if (index >= size)
		return -1;
	struct climb climb = { .node = index, .last = size - 1 };
	struct merkle_hash hash = *leaf;
	for (size_t i = 0; i < count; i++) {
		if (climb.last == 0)
			return -1;
		if (climb_left(&climb))
			merkle_node(&proof[i], &hash, &hash);
		else
			merkle_node(&hash, &proof[i], &hash);
	}
	return climb.last == 0 && same(&hash, root) ? 0 : -1;
}

int merkle_verify_consistency(uint64_t from, const struct merkle_hash *from_root, uint64_t to,
	const struct merkle_hash *to_root, const struct merkle_hash *proof, size_t count)
{
	if (from == 0 || from > to)
		return -1;
	if (from == to)
		return count == 0 && same(from_root, to_root) ? 0 : -1;

	unsigned height = (unsigned)__builtin_ctzll(from);
	struct climb climb = { .node = (from - 1) >> height, .last = (to - 1) >> height };
	size_t next = 0;
	struct merkle_hash seed = *from_root;
	if (climb.node > 0) {
		if (count == 0)
			return -1;
		seed = proof[next++];
	}
	struct merkle_hash old = seed, new = seed;
	for (; next < count; next++) {
		if (climb.last == 0)
			return -1;
		if (climb_left(&climb)) {
			merkle_node(&proof[next], &old, &old);
			merkle_node(&proof[next], &new, &new);
		} else {
			merkle_node(&new, &proof[next], &new);
		}
	}
	return climb.last == 0 && same(&old, from_root) && same(&new, to_root) ? 0 : -1;
}
