#include "pure/bundle.h"

#include <string.h>

void bundle_read(struct bundle *out, const uint8_t *bytes, size_t size, unsigned wanted, bool exact)
{
	size_t offset = 0;

	out->count = 0;
	out->cut = false;
	while (out->count < wanted + (exact ? 1 : 0)) {
		unsigned i = out->count;
		if (tile_next_entry(bytes, size, &offset, &out->bodies[i], &out->lengths[i]) != 0) {
			out->cut = offset != size;
			break;
		}
		merkle_leaf(out->bodies[i], out->lengths[i], &out->hashes[i]);
		out->count++;
	}
}

size_t bundle_bytes(const struct bundle *bundle, const uint8_t *bytes)
{
	if (bundle->count == 0)
		return 0;
	return (size_t)(bundle->bodies[bundle->count - 1] + bundle->lengths[bundle->count - 1] - bytes);
}

static const uint8_t *leaf_at(const uint8_t *leaves, unsigned position)
{
	return leaves + (size_t)position * MERKLE_HASH_SIZE;
}

static bool is(const struct bundle *bundle, unsigned entry, const uint8_t *leaf)
{
	return entry < bundle->count && memcmp(bundle->hashes[entry].bytes, leaf, MERKLE_HASH_SIZE) == 0;
}

void bundle_leaves(const struct bundle *bundle, unsigned width, uint8_t *hashes, bool *known)
{
	*known = bundle->count == width && !bundle->cut;
	for (unsigned i = 0; i < width && i < bundle->count; i++) {
		if (bundle->lengths[i] == 0)
			*known = false;
		else
			memcpy(hashes + (size_t)i * MERKLE_HASH_SIZE, bundle->hashes[i].bytes, MERKLE_HASH_SIZE);
	}
}

/* With which later place was this one swapped? 0: none. */
static unsigned find_swapped(
	const struct bundle *bundle, const uint8_t *leaves, unsigned width, unsigned position, unsigned entry)
{
	for (unsigned ahead = 1; position + ahead < width; ahead++) {
		if (is(bundle, entry, leaf_at(leaves, position + ahead)) &&
			is(bundle, entry + ahead, leaf_at(leaves, position)))
			return position + ahead;
	}
	return 0;
}

/* What the entry that is not that of the leaf is. */
static enum bundle_difference classify(const struct bundle *bundle, const uint8_t *leaves, unsigned width,
	unsigned position, unsigned entry, unsigned *other)
{
	if (position == width)
		return BUNDLE_INSERTED;
	if (entry == bundle->count)
		return BUNDLE_REMOVED;
	if (bundle->lengths[entry] == 0)
		return BUNDLE_GONE;
	*other = find_swapped(bundle, leaves, width, position, entry);
	if (*other != 0)
		return BUNDLE_SWAPPED;
	if (position + 1 < width && is(bundle, entry, leaf_at(leaves, position + 1)))
		return BUNDLE_REMOVED;
	if (is(bundle, entry + 1, leaf_at(leaves, position)))
		return BUNDLE_INSERTED;
	return BUNDLE_CHANGED;
}

void bundle_compare(struct bundle *bundle, const uint8_t *leaves, unsigned width,
	void (*found)(
		void *context, enum bundle_difference difference, unsigned position, unsigned entry, unsigned other),
	void *context)
{
	unsigned position = 0, entry = 0;

	while (position < width || entry < bundle->count) {
		unsigned other = 0;
		enum bundle_difference difference = BUNDLE_SAME;
		if (position == width || !is(bundle, entry, leaf_at(leaves, position)))
			difference = classify(bundle, leaves, width, position, entry, &other);
		if (difference == BUNDLE_SWAPPED)
			memcpy(bundle->hashes[entry + other - position].bytes, leaf_at(leaves, other),
				MERKLE_HASH_SIZE);
		found(context, difference, position, entry, other);
		if (difference != BUNDLE_INSERTED)
			position++;
		if (difference != BUNDLE_REMOVED)
			entry++;
	}
}
