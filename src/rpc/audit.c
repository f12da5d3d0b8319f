#include "base/memory.h"
#include "pure/merkle.h"
#include "pure/time.h"
#include "rpc/entry_filter.h"
#include "rpc/methods.h"
#include "rpc/request.h"
#include "service/batch.h"
#include "service/disclosure.h"
#include "service/ledger.h"
#include "service/service.h"
#include "service/train.h"
#include "sql.h"

#include <needtoknow/v1/audit.pb-c.h>

#include <string.h>

/*
 * ListEntries. That an auditor asks is an entry itself (P9), committed before the first line is read. With an id in the
 * filter the entries are found through it; without one the ledger is walked, skipping packed rows that hold nothing of
 * what is asked.
 */
#define ASKING_LASTS (3600 * TIME_SECOND)
#define LIST_ASK_STEP 3 /* list_ask, in the table below */
#define ROWS_AT_ONCE 32
/* A page that finds little gives what it has, and a token to go on from, after so many rows. */
#define READINGS_MAX 64
/* Bodies of a page beyond this end it early. */
#define PAGE_BYTES_MAX ((size_t)3 << 20)

struct list {
	const Needtoknow__V1__ListEntriesRequest *request;
	struct entry_filter filter;
	int32_t page_size;
	bool first_page, end;
	struct {
		int64_t index; /* the last that was looked at */
		int64_t recorded_at; /* when it was last recorded that this listing is being read */
	} position;
	unsigned readings;
	struct subject subject;

	/* Of the reading under way. */
	int64_t *indices;
	size_t index_count;
	unsigned rows;
	size_t bytes;

	Needtoknow__V1__Entry **found;
	size_t count;
};

/* ---- decode ---- */

static enum step_result list_decode(struct call *call)
{
	const Needtoknow__V1__ListEntriesRequest *request = (const Needtoknow__V1__ListEntriesRequest *)call->request;
	struct list *list = call_alloc(call, sizeof *list);
	bool found;
	if (!list)
		return STEP_NEXT;
	list->request = request;
	call->state = list;
	if (!request_page_size(call, request->page_size, &list->page_size) ||
		!entry_filter_decode(call, request->filter, request->newest_first, &list->filter))
		return STEP_DONE;
	if (!request_page_token(call, request->page_token, list->filter.scope, sizeof list->filter.scope,
		    &list->position, sizeof list->position, &found))
		return STEP_DONE;
	/* A token that is kept and read on from days later is another asking. */
	int64_t now = service_guess_time(call->service);
	list->first_page = !found || now - list->position.recorded_at > ASKING_LASTS;
	if (!found)
		list->position.index = request->newest_first ? INT64_MAX : -1;
	if (list->first_page)
		list->position.recorded_at = now;
	list->found = call_alloc(call, (size_t)list->page_size * sizeof *list->found);
	list->indices = call_alloc(call, (size_t)list->page_size * sizeof *list->indices);
	return STEP_NEXT;
}

/* ---- record that it was asked ---- */

static void pseudonym_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct list *list = target;
	(void)call;
	subject_read(result, row, 1, &list->subject);
}

static const struct read_kind pseudonym_read = {
	.statement = &sql_subject_pseudonym,
	.from = READ_STATE,
	.types = { PG_TEXT },
	.row = pseudonym_row,
};

static enum step_result list_ask_subject(struct call *call)
{
	struct list *list = call->state;
	if (list->first_page && list->filter.subject_id)
		batch_read(call, &pseudonym_read, list, (struct cell[]){ cell_text(list->filter.subject_id) });
	return STEP_NEXT;
}

static enum step_result list_commit(struct call *call)
{
	const struct list *list = call->state;
	if (call->awaited)
		return STEP_WAIT;
	return list->first_page ? train_board(call) : STEP_NEXT;
}

static enum boarding list_board(struct call *call, struct departure *departure)
{
	struct list *list = call->state;
	struct entry_draft draft;
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_AUDITED);
	entry_filter_shape(&list->filter, &draft);
	if (list->subject.known) {
		draft.entry.subject_pseudonym.data = list->subject.pseudonym;
		draft.entry.subject_pseudonym.len = sizeof list->subject.pseudonym;
	}
	struct recorded recorded = departure_entry(departure, &draft.entry);
	if (list->subject.known)
		departure_write(departure, WRITE_ENTRY_REFERENCE,
			(struct cell[]){ cell_number((int64_t)recorded.index), cell_bytes(NULL, 0),
				cell_text(list->filter.subject_id), cell_text(NULL), cell_text(NULL),
				cell_text(NULL) });
	return BOARDED;
}

/* ---- find ---- */

static bool full(const struct list *list)
{
	return list->count == (size_t)list->page_size || list->bytes > PAGE_BYTES_MAX;
}

/* What does not match takes none of the call's memory. */
static bool matches(const struct list *list, const uint8_t *body, size_t length)
{
	Needtoknow__V1__LedgerEntry *entry = needtoknow__v1__ledger_entry__unpack(NULL, length, body);
	bool match = entry && entry_filter_matches(&list->filter, entry);
	needtoknow__v1__ledger_entry__free_unpacked(entry, NULL);
	return match;
}

static void keep(struct call *call, struct list *list, uint64_t index, const uint8_t *body, size_t length)
{
	Needtoknow__V1__Entry *entry;
	struct merkle_hash leaf;
	if (!matches(list, body, length))
		return;
	Needtoknow__V1__LedgerEntry *decoded = entry_decode(call, body, length);
	entry = call_alloc(call, sizeof *entry);
	if (!entry || !decoded) {
		call_fail(call, GRPC_RESOURCE_EXHAUSTED, "CALL_TOO_LARGE",
			"the page needs more memory than a call may take; ask for less at once");
		return;
	}
	needtoknow__v1__entry__init(entry);
	merkle_leaf(body, length, &leaf);
	entry->index = index;
	entry->leaf_hash.data = arena_memdup(call->arena, leaf.bytes, sizeof leaf.bytes);
	entry->leaf_hash.len = entry->leaf_hash.data ? sizeof leaf.bytes : 0;
	entry->body.data = arena_memdup(call->arena, body, length);
	entry->body.len = entry->body.data ? length : 0;
	entry->entry = decoded;
	list->found[list->count++] = entry;
	list->bytes += length * 3;
}

static bool asked_for(const struct list *list, uint64_t index)
{
	for (size_t i = 0; i < list->index_count; i++)
		if (list->indices[i] == (int64_t)index)
			return true;
	return false;
}

/* Looks at one entry of a packed row, in the listing's order. */
static void look(struct call *call, struct list *list, uint64_t index, const uint8_t *body, size_t length)
{
	bool newest_first = list->request->newest_first;
	if (full(list) ||
		(newest_first ? (int64_t)index >= list->position.index : (int64_t)index <= list->position.index))
		return;
	if (list->filter.by && !asked_for(list, index))
		return;
	list->position.index = (int64_t)index;
	keep(call, list, index, body, length);
}

static void packed_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct list *list = target;
	const uint8_t *bodies = (const uint8_t *)PQgetvalue(result, row, 3), *body;
	size_t size = (size_t)PQgetlength(result, row, 3), offset = 0, length;
	uint64_t first = (uint64_t)row_int(result, row, 1);
	uint64_t count = (uint64_t)row_int(result, row, 2);
	list->rows++;
	if (!list->request->newest_first) {
		for (uint64_t index = first; !ledger_next_body(bodies, size, &offset, &body, &length); index++)
			look(call, list, index, body, length);
		return;
	}
	/* Bodies are packed forward: backwards each is found by its offset. */
	size_t *offsets = mem_calloc((size_t)count, sizeof *offsets);
	uint64_t n = 0;
	for (; n < count; n++) {
		offsets[n] = offset;
		if (ledger_next_body(bodies, size, &offset, &body, &length))
			break;
	}
	while (n-- > 0) {
		offset = offsets[n];
		if (!ledger_next_body(bodies, size, &offset, &body, &length))
			look(call, list, first + n, body, length);
	}
	mem_free(offsets);
}

static const struct read_kind rows_forward = { .statement = &sql_ledger_rows_forward,
	.from = READ_AUDIT,
	.types = { PG_INT8, PG_INT8, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ, PG_INT4 },
	.row = packed_row };
static const struct read_kind rows_backward = { .statement = &sql_ledger_rows_backward,
	.from = READ_AUDIT,
	.types = { PG_INT8, PG_INT8, PG_TIMESTAMPTZ, PG_TIMESTAMPTZ, PG_INT4 },
	.row = packed_row };
static const struct read_kind rows_holding = {
	.statement = &sql_ledger_rows_holding, .from = READ_AUDIT, .types = { PG_INT8, PG_INT8 }, .row = packed_row
};

static void index_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct list *list = target;
	(void)call;
	if (list->index_count < (size_t)list->page_size)
		list->indices[list->index_count++] = row_int(result, row, 1);
}

#define BY_TYPES                                                                                                       \
	{                                                                                                              \
		PG_UUID, PG_TEXT, PG_TEXT, PG_TEXT, PG_INT8, PG_INT8, PG_INT4                                          \
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
	[ENTRY_FILTER_BY_RECIPIENT] = { .statement = &sql_entries_of_recipient,
		.from = READ_AUDIT,
		.types = BY_TYPES,
		.row = index_row },
};

static void ask_rows(struct call *call, struct list *list)
{
	const struct entry_filter *filter = &list->filter;
	bool newest_first = list->request->newest_first;
	list->rows = 0;
	batch_read(call, newest_first ? &rows_backward : &rows_forward, list,
		(struct cell[]){ cell_number(list->position.index), cell_number((int64_t)filter->kinds),
			cell_number(filter->recorded_from), cell_number(filter->recorded_until),
			cell_number(ROWS_AT_ONCE) });
}

static void ask_indices(struct call *call, struct list *list)
{
	const struct entry_filter *filter = &list->filter;
	int64_t direction = list->request->newest_first ? -1 : 1;
	list->index_count = 0;
	batch_read(call, &indices_by[filter->by], list,
		(struct cell[]){ cell_bytes(filter->by_disclosure ? filter->disclosure_id : NULL, 16),
			cell_text(filter->subject_id), cell_text(filter->booking_id), cell_text(filter->recipient_id),
			cell_number(direction), cell_number(list->position.index), cell_number(list->page_size) });
}

static enum step_result list_ask(struct call *call)
{
	struct list *list = call->state;
	if (list->filter.by)
		ask_indices(call, list);
	else
		ask_rows(call, list);
	return STEP_NEXT;
}

/* The indices are known: the rows that hold them. An index whose body is gone is passed over. */
static enum step_result list_ask_bodies(struct call *call)
{
	struct list *list = call->state;
	if (call->awaited)
		return STEP_WAIT;
	for (size_t i = 0; list->filter.by && i < list->index_count; i++)
		batch_read(call, &rows_holding, list,
			(struct cell[]){ cell_number(list->indices[i]), cell_number((int64_t)(uintptr_t)list) });
	return STEP_NEXT;
}

static enum step_result list_gather(struct call *call)
{
	struct list *list = call->state;
	if (call->awaited)
		return STEP_WAIT;
	list->end = list->filter.by ? list->index_count < (size_t)list->page_size : list->rows < ROWS_AT_ONCE;
	if (list->filter.by && list->index_count && !full(list))
		list->position.index = list->indices[list->index_count - 1];
	if (!full(list) && !list->end && ++list->readings < READINGS_MAX) {
		call->step = LIST_ASK_STEP;
		return STEP_NEXT;
	}
	return STEP_NEXT;
}

static enum step_result list_reply(struct call *call)
{
	const struct list *list = call->state;
	Needtoknow__V1__ListEntriesResponse response = NEEDTOKNOW__V1__LIST_ENTRIES_RESPONSE__INIT;
	response.entries = list->found;
	response.n_entries = list->count;
	if (full(list) || !list->end)
		response.next_page_token = reply_page_token(
			call, list->filter.scope, sizeof list->filter.scope, &list->position, sizeof list->position);
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

const struct method audit_list_entries = {
	.path = "/needtoknow.v1.AuditService/ListEntries",
	.role = ROLE_AUDITOR,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__list_entries_request__descriptor,
	.steps = { list_decode, list_ask_subject, list_commit, list_ask, list_ask_bodies, list_gather, list_reply },
	.again = 1,
	.board = list_board,
	.train_class = TRAIN_SHARE,
};
