#include "service/tile_writer.h"

#include "base/memory.h"
#include "service/batch.h"
#include "service/column.h"
#include "sql.h"

#include <assert.h>
#include <string.h>

struct tile_writer {
	struct tile_builder builder;
	struct columns pending;
};

static void became_full(void *context, struct tile_id id, const uint8_t *hashes, const struct merkle_hash *root)
{
	struct tile_writer *writer = context;
	int full = columns_append(&writer->pending,
		(struct cell[]){ cell_number(id.level), cell_number((int64_t)id.number),
			cell_bytes(root->bytes, sizeof root->bytes), cell_bytes(hashes, TILE_BYTES) });
	assert(!full); /* whoever appends stores long before that */
}

struct tile_writer *tile_writer_new(void)
{
	static const enum pg_type types[] = { PG_INT2, PG_INT8, PG_BYTEA, PG_BYTEA, 0 };
	struct tile_writer *writer = mem_calloc(1, sizeof *writer);
	tile_builder_init(&writer->builder, became_full, writer);
	columns_init(&writer->pending, types);
	return writer;
}

void tile_writer_free(struct tile_writer *writer)
{
	if (!writer)
		return;
	columns_release(&writer->pending);
	mem_free(writer);
}

/* How many tiles of each level are stored, from the last one's number. -1: no tree has as many. */
static int count_tiles(const PGresult *edges, uint64_t tiles[TILE_LEVELS])
{
	for (int row = 0; row < PQntuples(edges); row++) {
		int64_t level = row_int(edges, row, 0), number = row_int(edges, row, 1);
		assert(level >= 0 && level < TILE_LEVELS);
		if (number < 0 || number >= INT64_MAX / TILE_WIDTH)
			return -1;
		tiles[level] = (uint64_t)number + 1;
	}
	return 0;
}

int tile_writer_resume(struct tile_writer *writer, const PGresult *edges)
{
	uint64_t tiles[TILE_LEVELS] = { 0 }, found[TILE_LEVELS] = { 0 };
	struct merkle_hash root;
	if (count_tiles(edges, tiles) != 0)
		return -1;
	columns_clear(&writer->pending);
	tile_builder_init(&writer->builder, became_full, writer);
	tile_builder_resume(&writer->builder, tiles[0] * TILE_WIDTH);
	for (int row = 0; row < PQntuples(edges); row++) {
		unsigned level = (unsigned)row_int(edges, row, 0);
		uint64_t number = (uint64_t)row_int(edges, row, 1);
		if (number < tiles[level] / TILE_WIDTH * TILE_WIDTH)
			continue; /* below a full tile */
		if (level + 1 == TILE_LEVELS || number % TILE_WIDTH >= writer->builder.widths[level + 1] ||
			row_bytes(edges, row, 2, root.bytes, sizeof root.bytes))
			return -1;
		found[level]++;
		tile_builder_load(&writer->builder, level + 1, (unsigned)(number % TILE_WIDTH), &root);
	}
	for (unsigned level = 0; level + 1 < TILE_LEVELS; level++)
		if (found[level] != writer->builder.widths[level + 1] || tiles[level + 1] != tiles[level] / TILE_WIDTH)
			return -1;
	return 0;
}

uint64_t tile_writer_size(const struct tile_writer *writer)
{
	return writer->builder.size;
}

void tile_writer_append(struct tile_writer *writer, const struct merkle_hash *leaf)
{
	tile_builder_append(&writer->builder, leaf);
}

void tile_writer_root(const struct tile_writer *writer, struct merkle_hash *out)
{
	tile_builder_root(&writer->builder, out);
}

size_t tile_writer_pending(const struct tile_writer *writer)
{
	return writer->pending.rows;
}

void tile_writer_send(const struct tile_writer *writer, struct database *database)
{
	if (writer->pending.rows)
		columns_add(&writer->pending, database, &sql_tile_append);
}

void tile_writer_stored(struct tile_writer *writer)
{
	columns_clear(&writer->pending);
}
