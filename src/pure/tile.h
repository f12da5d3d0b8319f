#ifndef NEEDTOKNOW_PURE_TILE_H
#define NEEDTOKNOW_PURE_TILE_H

#include "pure/merkle_proof.h"

#include <stddef.h>
#include <stdint.h>

/* The tree cut into tiles, as https://c2sp.org/tlog-tiles says. */
#define TILE_HEIGHT 8
#define TILE_WIDTH 256 /* hashes of a full tile */
#define TILE_BYTES (TILE_WIDTH * MERKLE_HASH_SIZE)
#define TILE_LEVELS 8 /* 256^8 leaves are more than there will be */
#define TILE_PATH_MAX 80

struct tile_id {
	unsigned level; /* 0: its hashes are leaves; else the roots of full tiles of the level below */
	uint64_t number;
};

/* How many hashes tile `number` of a level has in a tree of `size` leaves: 0 to TILE_WIDTH. */
unsigned tile_width(struct tile_id id, uint64_t size);

/* The tile of a level that is not full in a tree of `size` leaves, or the next one when all are. */
struct tile_id tile_last(unsigned level, uint64_t size);

/* Which tile holds a node, and which of its hashes make it up: `count`, a power of two, from `first` on. */
void tile_of_node(struct merkle_node_id node, struct tile_id *tile, unsigned *first, unsigned *count);
/* `count` hashes, a power of two, one after the other -> the root over them. */
void tile_fold(const uint8_t *hashes, unsigned count, struct merkle_hash *out);

/* `tile/0/x001/234`, the number in groups of three digits, with `.p/<width>` when it is not full. */
void tile_path(struct tile_id id, unsigned width, char out[TILE_PATH_MAX]);
/* `tile/entries/...`: the entries behind tile `number` of level 0, each behind its u16 big-endian length. */
void tile_bundle_path(uint64_t number, unsigned width, char out[TILE_PATH_MAX]);

/*
 * Leaves in, tiles out. Holds the right edge: of each level the hashes of its last, not yet full tile. Storage is the
 * caller's.
 */
struct tile_builder {
	uint64_t size; /* leaves so far */
	unsigned widths[TILE_LEVELS]; /* hashes in each, less than TILE_WIDTH */
	uint8_t hashes[TILE_LEVELS][TILE_BYTES];
	/* A tile has become full; `hashes` are TILE_BYTES, `root` is theirs. NULL: nobody asks. */
	void (*full)(void *context, struct tile_id id, const uint8_t *hashes, const struct merkle_hash *root);
	void *context;
};

/* Of no leaves. */
void tile_builder_init(struct tile_builder *builder,
	void (*full)(void *context, struct tile_id id, const uint8_t *hashes, const struct merkle_hash *root),
	void *context);
void tile_builder_append(struct tile_builder *builder, const struct merkle_hash *leaf);
/* Goes on, after tile_builder_init(), where a tree of `size` leaves ends: first the size, then the hashes of each
 * level's last tile unless it is full, in any order: of level l positions 0 to (size >> 8 * l) % 256 - 1. */
void tile_builder_resume(struct tile_builder *builder, uint64_t size);
void tile_builder_load(struct tile_builder *builder, unsigned level, unsigned position, const struct merkle_hash *hash);
/* The root of the leaves so far. */
void tile_builder_root(const struct tile_builder *builder, struct merkle_hash *out);

/* Walks an entry bundle (and a packed row of the ledger, which is one): the entry at *offset and its length, *offset
 * past it; -1 at the end or when it is cut short. */
int tile_next_entry(const uint8_t *bundle, size_t size, size_t *offset, const uint8_t **entry, size_t *length);

#endif
