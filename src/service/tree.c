#include "service/tree.h"

#include "sql.h"

#include <assert.h>
#include <string.h>

/* ---- from tiles ---- */

/* Is this node made of leaves that no full tile holds? */
static bool is_of_entries(const struct tree_reading *reading, struct merkle_node_id node)
{
	return node.height < TILE_HEIGHT && node.index << node.height >= reading->first_leaf;
}

/* All nodes that are made of this slice. */
static void slice_row(struct call *call, void *target, const PGresult *result, int row)
{
	const struct tree_slice *slice = target;
	struct tree_reading *reading = slice->reading;
	(void)call;
	if (row_is_null(result, row, 1) ||
		(size_t)PQgetlength(result, row, 1) != (slice->until - slice->first) * MERKLE_HASH_SIZE)
		return;
	const uint8_t *hashes = (const uint8_t *)PQgetvalue(result, row, 1);
	for (size_t i = 0; i < reading->plan.count; i++) {
		struct tree_node *node = &reading->nodes[i];
		struct tile_id tile;
		unsigned first;
		tile_of_node(reading->plan.nodes[i], &tile, &first, &node->count);
		if (is_of_entries(reading, reading->plan.nodes[i]) || tile.level != slice->tile.level ||
			tile.number != slice->tile.number)
			continue;
		tile_fold(hashes + (size_t)(first - slice->first) * MERKLE_HASH_SIZE, node->count, &node->hash);
		node->known = true;
	}
}

#define NODE_TYPES                                                                                                     \
	{                                                                                                              \
		PG_INT2, PG_INT8, PG_INT4, PG_INT4                                                                     \
	}
static const struct read_kind nodes_from[] = {
	[TREE_AUDIT] = { .statement = &sql_tree_nodes, .from = READ_AUDIT, .types = NODE_TYPES, .row = slice_row },
	[TREE_STATE] = { .statement = &sql_tree_nodes, .from = READ_STATE, .types = NODE_TYPES, .row = slice_row },
};

/* ---- from entries ---- */

static void leaves_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct tree_reading *reading = target;
	const uint8_t *bodies = (const uint8_t *)PQgetvalue(result, row, 2), *body;
	size_t size = (size_t)PQgetlength(result, row, 2), offset = 0, length;
	uint64_t index = (uint64_t)row_int(result, row, 1);
	struct merkle_hash leaf;
	(void)call;
	for (; !tile_next_entry(bodies, size, &offset, &body, &length); index++) {
		if (index < reading->first_leaf || index >= reading->first_leaf + TILE_WIDTH)
			continue;
		size_t at = (size_t)(index - reading->first_leaf);
		merkle_leaf(body, length, &leaf);
		memcpy(reading->leaves + at * MERKLE_HASH_SIZE, leaf.bytes, sizeof leaf.bytes);
		reading->leaf_known[at] = true;
	}
}

#define LEAF_TYPES                                                                                                     \
	{                                                                                                              \
		PG_INT8, PG_INT8                                                                                       \
	}
static const struct read_kind leaves_from[] = {
	[TREE_AUDIT] = { .statement = &sql_tree_leaves, .from = READ_AUDIT, .types = LEAF_TYPES, .row = leaves_row },
	[TREE_STATE] = { .statement = &sql_tree_leaves, .from = READ_STATE, .types = LEAF_TYPES, .row = leaves_row },
};

static void fold_leaves(struct tree_reading *reading, size_t number)
{
	struct merkle_node_id id = reading->plan.nodes[number];
	struct tree_node *node = &reading->nodes[number];
	size_t first = (size_t)((id.index << id.height) - reading->first_leaf);
	if (first + node->count > TILE_WIDTH)
		return;
	for (size_t i = first; i < first + node->count; i++)
		if (!reading->leaf_known[i])
			return;
	tile_fold(reading->leaves + first * MERKLE_HASH_SIZE, node->count, &node->hash);
	node->known = true;
}

/* ---- together ---- */

/* Widens the slice of this tile, or begins it. */
static void want(struct tree_reading *reading, struct tile_id tile, unsigned first, unsigned until)
{
	for (size_t i = 0; i < reading->slice_count; i++) {
		struct tree_slice *slice = &reading->slices[i];
		if (slice->tile.level != tile.level || slice->tile.number != tile.number)
			continue;
		slice->first = first < slice->first ? first : slice->first;
		slice->until = until > slice->until ? until : slice->until;
		return;
	}
	reading->slices[reading->slice_count++] = (struct tree_slice){ reading, tile, first, until };
}

static void ask_slices(struct call *call, enum tree_from from, struct tree_reading *reading)
{
	for (size_t i = 0; i < reading->slice_count; i++) {
		struct tree_slice *slice = &reading->slices[i];
		batch_read(call, &nodes_from[from], slice,
			(struct cell[]){ cell_number(slice->tile.level), cell_number((int64_t)slice->tile.number),
				cell_number(slice->first), cell_number(slice->until - slice->first) });
	}
}

void tree_read(struct call *call, enum tree_from from, struct tree_reading *reading, uint64_t tiled)
{
	uint64_t last_leaf = 0;
	bool of_entries = false;
	assert(tiled % TILE_WIDTH == 0);
	reading->first_leaf = tiled;
	reading->slice_count = 0;
	memset(reading->leaf_known, 0, sizeof reading->leaf_known);
	for (size_t i = 0; i < reading->plan.count; i++) {
		struct merkle_node_id id = reading->plan.nodes[i];
		struct tree_node *node = &reading->nodes[i];
		struct tile_id tile;
		unsigned first;
		tile_of_node(id, &tile, &first, &node->count);
		node->known = false;
		if (is_of_entries(reading, id)) {
			uint64_t end = (id.index + 1) << id.height;
			last_leaf = end - 1 > last_leaf ? end - 1 : last_leaf;
			of_entries = true;
			continue;
		}
		want(reading, tile, first, first + node->count);
	}
	ask_slices(call, from, reading);
	if (of_entries)
		batch_read(call, &leaves_from[from], reading,
			(struct cell[]){ cell_number((int64_t)tiled), cell_number((int64_t)last_leaf) });
}

int tree_join(struct tree_reading *reading, struct merkle_hash *out, size_t *count)
{
	struct merkle_hash hashes[MERKLE_PLAN_MAX];
	for (size_t i = 0; i < reading->plan.count; i++) {
		if (is_of_entries(reading, reading->plan.nodes[i]))
			fold_leaves(reading, i);
		if (!reading->nodes[i].known)
			return -1;
		hashes[i] = reading->nodes[i].hash;
	}
	*count = merkle_plan_join(&reading->plan, hashes, out);
	return 0;
}
