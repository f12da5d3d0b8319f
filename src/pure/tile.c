#include "pure/tile.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

unsigned tile_width(struct tile_id id, uint64_t size)
{
	if (id.level >= TILE_LEVELS)
		return 0;
	uint64_t hashes = size >> (TILE_HEIGHT * id.level);
	if (id.number > hashes / TILE_WIDTH)
		return 0;
	uint64_t left = hashes - id.number * TILE_WIDTH;
	return left < TILE_WIDTH ? (unsigned)left : TILE_WIDTH;
}

struct tile_id tile_last(unsigned level, uint64_t size)
{
	assert(level < TILE_LEVELS);
	uint64_t hashes = size >> (TILE_HEIGHT * level); /* in two steps: the whole width may not be shifted out */
	return (struct tile_id){ level, hashes >> TILE_HEIGHT };
}

void tile_of_node(struct merkle_node_id node, struct tile_id *tile, unsigned *first, unsigned *count)
{
	assert(node.height < TILE_LEVELS * TILE_HEIGHT);
	unsigned above = node.height % TILE_HEIGHT;
	unsigned in_tile = TILE_WIDTH >> above; /* nodes of that height */
	*tile = (struct tile_id){ .level = node.height / TILE_HEIGHT, .number = node.index / in_tile };
	*first = (unsigned)(node.index % in_tile) << above;
	*count = 1u << above;
}

void tile_fold(const uint8_t *hashes, unsigned count, struct merkle_hash *out)
{
	assert(count > 0 && count <= TILE_WIDTH && (count & (count - 1)) == 0);
	struct merkle_hash row[TILE_WIDTH];
	memcpy(row, hashes, (size_t)count * MERKLE_HASH_SIZE);
	for (; count > 1; count /= 2) {
		for (unsigned i = 0; i < count / 2; i++)
			merkle_node(&row[2 * i], &row[2 * i + 1], &row[i]);
	}
	*out = row[0];
}

/* The number in groups of three digits, all but the last behind an x: x001/x234/067. */
static void write_path(char *out, uint64_t number, unsigned width)
{
	assert(width > 0 && width <= TILE_WIDTH);
	char *end = out + TILE_PATH_MAX;
	uint64_t scale = 1;
	while (number / scale >= 1000)
		scale *= 1000;
	out += strlen(out);
	for (; scale > 1; scale /= 1000)
		out += snprintf(out, (size_t)(end - out), "x%03u/", (unsigned)(number / scale % 1000));
	out += snprintf(out, (size_t)(end - out), "%03u", (unsigned)(number % 1000));
	if (width < TILE_WIDTH)
		snprintf(out, (size_t)(end - out), ".p/%u", width);
}

void tile_path(struct tile_id id, unsigned width, char out[TILE_PATH_MAX])
{
	snprintf(out, TILE_PATH_MAX, "tile/%u/", id.level);
	write_path(out, id.number, width);
}

void tile_bundle_path(uint64_t number, unsigned width, char out[TILE_PATH_MAX])
{
	snprintf(out, TILE_PATH_MAX, "tile/entries/");
	write_path(out, number, width);
}

void tile_builder_init(struct tile_builder *builder,
	void (*full)(void *context, struct tile_id id, const uint8_t *hashes, const struct merkle_hash *root),
	void *context)
{
	*builder = (struct tile_builder){ .full = full, .context = context };
}

void tile_builder_append(struct tile_builder *builder, const struct merkle_hash *leaf)
{
	assert(builder->size < INT64_MAX);
	struct merkle_hash hash = *leaf;
	for (unsigned level = 0;; level++) {
		uint8_t *hashes = builder->hashes[level];
		memcpy(hashes + (size_t)builder->widths[level] * MERKLE_HASH_SIZE, hash.bytes, MERKLE_HASH_SIZE);
		if (++builder->widths[level] < TILE_WIDTH)
			break;
		builder->widths[level] = 0;
		tile_fold(hashes, TILE_WIDTH, &hash);
		if (builder->full != NULL) {
			/* The number: how many leaves the tiles to its left have. */
			struct tile_id id = { level, builder->size >> (TILE_HEIGHT * (level + 1)) };
			builder->full(builder->context, id, hashes, &hash);
		}
	}
	builder->size++;
}

void tile_builder_resume(struct tile_builder *builder, uint64_t size)
{
	assert(size <= INT64_MAX);
	builder->size = size;
	for (unsigned level = 0; level < TILE_LEVELS; level++)
		builder->widths[level] = (unsigned)(size >> (TILE_HEIGHT * level)) % TILE_WIDTH;
}

void tile_builder_load(struct tile_builder *builder, unsigned level, unsigned position, const struct merkle_hash *hash)
{
	assert(level < TILE_LEVELS && position < builder->widths[level]);
	memcpy(builder->hashes[level] + (size_t)position * MERKLE_HASH_SIZE, hash->bytes, MERKLE_HASH_SIZE);
}

void tile_builder_root(const struct tile_builder *builder, struct merkle_hash *out)
{
	/* From right to left, which is from the smallest perfect subtree to the largest: the lowest bit of the lowest
	 * level's width first. */
	bool some = false;
	struct merkle_hash root;
	for (unsigned level = 0; level < TILE_LEVELS; level++) {
		unsigned end = builder->widths[level];
		while (end > 0) {
			unsigned count = end & -end;
			end -= count;
			struct merkle_hash subtree;
			tile_fold(builder->hashes[level] + (size_t)end * MERKLE_HASH_SIZE, count, &subtree);
			if (some)
				merkle_node(&subtree, &root, &root);
			else
				root = subtree;
			some = true;
		}
	}
	if (!some)
		merkle_root(&(struct merkle_frontier){ 0 }, &root);
	*out = root;
}

int tile_next_entry(const uint8_t *bundle, size_t size, size_t *offset, const uint8_t **entry, size_t *length)
{
	size_t at = *offset;
	if (at > size || size - at < 2)
		return -1;
	size_t count = (size_t)bundle[at] << 8 | bundle[at + 1];
	at += 2;
	if (size - at < count)
		return -1;
	*entry = bundle + at;
	*length = count;
	*offset = at + count;
	return 0;
}
