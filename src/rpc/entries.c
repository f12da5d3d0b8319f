#include "rpc/entries.h"

#include "base/memory.h"
#include "pure/merkle.h"
#include "pure/message.h"
#include "pure/tile.h"
#include "service/batch.h"
#include "sql.h"

#include <needtoknow/v1/ledger.pb-c.h>

#include <assert.h>
#include <string.h>

/* Rows of one entry are as many as this for the bytes of a reading; whoever asks for fewer is not kept from them. */
#define BYTES_A_ROW 512
#define BUDGET_FIRST ((size_t)64 << 10)
#define BUDGET_MAX ((size_t)1 << 20)
/* Hashes of pruned entries come so many tiles at a time. */
#define TILES_AT_ONCE 4

void entries_begin(struct call *call, struct entries *entries, const struct entry_filter *filter, bool newest_first,
	size_t index_max)
{
	memset(entries, 0, sizeof *entries);
	entries->filter = filter;
	entries->newest_first = newest_first;
	entries->next = newest_first ? INT64_MAX : 0;
	entries->budget = BUDGET_FIRST;
	entries->budget_max = BUDGET_MAX;
	entries->bounded = !filter->by_time;
	entries->upper = INT64_MAX;
	entries->index_max = index_max;
	entries->indices = call_alloc(call, index_max * sizeof *entries->indices);
}

/* ---- taking ---- */

static void offer(struct call *call, struct entries *entries, const struct found_entry *entry)
{
	if (entries->stopped)
		return;
	if (entries->take(call, entries, entry))
		entries->taken++;
	else
		entries->stopped = true;
}

/* Everything between `next` and this index was looked at, or is not there. */
static void pass(struct entries *entries, int64_t index)
{
	if (!entries->stopped)
		entries->next = index;
}

/* Entries from `from` to before `until` have no body: their hashes are asked for before anything behind them is taken.
 */
static void find_gap(struct entries *entries, int64_t from, int64_t until)
{
	if (entries->stopped)
		return;
	entries->stopped = true;
	entries->gap = from;
	entries->gap_end = until;
}

/* A piece of a packed row. */
struct piece {
	int64_t from, until; /* the first index in it, and that behind the row's last entry */
	const uint8_t *bodies;
	size_t size;
};

static void consider(struct call *call, struct entries *entries, int64_t index, const uint8_t *body, size_t length)
{
	struct found_entry entry = { .index = (uint64_t)index, .body = body, .length = length };
	if (entry_filter_matches(entries->filter, body, length))
		offer(call, entries, &entry);
}

static void piece_forward(struct call *call, struct entries *entries, const struct piece *piece)
{
	const uint8_t *body;
	size_t offset = 0, length;
	int64_t index = piece->from, before = entries->next;
	if (entries->filter->everything && index > before)
		find_gap(entries, before, index);
	for (; !entries->stopped && !tile_next_entry(piece->bodies, piece->size, &offset, &body, &length); index++) {
		if (index < entries->next)
			continue;
		consider(call, entries, index, body, length);
		pass(entries, index + 1);
	}
	if (entries->stopped || index >= piece->until)
		return;
	/* It goes on, in the next reading; or it is damaged. */
	if (entries->next > before)
		entries->stopped = true;
	else if (entries->filter->everything)
		find_gap(entries, entries->next, piece->until);
	else
		pass(entries, piece->until);
}

static void piece_backward(struct call *call, struct entries *entries, const struct piece *piece)
{
	const uint8_t *body;
	size_t count = 0, size = 64, offset = 0, length;
	size_t *offsets = mem_alloc(size * sizeof *offsets);
	for (size_t at = 0; !tile_next_entry(piece->bodies, piece->size, &offset, &body, &length); at = offset) {
		if (count == size)
			offsets = mem_realloc(offsets, (size *= 2) * sizeof *offsets);
		offsets[count++] = at;
	}
	int64_t end = piece->from + (int64_t)count;
	if (entries->filter->everything && entries->next != INT64_MAX && end < entries->next)
		find_gap(entries, end, entries->next);
	while (count-- > 0 && !entries->stopped) {
		int64_t index = piece->from + (int64_t)count;
		if (index >= entries->next)
			continue;
		offset = offsets[count];
		tile_next_entry(piece->bodies, piece->size, &offset, &body, &length);
		consider(call, entries, index, body, length);
		pass(entries, index);
	}
	mem_free(offsets);
}

/* Columns: the packed row, the first index here, the index behind the row, the bodies. */
static void row_came(struct call *call, void *target, const PGresult *result, int row)
{
	struct entries *entries = target;
	const struct piece piece = {
		.from = row_int(result, row, 2),
		.until = row_int(result, row, 3),
		.bodies = (const uint8_t *)PQgetvalue(result, row, 4),
		.size = (size_t)PQgetlength(result, row, 4),
	};
	int64_t packed = row_int(result, row, 1);
	entries->rows++;
	entries->bytes += piece.size;
	if (entries->newest_first) {
		piece_backward(call, entries, &piece);
		pass(entries, packed < entries->next ? packed : entries->next);
	} else {
		piece_forward(call, entries, &piece);
		pass(entries, piece.until > entries->next ? piece.until : entries->next);
	}
}

/* ---- the readings ---- */

#define WALK_TYPES                                                                                                     \
	{                                                                                                              \
		PG_INT8, PG_INT8, PG_INT4, PG_INT4                                                                     \
	}
static const struct read_kind walks[2] = {
	{ .statement = &sql_ledger_walk_forward, .from = READ_AUDIT, .types = WALK_TYPES, .row = row_came },
	{ .statement = &sql_ledger_walk_backward, .from = READ_AUDIT, .types = WALK_TYPES, .row = row_came },
};

/* Where reading ends, as the statements have it. */
static int64_t bound_of(const struct entries *entries)
{
	return entries->newest_first ? entries->lower : entries->upper;
}

static size_t rows_at_once(const struct entries *entries)
{
	return entries->budget / BYTES_A_ROW;
}

static void ask_rows(struct call *call, struct entries *entries)
{
	entries->rows = entries->bytes = 0;
	entries->taken_before = entries->taken;
	entries->reading = ENTRIES_ROWS;
	batch_read(call, &walks[entries->newest_first], entries,
		(struct cell[]){ cell_number(entries->next), cell_number((int64_t)entries->filter->kinds),
			cell_number((int64_t)rows_at_once(entries)), cell_number((int64_t)entries->budget) });
}

/* No bound of the times is in the statements: `next` begins at one, and reading ends behind the other. */
static void bounds_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct entries *entries = target;
	int64_t size = row_int(result, row, 3);
	(void)call;
	if (entries->filter->recorded_from != INT64_MIN)
		entries->lower = row_is_null(result, row, 1) ? size : row_int(result, row, 1);
	if (!row_is_null(result, row, 2))
		entries->upper = row_int(result, row, 2);
	if (!entries->newest_first && entries->next < entries->lower)
		entries->next = entries->lower;
	if (entries->newest_first && entries->next > entries->upper)
		entries->next = entries->upper;
}

static const struct read_kind bounds_read = { .statement = &sql_ledger_bounds,
	.from = READ_AUDIT,
	.types = { PG_TIMESTAMPTZ, PG_TIMESTAMPTZ },
	.row = bounds_row };

static void ask_bounds(struct call *call, struct entries *entries)
{
	const struct entry_filter *filter = entries->filter;
	entries->reading = ENTRIES_BOUNDS;
	batch_read(call, &bounds_read, entries,
		(struct cell[]){ cell_number(filter->recorded_from), cell_number(filter->recorded_until) });
}

static void index_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct entries *entries = target;
	(void)call;
	assert(entries->index_count < entries->index_max);
	entries->indices[entries->index_count++] = row_int(result, row, 1);
}

#define BY_TYPES                                                                                                       \
	{                                                                                                              \
		PG_UUID, PG_TEXT, PG_TEXT, PG_INT8, PG_INT8, PG_INT4                                                   \
	}
static const struct read_kind indices_by[] = {
	[ENTRY_FILTER_BY_DISCLOSURE] = { .statement = &sql_entries_of_disclosure,
		.from = READ_AUDIT,
		.types = BY_TYPES,
		.row = index_row },
	[ENTRY_FILTER_BY_BOOKING] = { .statement = &sql_entries_of_booking,
		.from = READ_AUDIT,
		.types = BY_TYPES,
		.row = index_row },
	[ENTRY_FILTER_BY_SUBJECT] = { .statement = &sql_entries_of_subject,
		.from = READ_AUDIT,
		.types = BY_TYPES,
		.row = index_row },
};

#define RARE_TYPES                                                                                                     \
	{                                                                                                              \
		PG_INT8, PG_INT8, PG_INT8, PG_INT4                                                                     \
	}
#define RECIPIENT_TYPES                                                                                                \
	{                                                                                                              \
		PG_TEXT, PG_INT8, PG_INT8, PG_INT8, PG_INT4                                                            \
	}
static const struct read_kind rare[2] = {
	{ .statement = &sql_entries_rare_forward, .from = READ_AUDIT, .types = RARE_TYPES, .row = index_row },
	{ .statement = &sql_entries_rare_backward, .from = READ_AUDIT, .types = RARE_TYPES, .row = index_row },
};
static const struct read_kind recipient[2] = {
	{ .statement = &sql_entries_of_recipient_forward,
		.from = READ_AUDIT,
		.types = RECIPIENT_TYPES,
		.row = index_row },
	{ .statement = &sql_entries_of_recipient_backward,
		.from = READ_AUDIT,
		.types = RECIPIENT_TYPES,
		.row = index_row },
};

static void ask_indices(struct call *call, struct entries *entries)
{
	const struct entry_filter *filter = entries->filter;
	struct cell next = cell_number(entries->next), kinds = cell_number((int64_t)filter->kinds);
	struct cell bound = cell_number(bound_of(entries));
	struct cell amount = cell_number((int64_t)entries->index_max);
	entries->index_count = 0;
	entries->reading = ENTRIES_INDICES;
	if (filter->by == ENTRY_FILTER_BY_RARE) {
		batch_read(call, &rare[entries->newest_first], entries, (struct cell[]){ next, bound, kinds, amount });
		return;
	}
	if (filter->by == ENTRY_FILTER_BY_RECIPIENT) {
		batch_read(call, &recipient[entries->newest_first], entries,
			(struct cell[]){ cell_text(filter->recipient_id), next, bound, kinds, amount });
		return;
	}
	batch_read(call, &indices_by[filter->by], entries,
		(struct cell[]){ cell_bytes(filter->disclosure_text ? filter->disclosure_id : NULL, 16),
			cell_text(filter->subject_id), cell_text(filter->booking_id),
			cell_number(entries->newest_first ? -1 : 1),
			cell_number(entries->newest_first ? entries->next : entries->next - 1), amount });
}

static bool asked_for(const struct entries *entries, int64_t index)
{
	size_t low = 0, high = entries->index_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int64_t there = entries->indices[middle];
		if (there == index)
			return true;
		if (entries->newest_first ? there > index : there < index)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* Entries around those that were asked for: the index of the first, and their bodies. */
static void bodies_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct entries *entries = target;
	const uint8_t *bodies = (const uint8_t *)PQgetvalue(result, row, 2), *body;
	size_t size = (size_t)PQgetlength(result, row, 2), offset = 0, length, count = 0;
	int64_t first = row_int(result, row, 1);
	while (!tile_next_entry(bodies, size, &offset, &body, &length))
		count++;
	for (size_t i = 0; i < count && !entries->stopped; i++) {
		int64_t index = first + (int64_t)(entries->newest_first ? count - 1 - i : i);
		bool seen = entries->newest_first ? index >= entries->next : index < entries->next;
		if (seen || !asked_for(entries, index))
			continue;
		offset = 0;
		for (int64_t at = first; at <= index; at++)
			tile_next_entry(bodies, size, &offset, &body, &length);
		consider(call, entries, index, body, length);
		pass(entries, entries->newest_first ? index : index + 1);
	}
}

static const struct read_kind bodies_read = {
	.statement = &sql_ledger_bodies_around, .from = READ_AUDIT, .types = { PG_INT8, PG_INT8 }, .row = bodies_row
};

static void ask_bodies(struct call *call, struct entries *entries)
{
	entries->reading = ENTRIES_BODIES;
	for (size_t i = 0; i < entries->index_count; i++)
		batch_read(call, &bodies_read, entries,
			(struct cell[]){ cell_number(entries->indices[i]), cell_number((int64_t)(uintptr_t)entries) });
}

static void leaves_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct entries *entries = target;
	const uint8_t *hashes = (const uint8_t *)PQgetvalue(result, row, 2);
	int64_t first = row_int(result, row, 1), count = PQgetlength(result, row, 2) / MERKLE_HASH_SIZE;
	for (int64_t i = 0; i < count && !entries->stopped; i++) {
		int64_t at = entries->newest_first ? count - 1 - i : i;
		struct found_entry entry = { .index = (uint64_t)(first + at), .leaf = hashes + at * MERKLE_HASH_SIZE };
		offer(call, entries, &entry);
		pass(entries, (int64_t)entry.index + (entries->newest_first ? 0 : 1));
	}
}

static const struct read_kind leaves_read = {
	.statement = &sql_leaf_hashes, .from = READ_AUDIT, .types = { PG_INT8, PG_INT4, PG_INT4 }, .row = leaves_row
};

/* The next tiles of the gap, from the side on which reading goes on. */
static void ask_leaves(struct call *call, struct entries *entries)
{
	int64_t from = entries->gap, until = entries->gap_end;
	entries->reading = ENTRIES_LEAVES;
	for (int i = 0; i < TILES_AT_ONCE && from < until; i++) {
		int64_t number = (entries->newest_first ? until - 1 : from) / TILE_WIDTH;
		int64_t low = number * TILE_WIDTH, high = low + TILE_WIDTH;
		if (low < from)
			low = from;
		if (high > until)
			high = until;
		batch_read(call, &leaves_read, entries,
			(struct cell[]){ cell_number(number), cell_number(low % TILE_WIDTH), cell_number(high - low) });
		if (entries->newest_first)
			until = low;
		else
			from = high;
	}
	/* What remains of it behind this reading. */
	if (entries->newest_first)
		entries->gap_end = until;
	else
		entries->gap = from;
}

/* ---- one after the other ---- */

static void settle_rows(struct entries *entries)
{
	bool all = entries->rows < rows_at_once(entries) && entries->bytes < entries->budget;
	if (entries->stopped || !all)
		return;
	if (entries->newest_first && entries->filter->everything && entries->next > 0 && entries->next != INT64_MAX)
		find_gap(entries, 0, entries->next);
	else
		entries->end = true;
}

static void settle_bodies(struct entries *entries)
{
	if (entries->stopped)
		return;
	/* An index whose body is gone is passed over. */
	if (entries->index_count) {
		int64_t last = entries->indices[entries->index_count - 1];
		entries->next = entries->newest_first ? last : last + 1;
	}
	entries->end = entries->index_count < entries->index_max;
}

/* The gap's rest is the next reading's; where there were no hashes, nothing is known of these entries. */
static void settle_leaves(struct entries *entries)
{
	if (entries->stopped) {
		entries->gap = entries->gap_end = 0;
		return;
	}
	entries->next = entries->newest_first ? entries->gap_end : entries->gap;
	entries->end = entries->newest_first && entries->next == 0;
}

bool entries_more(struct entries *entries)
{
	switch (entries->reading) {
	case ENTRIES_BOUNDS:
		entries->bounded = true;
		break;
	case ENTRIES_ROWS:
		settle_rows(entries);
		break;
	case ENTRIES_BODIES:
		settle_bodies(entries);
		break;
	case ENTRIES_LEAVES:
		settle_leaves(entries);
		break;
	case ENTRIES_INDICES:
		entries->end = !entries->index_count;
		break;
	case ENTRIES_NOTHING:
		break;
	}
	if (entries->reading != ENTRIES_INDICES || entries->end)
		entries->reading = ENTRIES_NOTHING;
	if (entries->newest_first ? entries->next <= entries->lower : entries->next >= entries->upper)
		entries->end = true;
	return !entries->end;
}

/* As much as what is still wanted will take, going by what the reading before brought; double where it brought nothing.
 */
static size_t next_budget(const struct entries *entries)
{
	size_t found = entries->taken - entries->taken_before, wanted = entries->index_max - entries->taken;
	size_t budget = entries->budget * 2;
	if (!entries->bytes)
		return entries->budget;
	if (found && entries->taken < entries->index_max)
		budget = entries->bytes * wanted / found * 5 / 4;
	return budget < BUDGET_FIRST ? BUDGET_FIRST : budget > entries->budget_max ? entries->budget_max : budget;
}

void entries_ask(struct call *call, struct entries *entries)
{
	entries->stopped = false;
	entries->readings++;
	if (!entries->bounded)
		ask_bounds(call, entries);
	else if (entries->gap < entries->gap_end)
		ask_leaves(call, entries);
	else if (entries->reading == ENTRIES_INDICES)
		ask_bodies(call, entries);
	else if (entries->filter->by)
		ask_indices(call, entries);
	else {
		if (entries->budget < entries->budget_max)
			entries->budget = next_budget(entries);
		ask_rows(call, entries);
	}
}

/* ---- as bytes ---- */

#define TAG(field, type) ((uint8_t)((field) << 3 | (type)))
enum {
	VARINT = 0,
	BYTES = 2
};

static size_t varint_size(uint64_t value)
{
	size_t size = 1;
	while (value >>= 7)
		size++;
	return size;
}

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*at++ = (uint8_t)(value | 0x80);
	*at++ = (uint8_t)value;
	return at;
}

static size_t bytes_size(size_t length)
{
	return length ? 1 + varint_size(length) + length : 0;
}

static uint8_t *put_bytes(uint8_t *at, unsigned field, const uint8_t *bytes, size_t length)
{
	if (!length)
		return at;
	*at++ = TAG(field, BYTES);
	at = put_varint(at, length);
	memcpy(at, bytes, length);
	return at + length;
}

int entries_append(struct buffer *out, const struct found_entry *entry, bool decoded)
{
	struct merkle_hash hash;
	const uint8_t *leaf = entry->leaf;
	decoded = decoded && message_well_formed(&needtoknow__v1__ledger_entry__descriptor, entry->body, entry->length);
	size_t inner = (entry->index ? 1 + varint_size(entry->index) : 0) + bytes_size(MERKLE_HASH_SIZE) +
		bytes_size(entry->length) * (decoded ? 2 : 1);
	size_t size = 1 + varint_size(inner) + inner;
	uint8_t *at = buffer_reserve(out, size);
	if (!at)
		return -1;
	if (!leaf) {
		merkle_leaf(entry->body, entry->length, &hash);
		leaf = hash.bytes;
	}
	*at++ = TAG(1, BYTES);
	at = put_varint(at, inner);
	if (entry->index) {
		*at++ = TAG(1, VARINT);
		at = put_varint(at, entry->index);
	}
	at = put_bytes(at, 2, leaf, MERKLE_HASH_SIZE);
	at = put_bytes(at, 3, entry->body, entry->length);
	if (decoded)
		at = put_bytes(at, 4, entry->body, entry->length);
	assert(at == out->data + out->length + size);
	buffer_commit(out, size);
	return 0;
}
