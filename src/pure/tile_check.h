#ifndef NEEDTOKNOW_PURE_TILE_CHECK_H
#define NEEDTOKNOW_PURE_TILE_CHECK_H

#include "pure/tile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Checks the files of a log (https://c2sp.org/tlog-tiles, whoever wrote them) against each other and against the root
 * of a checkpoint: every entry against its leaf, every tile against the one above, the topmost against the root. Each
 * file is read once. What does not fit is blamed on the side that does not fit the rest either, so that one changed
 * byte is one fault.
 */
enum tile_fault_kind {
	TILE_FAULT_ABSENT, /* there is no such tile, and a tree of this size has it */
	TILE_FAULT_LENGTH, /* the tile is shorter or longer than its hashes are */
	TILE_FAULT_PARENT, /* the tile does not have the root that the tile above it says */
	TILE_FAULT_HASH, /* the hash at `position` is not that of what is below it, which fits all else */
	TILE_FAULT_DIFFERS, /* the hash at `position` is not that of the tile below it, and neither fits the rest */
	TILE_FAULT_BODY, /* entry `index` does not hash to its leaf */
	TILE_FAULT_REMOVED, /* entry `index` is not in its bundle */
	TILE_FAULT_INSERTED, /* the bundle has an entry of which there is no leaf, where `index` should be */
	TILE_FAULT_SWAPPED, /* entries `index` and `other` stand in each other's place */
	TILE_FAULT_BUNDLE, /* the bundle ends in the middle of entry `index` */
	TILE_FAULT_ROOT, /* the tiles fit each other, and their root is not the checkpoint's */
};

struct tile_fault {
	enum tile_fault_kind kind;
	struct tile_id tile; /* of entries: the tile of level 0 that has their leaves */
	unsigned width; /* of the tile in this tree */
	unsigned position;
	uint64_t index; /* the first entry that it concerns */
	uint64_t other;
};

enum tile_read {
	TILE_READ_OK,
	TILE_READ_ABSENT, /* there is no such file */
	TILE_READ_FAILED, /* the check ends there */
};

struct tile_check_handler {
	/* The bytes of a file, by its path below the log's prefix. They need to stay until the next call. */
	enum tile_read (*read)(void *context, const char *path, const uint8_t **bytes, size_t *length);
	void (*fault)(void *context, const struct tile_fault *fault);
	/* An entry that hashes to its leaf. NULL is allowed. */
	void (*entry)(void *context, uint64_t index, const uint8_t *body, size_t length);
	/* Of `count` entries from `first` on there is a leaf and no body. NULL is allowed. */
	void (*gone)(void *context, uint64_t first, unsigned count);
	/* The next leaves, at most a tile of them. NULL is allowed. */
	void (*leaves)(void *context, uint64_t first, const uint8_t *hashes, unsigned count);
	void *context;
};

enum tile_check_result {
	TILE_CHECK_DONE,
	TILE_CHECK_ENDLESS, /* so many tiles in a row are not there that the rest was not looked at */
	TILE_CHECK_FAILED, /* a reading failed */
};

/* Of a tree of `size` leaves. An earlier tree's root comes out on the way, when it is done: at `since` leaves, at most
 * `size`; 0: none is wanted. */
enum tile_check_result tile_check(uint64_t size, const struct merkle_hash *root, uint64_t since,
	struct merkle_hash *since_root, const struct tile_check_handler *handler);

#endif
