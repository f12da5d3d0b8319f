#ifndef NEEDTOKNOW_PURE_MERKLE_H
#define NEEDTOKNOW_PURE_MERKLE_H

#include <stddef.h>
#include <stdint.h>

/* The Merkle tree of RFC 6962 section 2.1, SHA-256. */
#define MERKLE_HASH_SIZE 32
#define MERKLE_FRONTIER_MAX 63 /* a tree has fewer than 2^63 leaves */

struct merkle_hash {
	uint8_t bytes[MERKLE_HASH_SIZE];
};

/*
 * The right edge of a tree: the roots of its maximal perfect subtrees, largest first, as many as `size` has bits set.
 * All that is needed to append and to know the root.
 */
struct merkle_frontier {
	uint64_t size; /* leaves */
	struct merkle_hash nodes[MERKLE_FRONTIER_MAX];
};

void merkle_leaf(const void *bytes, size_t length, struct merkle_hash *out); /* SHA-256(0x00 || bytes) */
void merkle_node(const struct merkle_hash *left, const struct merkle_hash *right,
	struct merkle_hash *out); /* SHA-256(0x01 || l || r) */

/* A frontier of no leaves is all zero. */
void merkle_append(struct merkle_frontier *frontier, const struct merkle_hash *leaf);
/* Of no leaves: SHA-256 of nothing. */
void merkle_root(const struct merkle_frontier *frontier, struct merkle_hash *out);
/* How many nodes a frontier of `size` leaves has. */
unsigned merkle_frontier_count(uint64_t size);
/* The nodes' bytes one after the other, as the head's row keeps them. 0, or -1 when `length` does not fit `size`. */
int merkle_frontier_load(struct merkle_frontier *out, uint64_t size, const void *bytes, size_t length);

#endif
