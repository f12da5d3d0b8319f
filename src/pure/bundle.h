#ifndef NEEDTOKNOW_PURE_BUNDLE_H
#define NEEDTOKNOW_PURE_BUNDLE_H

#include "pure/tile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The entries behind one tile of level 0 (an entry bundle of https://c2sp.org/tlog-tiles), and what is wrong with them
 * by its leaves. An entry of no bytes whose leaf is another is one whose body is gone.
 */
struct bundle {
	unsigned count; /* entries, one more than wanted at most */
	bool cut; /* bytes are left that are no whole entry */
	struct merkle_hash hashes[TILE_WIDTH + 1];
	const uint8_t *bodies[TILE_WIDTH + 1]; /* in the bytes that were read */
	size_t lengths[TILE_WIDTH + 1];
};

/* Reads and hashes at most `wanted` entries, and with `exact` sees one that is too many. */
void bundle_read(struct bundle *out, const uint8_t *bytes, size_t size, unsigned wanted, bool exact);

/* How many of the bytes its entries are. */
size_t bundle_bytes(const struct bundle *bundle, const uint8_t *bytes);

/* One hash of each leaf; `known` says that all of them are of bodies. Gone bodies leave a hash as it is. */
void bundle_leaves(const struct bundle *bundle, unsigned width, uint8_t *hashes, bool *known);

enum bundle_difference {
	BUNDLE_SAME, /* the entry hashes to its leaf */
	BUNDLE_GONE, /* there is a place, and no body */
	BUNDLE_CHANGED,
	BUNDLE_REMOVED,
	BUNDLE_INSERTED, /* an entry of no leaf, before the one at `position` */
	BUNDLE_SWAPPED, /* with the one at `other` */
};

/* Compares with `width` leaves, in their order; `entry` is the entry's place in the bundle. Swapped hashes in the
 * bundle are put right. */
void bundle_compare(struct bundle *bundle, const uint8_t *leaves, unsigned width,
	void (*found)(
		void *context, enum bundle_difference difference, unsigned position, unsigned entry, unsigned other),
	void *context);

#endif
