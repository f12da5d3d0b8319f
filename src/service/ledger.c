#include "service/ledger.h"

#include "pure/tile.h"
#include "pure/time.h"
#include "service/batch.h"
#include "sql.h"

#include <needtoknow/v1/ledger.pb-c.h>

static int64_t recorded_at(struct call *call, const uint8_t *body, size_t length)
{
	int64_t at = TIME_NONE;
	(void)call;
	Needtoknow__V1__LedgerEntry *entry = needtoknow__v1__ledger_entry__unpack(NULL, length, body);
	if (entry)
		time_from_timestamp(entry->recorded_at, &at);
	needtoknow__v1__ledger_entry__free_unpacked(entry, NULL);
	return at;
}

static void line_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct ledger_line *line = target;
	const uint8_t *bodies = (const uint8_t *)PQgetvalue(result, row, 2), *body;
	size_t size = (size_t)PQgetlength(result, row, 2), offset = 0, length;
	uint64_t index = (uint64_t)row_int(result, row, 1);
	for (; !tile_next_entry(bodies, size, &offset, &body, &length); index++) {
		if (index != line->recorded.index)
			continue;
		line->body = arena_memdup(call->arena, body, length);
		line->length = line->body ? length : 0;
		line->recorded.at = recorded_at(call, body, length);
		merkle_leaf(body, length, &line->recorded.leaf);
		return;
	}
}

static const struct read_kind bodies_around = {
	.statement = &sql_ledger_bodies_around,
	.from = READ_STATE,
	.types = { PG_INT8, PG_INT8 },
	.row = line_row,
};

static void leaf_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct ledger_line *line = target;
	(void)call;
	if (!line->length)
		row_bytes(result, row, 1, line->recorded.leaf.bytes, MERKLE_HASH_SIZE);
}

static const struct read_kind leaf_stored = {
	.statement = &sql_ledger_leaf,
	.from = READ_STATE,
	.types = { PG_INT8 },
	.row = leaf_row,
};

void ledger_read(struct call *call, uint64_t index, struct ledger_line *out)
{
	*out = (struct ledger_line){ .recorded.index = index };
	batch_read(call, &bodies_around, out,
		(struct cell[]){ cell_number((int64_t)index), cell_number((int64_t)(uintptr_t)out) });
	batch_read(call, &leaf_stored, out, (struct cell[]){ cell_number((int64_t)index) });
}
