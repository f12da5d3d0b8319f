#include "base/fault.h"
#include "pure/identifier.h"
#include "rpc/asked.h"
#include "rpc/column_value.h"
#include "rpc/methods.h"
#include "rpc/notification.h"
#include "service/batch.h"
#include "service/company.h"
#include "service/refusal.h"
#include "service/service.h"
#include "service/train.h"
#include "sql.h"

#include <string.h>

/*
 * Rectify: GDPR art. 16, 19. The company's function first, under the request's key, under which it does nothing twice;
 * then the entry. Whoever was sent the old value is told by the company's change queue (service/corrector.h). A worker
 * that dies in between leaves a changed value without its entry: the caller, who was not answered, asks again.
 */
struct rectify {
	struct asked asked; /* first: its steps take it from call->state */
	const Needtoknow__V1__ColumnValue *value;
	const char *outcome; /* what the company's function said; NULL: it was not asked yet */
	bool unchanged, refused;
	/* Which have another value now: what was asked first, then what the company makes of it, such as a district. */
	char *columns[POLICY_FIELDS_MAX];
	size_t column_count;
	struct held {
		const struct policy_release *release;
		uint64_t left_out;
		const char *recipient_id, *device;
	} * held; /* who was sent what last */
	size_t held_count;
	struct recall *recall;
};

/* ---- decode ---- */

static enum step_result rectify_decode(struct call *call)
{
	const Needtoknow__V1__RectifyRequest *request = (const Needtoknow__V1__RectifyRequest *)call->request;
	static const Needtoknow__V1__ColumnValue none = NEEDTOKNOW__V1__COLUMN_VALUE__INIT;
	struct rectify *rectify = call_alloc(call, sizeof *rectify);
	if (!rectify)
		return STEP_NEXT;
	call->state = rectify;
	const Needtoknow__V1__ColumnValue *value = rectify->value = request->value ? request->value : &none;
	const protobuf_c_boolean is_null = value->is_null;
	const struct secret_field content[] = { { value->column, strlen(value->column) },
		{ value->value, strlen(value->value) }, { &is_null, sizeof is_null } };
	const struct asked_fields fields = { request->request_id, request->subject_id, request->channel,
		request->received_at };
	if (!asked_decode(call, &rectify->asked, NEEDTOKNOW__V1__RIGHTS_REQUEST_KIND__RIGHTS_REQUEST_KIND_RECTIFY,
		    &fields, content, 3) ||
		!column_value_decode(call, value))
		return STEP_DONE;
	return STEP_NEXT;
}

/* ---- the columns ---- */

/* Each once, and no more than an entry names. */
static void add_column(struct call *call, struct rectify *rectify, const char *name, size_t length)
{
	if (rectify->column_count == POLICY_FIELDS_MAX || !identifier_valid(name, length))
		return;
	for (size_t i = 0; i < rectify->column_count; i++)
		if (strlen(rectify->columns[i]) == length && !memcmp(rectify->columns[i], name, length))
			return;
	char *column = call_alloc(call, length + 1);
	if (!column)
		return;
	memcpy(column, name, length);
	rectify->columns[rectify->column_count++] = column;
}

/* A line each. */
static const char *column_lines(struct call *call, const struct rectify *rectify)
{
	char *lines = call_alloc(call, rectify->column_count * (IDENTIFIER_MAX + 1) + 1), *end = lines;
	for (size_t i = 0; lines && i < rectify->column_count; i++) {
		size_t length = strlen(rectify->columns[i]);
		if (i)
			*end++ = '\n';
		memcpy(end, rectify->columns[i], length);
		end += length;
	}
	return lines ? lines : ""; /* the call has failed */
}

/* ---- change: the company's database; and who was sent what ---- */

static void outcome_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct rectify *rectify = target;
	const char *outcome = row_text(result, row, 0, call);
	const char *columns = row_is_null(result, row, 1) ? NULL : row_text(result, row, 1, call);
	rectify->outcome = outcome ? outcome : "";
	rectify->column_count = 0;
	add_column(call, rectify, rectify->value->column, strlen(rectify->value->column));
	for (const char *at = columns; at && *at;) {
		size_t length = strcspn(at, "\n");
		add_column(call, rectify, at, length);
		at += length + (at[length] == '\n');
	}
}

static void ask_company(struct call *call, struct rectify *rectify)
{
	const Needtoknow__V1__ColumnValue *value = rectify->value;
	const struct parameter parameters[] = { { rectify->asked.repeat.key, sizeof rectify->asked.repeat.key },
		{ rectify->asked.subject_id, strlen(rectify->asked.subject_id) },
		{ value->column, strlen(value->column) },
		{ value->is_null ? NULL : value->value, value->is_null ? 0 : strlen(value->value) } };
	company_ask(call,
		&(struct company_asking){ .function = COMPANY_RECTIFY,
			.parameters = parameters,
			.row = outcome_row,
			.target = rectify,
			.refused = &rectify->refused });
}

static void held_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct rectify *rectify = target;
	int64_t release = row_int(result, row, 5);
	/* Of a policy that this worker cannot read it is not known: a rectification does not wait for that. */
	const struct policy *policy = rulebook_policy(service_rulebook(call->service), (int)row_int(result, row, 3));
	const char *name = row_text(result, row, 2, call);
	const struct policy_service *service = policy && name ? policy_service(policy, name) : NULL;
	if (!rectify->held)
		rectify->held = call_alloc(call, (size_t)row_int(result, row, 1) * sizeof *rectify->held);
	if (!service || !rectify->held || release < 0 || (size_t)release >= service->release_count)
		return;
	const char *recipient_id = row_text(result, row, 4, call), *device = row_text(result, row, 7, call);
	if (recipient_id && device)
		rectify->held[rectify->held_count++] = (struct held){ &service->releases[release],
			(uint64_t)row_int(result, row, 6), recipient_id, device };
}

static const struct read_kind held_read = {
	.statement = &sql_sendings_held,
	.from = READ_STATE,
	.types = { PG_TEXT },
	.row = held_row,
};

static enum step_result rectify_change(struct call *call)
{
	struct rectify *rectify = call->state;
	if (rectify->asked.repeat.found == REPEAT_OTHER)
		return STEP_NEXT;
	rectify->held = NULL;
	rectify->held_count = 0;
	batch_read(call, &held_read, rectify, (struct cell[]){ cell_text(rectify->asked.subject_id) });
	if (rectify->asked.repeat.found == REPEAT_SAME || rectify->outcome)
		return STEP_NEXT;
	if (!company_configured(service_company(call->service)))
		return company_refuse(call);
	ask_company(call, rectify);
	return STEP_NEXT;
}

/* ---- commit ---- */

static bool said(const struct rectify *rectify, const char *outcome)
{
	return rectify->outcome && !strcmp(rectify->outcome, outcome);
}

static enum step_result rectify_commit(struct call *call)
{
	struct rectify *rectify = call->state;
	if (call->awaited)
		return STEP_WAIT;
	if (rectify->asked.repeat.found != REPEAT_NEW)
		return train_board(call);
	if (said(rectify, "UNKNOWN_SUBJECT"))
		return call_refuse(call,
			&(struct status){ .code = GRPC_NOT_FOUND,
				.reason = "UNKNOWN_SUBJECT",
				.message = "the company's database has no such client" });
	rectify->unchanged = said(rectify, "UNCHANGED");
	if (rectify->refused || (!rectify->unchanged && !said(rectify, "RECTIFIED")))
		return column_value_refuse(call, rectify->outcome, rectify->value->column);
	fault_point("rectify.changed");
	rectify->asked.columns = rectify->unchanged ? NULL : column_lines(call, rectify);
	return call->failed ? STEP_NEXT : train_board(call);
}

/* An entry names what was changed, and what follows from it: of what was so already, nothing. */
static enum boarding rectify_board(struct call *call, struct departure *departure)
{
	struct rectify *rectify = call->state;
	struct entry_draft draft;
	switch (asked_board(call, departure, &rectify->asked)) {
	case ASKED_BEFORE:
		return BOARD_NOTHING;
	case ASKED_OTHERWISE:
		return BOARDED;
	case ASKED_NEW:
		break;
	}
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_RECTIFIED);
	if (!rectify->unchanged) {
		draft.entry.fields = rectify->columns;
		draft.entry.n_fields = rectify->column_count;
		/* Perhaps an address, under which they could come back (service/suppression.h). */
		departure_write(departure, WRITE_RIGHT_CONTACTS_CHANGED,
			(struct cell[]){ cell_text(rectify->asked.subject_id) });
	}
	asked_entry(call, departure, &rectify->asked, &draft, NULL);
	asked_register(call, departure, &rectify->asked,
		NEEDTOKNOW__V1__RIGHTS_REQUEST_STATE__RIGHTS_REQUEST_STATE_ANSWERED, NULL, 0,
		(const struct recorded *[]){ &rectify->asked.recorded }, 1);
	return BOARDED;
}

/* ---- reply ---- */

static bool is_same(const struct held *left, const struct held *right)
{
	return !strcmp(left->recipient_id, right->recipient_id) && !strcmp(left->device, right->device);
}

/* Whoever was sent one of these columns, each once. */
static size_t told(const struct rectify *rectify, const char *columns)
{
	size_t count = 0;
	for (size_t i = 0; i < rectify->held_count; i++) {
		const struct held *held = &rectify->held[i];
		bool counted = !column_carried(held->release, held->left_out, columns);
		for (size_t j = 0; !counted && j < count; j++)
			counted = is_same(held, &rectify->held[j]);
		if (!counted)
			rectify->held[count++] = *held;
	}
	return count;
}

static enum step_result answer(struct call *call, Needtoknow__V1__Receipt *receipt)
{
	const struct rectify *rectify = call->state;
	Needtoknow__V1__RectifyResponse response = NEEDTOKNOW__V1__RECTIFY_RESPONSE__INIT;
	response.receipt = receipt;
	response.unchanged = rectify->unchanged;
	response.told = rectify->unchanged ? 0 : (int32_t)told(rectify, column_lines(call, rectify));
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

static enum step_result rectify_reply(struct call *call)
{
	struct rectify *rectify = call->state;
	if (rectify->asked.reused)
		return refusal_reply(call, NEEDTOKNOW__V1__REASON__REASON_REQUEST_ID_REUSED, &rectify->asked.recorded);
	if (rectify->asked.repeat.found == REPEAT_NEW)
		return answer(call, receipt_message(call, &rectify->asked.recorded));
	rectify->recall = recall_ask(call, &rectify->asked.repeat);
	return STEP_NEXT;
}

/* ---- a repeated request ---- */

/* What it changed is in the entry; where its body is gone, what was asked. */
static enum step_result rectify_repeat(struct call *call)
{
	struct rectify *rectify = call->state;
	if (call->awaited)
		return STEP_WAIT;
	const struct ledger_line *line = &rectify->recall->lines[0];
	rectify->column_count = 0;
	add_column(call, rectify, rectify->value->column, strlen(rectify->value->column));
	if (line->length) {
		Needtoknow__V1__LedgerEntry *entry =
			needtoknow__v1__ledger_entry__unpack(NULL, line->length, line->body);
		rectify->unchanged = entry && !entry->n_fields;
		for (size_t i = 0; entry && i < entry->n_fields; i++)
			add_column(call, rectify, entry->fields[i], strlen(entry->fields[i]));
		needtoknow__v1__ledger_entry__free_unpacked(entry, NULL);
	}
	Needtoknow__V1__Receipt **receipts = recall_receipts(call, rectify->recall);
	return receipts ? answer(call, receipts[0]) : STEP_NEXT;
}

const struct method rights_rectify = {
	.path = "/needtoknow.v1.RightsService/Rectify",
	.role = ROLE_RIGHTS,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__rectify_request__descriptor,
	.steps = { rectify_decode, asked_ask, asked_gather, rectify_change, rectify_commit, rectify_reply,
		rectify_repeat },
	.again = 1,
	.board = rectify_board,
	.train_class = TRAIN_CONTROL,
};
