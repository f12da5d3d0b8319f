#include "service/departure.h"

#include "base/memory.h"
#include "pure/time.h"
#include "sql.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

#define ENTRY_LENGTH_MAX 65535
#define BODIES_MAX ((size_t)128 << 20)
/* Whoever reads one entry reads as many around it; src/sql/audit.sql counts on it. */
#define MARK_EVERY 4
/* The index ledger_rare leaves these out: SHARED, DELIVERED, ACKNOWLEDGED, EXPIRED, WITHDRAWN, DELETION_CONFIRMED. */
#define COMMON_KINDS UINT64_C(1818)

/* Types are those of the statement's casts; the columns' meaning is in src/sql/train.sql. */
static const struct {
	const struct statement *statement;
	enum pg_type types[COLUMNS_MAX];
} writes[WRITE_KINDS] = {
	[WRITE_SUBJECT_KEY] = { &sql_write_subject_key, { PG_TEXT, PG_BYTEA, PG_BYTEA } },
	[WRITE_RECIPIENT] = { &sql_write_recipient,
		{ PG_TEXT, PG_INT2, PG_TEXT, PG_TEXT, PG_TEXT, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ, PG_INT2, PG_INT8 } },
	[WRITE_RECIPIENT_SUSPENDED] = { &sql_write_recipient_suspended, { PG_TEXT, PG_BOOL, PG_INT8 } },
	[WRITE_DEVICE_REVOKED] = { &sql_write_device_revoked, { PG_TEXT, PG_TEXT, PG_TIMESTAMPTZ, PG_INT8 } },
	[WRITE_DEVICE_CLEARED] = { &sql_write_device_cleared, { PG_TEXT, PG_TEXT, PG_TIMESTAMPTZ } },
	[WRITE_DEVICE] = { &sql_write_device, { PG_TEXT, PG_TEXT, PG_TIMESTAMPTZ } },
	[WRITE_EVERY_DEVICE] = { &sql_write_every_device, { PG_TEXT } },
	[WRITE_ANY_DEVICE] = { &sql_write_any_device, { PG_TEXT } },
	[WRITE_POLICY] = { &sql_write_policy, { PG_INT4, PG_BYTEA, PG_TEXT } },
	[WRITE_POLICY_ACTIVATION] = { &sql_write_policy_activation, { PG_INT8, PG_INT4, PG_TIMESTAMPTZ, PG_TEXT } },
	[WRITE_DISCLOSURE] = { &sql_write_disclosure,
		{ PG_UUID, PG_TEXT, PG_TEXT, PG_TEXT, PG_TEXT, PG_INT4, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ,
			PG_TIMESTAMPTZ, PG_BYTEA, PG_INT8 } },
	[WRITE_DISCLOSURE_END] = { &sql_write_disclosure_end, { PG_UUID, PG_INT2, PG_INT8 } },
	[WRITE_DISCLOSURE_MOVED] = { &sql_write_disclosure_moved,
		{ PG_UUID, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ } },
	[WRITE_DISCLOSURE_WITHHOLD] = { &sql_write_disclosure_withhold, { PG_UUID, PG_INT4 } },
	[WRITE_DUE] = { &sql_write_due, { PG_TEXT, PG_TEXT, PG_TIMESTAMPTZ, PG_UUID, PG_INT2 } },
	[WRITE_DUE_GONE] = { &sql_write_due_gone, { PG_TEXT, PG_TEXT, PG_TIMESTAMPTZ, PG_UUID, PG_INT2 } },
	[WRITE_DUE_TAKEN] = { &sql_write_due_taken, { PG_TEXT, PG_TEXT, PG_TIMESTAMPTZ, PG_UUID, PG_INT2 } },
	[WRITE_DUE_ENDED] = { &sql_write_due_ended, { PG_TEXT, PG_TIMESTAMPTZ, PG_UUID, PG_INT2 } },
	[WRITE_DUE_MOVED] = { &sql_write_due_moved, { PG_TEXT, PG_TIMESTAMPTZ, PG_UUID, PG_INT2, PG_TIMESTAMPTZ } },
	[WRITE_DUE_LOST] = { &sql_write_due_lost, { PG_TEXT, PG_UUID } },
	[WRITE_SENT] = { &sql_write_sent,
		{ PG_UUID, PG_INT2, PG_INT2, PG_INT8, PG_TEXT, PG_TEXT, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ, PG_BOOL,
			PG_BYTEA, PG_INT8, PG_TEXT } },
	[WRITE_SENT_REPEATED] = { &sql_write_sent_repeated, { PG_UUID, PG_INT2, PG_INT8, PG_TEXT } },
	[WRITE_SENT_ACKNOWLEDGED] = { &sql_write_sent_acknowledged, { PG_UUID, PG_INT2, PG_INT2, PG_INT8, PG_TEXT } },
	[WRITE_SENT_FREED] = { &sql_write_sent_freed, { PG_UUID, PG_INT2, PG_INT2, PG_TIMESTAMPTZ, PG_TEXT } },
	[WRITE_SENT_REOPENED] = { &sql_write_sent_reopened, { PG_UUID, PG_INT2, PG_TIMESTAMPTZ } },
	[WRITE_SENT_CORRECTED] = { &sql_write_sent_corrected, { PG_UUID, PG_INT2, PG_INT2, PG_INT8, PG_TIMESTAMPTZ } },
	[WRITE_SENT_LEFT] = { &sql_write_sent_left, { PG_UUID, PG_TEXT, PG_TIMESTAMPTZ } },
	[WRITE_SENT_CLOSED] = { &sql_write_sent_closed, { PG_UUID } },
	[WRITE_WITHDRAWAL] = { &sql_write_withdrawal,
		{ PG_UUID, PG_TEXT, PG_TEXT, PG_INT2, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ, PG_INT8, PG_BYTEA } },
	[WRITE_DELETION_CONFIRMED] = { &sql_write_deletion_confirmed,
		{ PG_UUID, PG_TEXT, PG_INT8, PG_TIMESTAMPTZ, PG_INT2, PG_TEXT, PG_TIMESTAMPTZ } },
	[WRITE_ENTRY_REFERENCE] = { &sql_write_entry_reference,
		{ PG_INT8, PG_UUID, PG_TEXT, PG_TEXT, PG_TEXT, PG_TEXT } },
	[WRITE_REQUEST] = { &sql_write_request, { PG_UUID, PG_BYTEA, PG_TEXT, PG_TEXT, PG_TIMESTAMPTZ } },
	[WRITE_REQUEST_MORE] = { &sql_write_request_more, { PG_UUID, PG_TEXT, PG_TEXT } },
	[WRITE_RIGHT] = { &sql_write_right, { PG_TEXT, PG_INT2, PG_TEXT, PG_TIMESTAMPTZ, PG_INT8 } },
	[WRITE_RIGHT_LIFTED] = { &sql_write_right_lifted, { PG_TEXT, PG_INT2, PG_TEXT } },
	[WRITE_RIGHT_UPHELD] = { &sql_write_right_upheld, { PG_TEXT, PG_INT2, PG_TEXT } },
	[WRITE_RIGHT_CONTACTS_READ] = { &sql_write_right_contacts_read, { PG_TEXT, PG_INT2, PG_TEXT } },
	[WRITE_RIGHT_CONTACTS_CHANGED] = { &sql_write_right_contacts_changed, { PG_TEXT } },
	[WRITE_SUPPRESSION] = { &sql_write_suppression, { PG_BYTEA, PG_INT2, PG_TEXT, PG_TEXT, PG_TIMESTAMPTZ } },
	[WRITE_SUPPRESSION_LIFTED] = { &sql_write_suppression_lifted, { PG_TEXT, PG_INT2, PG_TEXT } },
	[WRITE_RIGHTS_REQUEST] = { &sql_write_rights_request,
		{ PG_UUID, PG_INT8, PG_TEXT, PG_TEXT, PG_TEXT, PG_INT2, PG_TEXT, PG_TEXT, PG_INT2, PG_TIMESTAMPTZ,
			PG_TIMESTAMPTZ, PG_TIMESTAMPTZ, PG_INT2, PG_TIMESTAMPTZ } },
	[WRITE_RIGHTS_REQUEST_STATE] = { &sql_write_rights_request_state, { PG_UUID, PG_INT2, PG_TIMESTAMPTZ } },
	[WRITE_RIGHTS_REQUEST_EXTENDED] = { &sql_write_rights_request_extended, { PG_UUID, PG_TIMESTAMPTZ, PG_TEXT } },
	[WRITE_RESTRICTION_NOTICE] = { &sql_write_restriction_notice,
		{ PG_UUID, PG_TEXT, PG_TEXT, PG_BOOL, PG_TIMESTAMPTZ, PG_INT8, PG_BYTEA } },
	[WRITE_ERASURE] = { &sql_write_erasure, { PG_UUID, PG_TEXT, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ, PG_INT8 } },
	[WRITE_ERASURE_STATE] = { &sql_write_erasure_state, { PG_UUID, PG_INT2 } },
	[WRITE_SUBJECT_KEY_DESTROYED] = { &sql_write_subject_key_destroyed, { PG_TEXT } },
	[WRITE_ERASURE_COLUMN] = { &sql_write_erasure_column,
		{ PG_UUID, PG_INT2, PG_TEXT, PG_BOOL, PG_TEXT, PG_TEXT, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ } },
	[WRITE_COLUMN_SWEEP] = { &sql_write_column_sweep, { PG_TEXT, PG_UUID, PG_TEXT, PG_TIMESTAMPTZ } },
	[WRITE_COLUMNS_SWEPT] = { &sql_write_columns_swept, { PG_TEXT, PG_UUID } },
	[WRITE_VERIFIER_KEY] = { &sql_write_verifier_key, { PG_INT8, PG_TEXT } },
	[WRITE_PRUNED] = { &sql_write_pruned, { PG_INT8, PG_INT8, PG_TIMESTAMPTZ } },
	[WRITE_RECIPIENT_SLICE] = { &sql_write_recipient_slice, { PG_TEXT, PG_INT8, PG_TEXT, PG_INT8 } },
};

/* A recipient's entries in the packed row. */
struct slice {
	char *recipient_id;
	struct buffer entries; /* of place_of(), `193,1089` */
	uint64_t kinds;
	UT_hash_handle hh;
};

struct departure {
	int64_t now;
	uint64_t first_index;
	struct merkle_frontier frontier;
	uint64_t kinds; /* bit k: an entry of kind k */
	struct buffer bodies; /* u16 length and bytes of each entry */
	struct pg_array marks; /* where every MARK_EVERY-th begins */
	struct pg_array rare; /* which are of other kinds than the common ones */
	struct slice *slices;
	struct columns columns[WRITE_KINDS];
};

struct departure *departure_new(void)
{
	struct departure *departure = mem_calloc(1, sizeof *departure);
	buffer_init(&departure->bodies, BODIES_MAX);
	pg_array_init(&departure->marks, PG_INT4, BODIES_MAX);
	pg_array_init(&departure->rare, PG_INT4, BODIES_MAX);
	for (int kind = 0; kind < WRITE_KINDS; kind++)
		columns_init(&departure->columns[kind], writes[kind].types);
	return departure;
}

static void forget_slices(struct departure *departure)
{
	struct slice *slice, *next;
	HASH_ITER (hh, departure->slices, slice, next) {
		HASH_DEL(departure->slices, slice);
		buffer_release(&slice->entries);
		mem_free(slice->recipient_id);
		mem_free(slice);
	}
}

void departure_free(struct departure *departure)
{
	if (!departure)
		return;
	forget_slices(departure);
	for (int kind = 0; kind < WRITE_KINDS; kind++)
		columns_release(&departure->columns[kind]);
	buffer_release(&departure->bodies);
	pg_array_release(&departure->marks);
	pg_array_release(&departure->rare);
	mem_free(departure);
}

void departure_clear(struct departure *departure)
{
	for (int kind = 0; kind < WRITE_KINDS; kind++)
		if (departure->columns[kind].rows)
			columns_clear(&departure->columns[kind]);
	forget_slices(departure);
	buffer_clear(&departure->bodies);
	pg_array_clear(&departure->marks);
	pg_array_clear(&departure->rare);
	departure->kinds = 0;
}

void departure_begin(struct departure *departure, const struct merkle_frontier *head, int64_t now)
{
	departure_clear(departure);
	departure->frontier = *head;
	departure->first_index = head->size;
	departure->now = now;
}

int64_t departure_now(const struct departure *departure)
{
	return departure->now;
}

/* Where the entry that comes next stands in the packed row, and its kind, as needtoknow.ledger.rare has it. */
static int64_t place_of(const struct departure *departure, unsigned kind)
{
	return (int64_t)departure_entries(departure) << 6 | kind;
}

/* The entry that comes next is one of this recipient's. */
static void extend_slice(struct departure *departure, const char *recipient_id, unsigned kind)
{
	char text[24];
	struct slice *slice;
	HASH_FIND_STR(departure->slices, recipient_id, slice);
	if (!slice) {
		slice = mem_calloc(1, sizeof *slice);
		slice->recipient_id = mem_strdup(recipient_id);
		buffer_init(&slice->entries, BODIES_MAX);
		HASH_ADD_KEYPTR(hh, departure->slices, slice->recipient_id, strlen(slice->recipient_id), slice);
	}
	int length = snprintf(
		text, sizeof text, slice->entries.length ? ",%" PRId64 : "%" PRId64, place_of(departure, kind));
	int failed = buffer_append(&slice->entries, text, (size_t)length);
	assert(!failed);
	(void)failed;
	slice->kinds |= UINT64_C(1) << kind;
}

struct recorded departure_entry(struct departure *departure, Needtoknow__V1__LedgerEntry *entry)
{
	Google__Protobuf__Timestamp recorded_at;
	struct recorded recorded = { .index = departure->frontier.size, .at = departure->now };

	time_to_timestamp(departure->now, &recorded_at);
	entry->recorded_at = &recorded_at;
	size_t length = needtoknow__v1__ledger_entry__get_packed_size(entry);
	assert(length <= ENTRY_LENGTH_MAX && entry->kind > 0 && entry->kind < 64);

	size_t at = departure->bodies.length;
	int failed = departure_entries(departure) % MARK_EVERY ? 0 : pg_array_int(&departure->marks, (int64_t)at);
	if (!(COMMON_KINDS >> entry->kind & 1))
		failed |= pg_array_int(&departure->rare, place_of(departure, entry->kind));
	failed |= buffer_append_u16(&departure->bodies, (uint16_t)length);
	uint8_t *body = buffer_reserve(&departure->bodies, length);
	assert(!failed && body);
	needtoknow__v1__ledger_entry__pack(entry, body);
	merkle_leaf(body, length, &recorded.leaf);
	buffer_commit(&departure->bodies, length);
	if (entry->recipient_id && *entry->recipient_id)
		extend_slice(departure, entry->recipient_id, (unsigned)entry->kind);
	merkle_append(&departure->frontier, &recorded.leaf);
	departure->kinds |= UINT64_C(1) << entry->kind;
	entry->recorded_at = NULL;
	return recorded;
}

void departure_write(struct departure *departure, enum write_kind kind, const struct cell *cells)
{
	int failed = columns_append(&departure->columns[kind], cells);
	assert(!failed);
	(void)failed;
}

size_t departure_entries(const struct departure *departure)
{
	return (size_t)(departure->frontier.size - departure->first_index);
}

uint64_t departure_first_index(const struct departure *departure)
{
	return departure->first_index;
}

const struct merkle_frontier *departure_frontier(const struct departure *departure)
{
	return &departure->frontier;
}

bool departure_carries(const struct departure *departure, Needtoknow__V1__EntryKind kind)
{
	return departure->kinds >> kind & 1;
}

static int send_ledger(const struct departure *departure, struct database *database, const uint8_t train_id[16])
{
	uint8_t first[8], count[4], kinds[8], now[8], size[8];
	uint32_t entries = (uint32_t)departure_entries(departure);
	unsigned nodes = merkle_frontier_count(departure->frontier.size);

	pg_put_int8(first, (int64_t)departure->first_index);
	pg_put_int8(kinds, (int64_t)departure->kinds);
	pg_put_int8(size, (int64_t)departure->frontier.size);
	pg_put_time(now, departure->now);
	for (int i = 0; i < 4; i++)
		count[i] = (uint8_t)(entries >> (24 - 8 * i));

	if (entries) {
		struct parameter append[] = { { first, 8 }, { count, 4 }, { now, 8 }, { kinds, 8 }, { train_id, 16 },
			{ departure->bodies.data, departure->bodies.length },
			{ departure->marks.bytes.data, departure->marks.bytes.length },
			{ departure->rare.count ? departure->rare.bytes.data : NULL, departure->rare.bytes.length } };
		database_add(database, &sql_ledger_append, append);
	}
	struct parameter move[] = { { size, 8 }, { departure->frontier.nodes, (size_t)nodes * MERKLE_HASH_SIZE },
		{ now, 8 }, { train_id, 16 } };
	database_add(database, &sql_head_move, move);
	return entries ? 2 : 1;
}

static void write_slices(struct departure *departure)
{
	struct slice *slice, *next;
	HASH_ITER (hh, departure->slices, slice, next)
		departure_write(departure, WRITE_RECIPIENT_SLICE,
			(struct cell[]){ cell_text(slice->recipient_id), cell_number((int64_t)departure->first_index),
				cell_bytes(slice->entries.data, slice->entries.length),
				cell_number((int64_t)slice->kinds) });
	forget_slices(departure);
}

int departure_send(struct departure *departure, struct database *database, const uint8_t train_id[16])
{
	int sent = 0;
	write_slices(departure);
	for (int kind = 0; kind < WRITE_KINDS; kind++) {
		if (!departure->columns[kind].rows)
			continue;
		columns_add(&departure->columns[kind], database, writes[kind].statement);
		sent++;
	}
	return sent + send_ledger(departure, database, train_id);
}
