#include "pure/tile_check.h"

#include "base/memory.h"
#include "pure/bundle.h"

#include <assert.h>
#include <string.h>

/* A checkpoint may claim more tiles than there is time to miss one by one. */
#define ABSENT_MAX 4096

/* The tile of a level that the walk is in. */
struct level {
	unsigned width; /* hashes that it has in this tree */
	bool present; /* `stored` was read */
	bool trusted; /* `stored` fits what is above it, all the way to the root */
	uint64_t number;
	uint8_t stored[TILE_BYTES]; /* what the file says */
	uint8_t computed[TILE_BYTES]; /* what comes from below */
};

struct walk {
	uint64_t size, since;
	struct merkle_hash root;
	unsigned top; /* the highest level that has hashes */
	const struct tile_check_handler *handler;
	struct tile_builder edge; /* the last, not full tile of each level, as the files have it */
	bool edge_present[TILE_LEVELS];
	struct tile_builder believed; /* the same, after what is wrong was put aside */
	struct level levels[TILE_LEVELS + 1]; /* the last is never present */
	bool bundle_present, bundle_known; /* known: every leaf has a body */
	struct bundle bundle;
};

static uint8_t *hash_at(uint8_t *hashes, unsigned position)
{
	return hashes + (size_t)position * MERKLE_HASH_SIZE;
}

static bool same(const uint8_t *one, const uint8_t *other)
{
	return memcmp(one, other, MERKLE_HASH_SIZE) == 0;
}

static struct tile_id id_of(const struct walk *walk, unsigned level)
{
	return (struct tile_id){ level, walk->levels[level].number };
}

static void report(struct walk *walk, enum tile_fault_kind kind, unsigned level, unsigned position)
{
	struct tile_id id = id_of(walk, level);
	struct tile_fault fault = {
		.kind = kind,
		.tile = id,
		.width = walk->levels[level].width,
		.position = position,
		.index = ((id.number << TILE_HEIGHT) + position) << (TILE_HEIGHT * level),
	};

	walk->handler->fault(walk->handler->context, &fault);
}

static void report_swap(struct walk *walk, unsigned position, unsigned other)
{
	struct tile_id id = id_of(walk, 0);
	struct tile_fault fault = {
		.kind = TILE_FAULT_SWAPPED,
		.tile = id,
		.width = walk->levels[0].width,
		.position = position,
		.index = (id.number << TILE_HEIGHT) + position,
		.other = (id.number << TILE_HEIGHT) + other,
	};

	walk->handler->fault(walk->handler->context, &fault);
}

/* A tile that is not full may have grown since: the full one has its hashes too. */
static enum tile_read read_file(struct walk *walk, bool entries, struct tile_id id, unsigned width, bool *grown,
	const uint8_t **bytes, size_t *length)
{
	char path[TILE_PATH_MAX];
	enum tile_read result = TILE_READ_ABSENT;

	for (unsigned try = width; result == TILE_READ_ABSENT; try = TILE_WIDTH) {
		if (entries)
			tile_bundle_path(id.number, try, path);
		else
			tile_path(id, try, path);
		*grown = try != width;
		result = walk->handler->read(walk->handler->context, path, bytes, length);
		if (try == TILE_WIDTH)
			break;
	}
	return result;
}

/* Reads a tile into its level's `stored`. 0, or -1 when the reading failed. */
static int load(struct walk *walk, unsigned level, uint64_t number)
{
	struct level *at = &walk->levels[level];
	struct tile_id id = { level, number };
	const uint8_t *bytes;
	size_t length;
	bool grown;

	at->number = number;
	at->width = tile_width(id, walk->size);
	at->present = at->trusted = false;
	memset(at->stored, 0, sizeof at->stored);
	memset(at->computed, 0, sizeof at->computed);
	enum tile_read result = read_file(walk, false, id, at->width, &grown, &bytes, &length);
	if (result == TILE_READ_FAILED)
		return -1;
	size_t expected = (size_t)(grown ? TILE_WIDTH : at->width) * MERKLE_HASH_SIZE;
	if (result == TILE_READ_ABSENT) {
		report(walk, TILE_FAULT_ABSENT, level, 0);
	} else if (length != expected) {
		report(walk, TILE_FAULT_LENGTH, level, 0);
	} else {
		memcpy(at->stored, bytes, (size_t)at->width * MERKLE_HASH_SIZE);
		at->present = true;
	}
	return 0;
}

static void edge_set(struct tile_builder *edge, unsigned level, const uint8_t *hashes)
{
	memcpy(edge->hashes[level], hashes, (size_t)edge->widths[level] * MERKLE_HASH_SIZE);
}

/* Do these hashes, in the place of the level's tile, fit what is above it? */
static bool fits(struct walk *walk, unsigned level, const uint8_t *hashes)
{
	const struct level *at = &walk->levels[level];
	struct level *above = &walk->levels[level + 1];
	struct merkle_hash hash;

	if (at->width == TILE_WIDTH) {
		if (!above->present)
			return false;
		tile_fold(hashes, TILE_WIDTH, &hash);
		return same(hash.bytes, hash_at(above->stored, (unsigned)(at->number % TILE_WIDTH)));
	}
	edge_set(&walk->edge, level, hashes);
	tile_builder_root(&walk->edge, &hash);
	edge_set(&walk->edge, level, at->stored);
	return same(hash.bytes, walk->root.bytes);
}

/* Reads the tiles at the right edge, which are not full: together they are the root. */
static int load_edge(struct walk *walk)
{
	tile_builder_init(&walk->edge, NULL, NULL);
	tile_builder_init(&walk->believed, NULL, NULL);
	tile_builder_resume(&walk->edge, walk->size);
	tile_builder_resume(&walk->believed, walk->size);
	for (unsigned level = 0; level <= walk->top; level++) {
		if (walk->edge.widths[level] == 0)
			continue;
		if (load(walk, level, tile_last(level, walk->size).number) != 0)
			return -1;
		edge_set(&walk->edge, level, walk->levels[level].stored);
		walk->edge_present[level] = walk->levels[level].present;
	}
	return 0;
}

/* Enters the tiles that begin with leaf tile `number`, from the top down. 0, or -1. */
static int enter(struct walk *walk, uint64_t number)
{
	for (unsigned level = walk->top + 1; level-- > 0;) {
		struct level *at = &walk->levels[level];
		uint64_t own = number >> (TILE_HEIGHT * level);
		if (own << (TILE_HEIGHT * level) != number) /* in the middle of it */
			continue;
		if (tile_width((struct tile_id){ level, own }, walk->size) == TILE_WIDTH) {
			if (load(walk, level, own) != 0)
				return -1;
		} else { /* of the edge */
			at->number = own;
			at->width = walk->edge.widths[level];
			at->present = walk->edge_present[level];
			memcpy(at->stored, walk->edge.hashes[level], (size_t)at->width * MERKLE_HASH_SIZE);
			memset(at->computed, 0, sizeof at->computed);
		}
		at->trusted = at->present && at->width > 0 && fits(walk, level, at->stored);
	}
	return 0;
}

static int load_bundle(struct walk *walk, uint64_t number)
{
	struct level *leaves = &walk->levels[0];
	const uint8_t *bytes;
	size_t length;
	bool grown;
	enum tile_read result =
		read_file(walk, true, (struct tile_id){ 0, number }, leaves->width, &grown, &bytes, &length);

	walk->bundle_present = result == TILE_READ_OK;
	walk->bundle_known = false;
	memcpy(leaves->computed, leaves->stored, sizeof leaves->computed);
	if (result == TILE_READ_OK) {
		bundle_read(&walk->bundle, bytes, length, leaves->width, !grown);
		bundle_leaves(&walk->bundle, leaves->width, leaves->computed, &walk->bundle_known);
	}
	return result == TILE_READ_FAILED ? -1 : 0;
}

static void on_entry(
	void *context, enum bundle_difference difference, unsigned position, unsigned entry, unsigned other)
{
	static const enum tile_fault_kind kinds[] = {
		[BUNDLE_CHANGED] = TILE_FAULT_BODY,
		[BUNDLE_REMOVED] = TILE_FAULT_REMOVED,
		[BUNDLE_INSERTED] = TILE_FAULT_INSERTED,
	};
	struct walk *walk = context;
	const struct tile_check_handler *handler = walk->handler;
	uint64_t index = (walk->levels[0].number << TILE_HEIGHT) + position;

	switch (difference) {
	case BUNDLE_SAME:
		if (handler->entry != NULL)
			handler->entry(
				handler->context, index, walk->bundle.bodies[entry], walk->bundle.lengths[entry]);
		break;
	case BUNDLE_GONE:
		if (handler->gone != NULL)
			handler->gone(handler->context, index, 1);
		break;
	case BUNDLE_SWAPPED:
		report_swap(walk, position, other);
		break;
	default:
		report(walk, kinds[difference], 0, position);
		break;
	}
}

/* Every hash of the tile that is not what comes from below. */
static void report_hashes(struct walk *walk, enum tile_fault_kind kind, unsigned level)
{
	struct level *at = &walk->levels[level];

	for (unsigned i = 0; i < at->width; i++) {
		if (!same(hash_at(at->stored, i), hash_at(at->computed, i)))
			report(walk, kind, level, i);
	}
}

static void compare_entries(struct walk *walk)
{
	struct level *leaves = &walk->levels[0];
	const struct tile_check_handler *handler = walk->handler;

	if (walk->bundle_present && walk->bundle.cut) {
		report(walk, TILE_FAULT_BUNDLE, 0, walk->bundle.count);
		if (walk->bundle.count == 0)
			return;
	}
	if (walk->bundle_present)
		bundle_compare(&walk->bundle, leaves->stored, leaves->width, on_entry, walk);
	else if (handler->gone != NULL)
		handler->gone(handler->context, leaves->number << TILE_HEIGHT, leaves->width);
}

/* The tile is not what is above it, nor what is below it: the tile above is right if it can be. */
static void report_parent(struct walk *walk, unsigned level)
{
	if (walk->levels[level].width == TILE_WIDTH && walk->levels[level + 1].trusted)
		report(walk, TILE_FAULT_PARENT, level, 0);
}

/* Compares the leaves with their entries and with what is above; `computed` becomes what is believed of them. */
static void settle_leaves(struct walk *walk)
{
	struct level *at = &walk->levels[0];

	if (!at->present) { /* the bundle's own hashes, if it is there: reported already */
		memcpy(at->stored, at->computed, sizeof at->stored);
		compare_entries(walk);
	} else if (!at->trusted && walk->bundle_known && fits(walk, 0, at->computed)) {
		report_hashes(walk, TILE_FAULT_HASH, 0);
		memcpy(at->stored, at->computed, sizeof at->stored);
		compare_entries(walk);
	} else {
		if (!at->trusted)
			report_parent(walk, 0);
		compare_entries(walk);
		memcpy(at->computed, at->stored, sizeof at->computed);
	}
	if (walk->handler->leaves != NULL)
		walk->handler->leaves(walk->handler->context, at->number << TILE_HEIGHT, at->computed, at->width);
}

/* The same of a higher level, once the last of the tiles below it is known. */
static void settle_nodes(struct walk *walk, unsigned level)
{
	struct level *at = &walk->levels[level];

	if (!at->present || at->trusted)
		return;
	if (fits(walk, level, at->computed)) {
		report_hashes(walk, TILE_FAULT_HASH, level);
		return;
	}
	report_parent(walk, level);
	report_hashes(walk, TILE_FAULT_DIFFERS, level);
}

/* Settles the leaf tile, and hands its root up; and the tile above when it was the last that it waited for. */
static void settle(struct walk *walk)
{
	settle_leaves(walk);
	for (unsigned level = 0;; level++) {
		struct level *at = &walk->levels[level], *above = &walk->levels[level + 1];
		unsigned position = (unsigned)(at->number % TILE_WIDTH);
		struct merkle_hash hash;
		if (level > 0 && at->trusted)
			memcpy(at->computed, at->stored, sizeof at->computed);
		if (at->width < TILE_WIDTH) {
			edge_set(&walk->believed, level, at->computed);
			return;
		}
		tile_fold(at->computed, TILE_WIDTH, &hash);
		bool unknown = level == 0 && !at->present && !walk->bundle_known;
		if (above->trusted || (unknown && above->present))
			memcpy(hash.bytes, hash_at(above->stored, position), sizeof hash.bytes);
		memcpy(hash_at(above->computed, position), hash.bytes, sizeof hash.bytes);
		if (position + 1 < above->width)
			return;
		settle_nodes(walk, level + 1);
	}
}

/* The root of the first `since` leaves, when the last of them has just been settled. */
static void root_since(const struct walk *walk, struct merkle_hash *out)
{
	struct tile_builder *edge = mem_alloc(sizeof *edge);

	tile_builder_init(edge, NULL, NULL);
	tile_builder_resume(edge, walk->since);
	for (unsigned level = 0; level <= walk->top; level++)
		edge_set(edge, level, walk->levels[level].computed);
	tile_builder_root(edge, out);
	mem_free(edge);
}

static enum tile_check_result check(struct walk *walk, struct merkle_hash *since_root)
{
	uint64_t tiles = (walk->size + TILE_WIDTH - 1) / TILE_WIDTH;
	unsigned absent = 0; /* leaf tiles in a row */
	struct merkle_hash root;

	if (load_edge(walk) != 0)
		return TILE_CHECK_FAILED;
	for (uint64_t number = 0; number < tiles; number++) {
		if (enter(walk, number) != 0 || load_bundle(walk, number) != 0)
			return TILE_CHECK_FAILED;
		settle(walk);
		absent = walk->levels[0].present || walk->bundle_present ? 0 : absent + 1;
		if (absent == ABSENT_MAX)
			return TILE_CHECK_ENDLESS;
		if (walk->since > 0 && number == (walk->since - 1) / TILE_WIDTH)
			root_since(walk, since_root);
	}
	tile_builder_root(&walk->believed, &root);
	if (!same(root.bytes, walk->root.bytes))
		walk->handler->fault(walk->handler->context, &(struct tile_fault){ .kind = TILE_FAULT_ROOT });
	return TILE_CHECK_DONE;
}

enum tile_check_result tile_check(uint64_t size, const struct merkle_hash *root, uint64_t since,
	struct merkle_hash *since_root, const struct tile_check_handler *handler)
{
	struct walk *walk = mem_calloc(1, sizeof *walk);

	assert(since <= size && size <= INT64_MAX);
	walk->size = size;
	walk->since = since;
	walk->root = *root;
	walk->handler = handler;
	while (walk->top + 1 < TILE_LEVELS && size >> (TILE_HEIGHT * (walk->top + 1)) > 0)
		walk->top++;
	enum tile_check_result result = check(walk, since_root);
	mem_free(walk);
	return result;
}
