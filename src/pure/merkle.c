#include "pure/merkle.h"

#include "pure/sha256.h"

#include <assert.h>
#include <string.h>

/* RFC 6962 section 2.1: a leaf and a node begin with different bytes, so that neither can pass for the other. */
enum {
	LEAF_PREFIX = 0x00,
	NODE_PREFIX = 0x01
};

void merkle_leaf(const void *bytes, size_t length, struct merkle_hash *out)
{
	struct sha256 hash;
	sha256_init(&hash);
	sha256_update(&hash, &(uint8_t){ LEAF_PREFIX }, 1);
	sha256_update(&hash, bytes, length);
	sha256_final(&hash, out->bytes);
}

void merkle_node(const struct merkle_hash *left, const struct merkle_hash *right, struct merkle_hash *out)
{
	struct sha256 hash;
	sha256_init(&hash);
	sha256_update(&hash, &(uint8_t){ NODE_PREFIX }, 1);
	sha256_update(&hash, left->bytes, sizeof left->bytes);
	sha256_update(&hash, right->bytes, sizeof right->bytes);
	sha256_final(&hash, out->bytes);
}

unsigned merkle_frontier_count(uint64_t size)
{
	return (unsigned)__builtin_popcountll(size);
}

void merkle_append(struct merkle_frontier *frontier, const struct merkle_hash *leaf)
{
	assert(frontier->size < INT64_MAX);
	unsigned count = merkle_frontier_count(frontier->size);
	struct merkle_hash node = *leaf;
	/* As in a binary counter: every low bit that is set is a subtree as large as `node` has become, and joins it.
	 */
	for (uint64_t size = frontier->size; size & 1; size >>= 1)
		merkle_node(&frontier->nodes[--count], &node, &node);
	frontier->nodes[count] = node;
	frontier->size++;
}

void merkle_root(const struct merkle_frontier *frontier, struct merkle_hash *out)
{
	unsigned count = merkle_frontier_count(frontier->size);
	if (count == 0) {
		struct sha256 hash;
		sha256_init(&hash);
		sha256_final(&hash, out->bytes);
		return;
	}
	struct merkle_hash root = frontier->nodes[--count];
	while (count > 0)
		merkle_node(&frontier->nodes[--count], &root, &root);
	*out = root;
}

int merkle_frontier_load(struct merkle_frontier *out, uint64_t size, const void *bytes, size_t length)
{
	if (size > INT64_MAX || length != (size_t)merkle_frontier_count(size) * MERKLE_HASH_SIZE)
		return -1;
	*out = (struct merkle_frontier){ .size = size };
	if (length > 0)
		memcpy(out->nodes, bytes, length);
	return 0;
}
