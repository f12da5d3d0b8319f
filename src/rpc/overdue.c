#include "pure/identity.h"
#include "rpc/audited.h"
#include "rpc/methods.h"
#include "rpc/request.h"
#include "service/batch.h"
#include "service/disclosure.h"
#include "sql.h"

#include <needtoknow/v1/audit.pb-c.h>

#include <string.h>

/* ListOverdueDeletions: orders to delete that nobody confirmed in their time, the longest overdue first. */

struct overdue {
	struct audited audited;
	int32_t page_size;
	struct position {
		int64_t asked_at; /* when it was last recorded that this listing is being read */
		/* The last line that was given. */
		int64_t delete_by;
		uint8_t disclosure_id[16];
		char device[IDENTITY_NAME_MAX + 1];
	} position;
	bool more;
	Needtoknow__V1__OverdueDeletion **found;
	size_t count;
};

static enum step_result overdue_decode(struct call *call)
{
	const Needtoknow__V1__ListOverdueDeletionsRequest *request =
		(const Needtoknow__V1__ListOverdueDeletionsRequest *)call->request;
	struct overdue *overdue = call_alloc(call, sizeof *overdue);
	bool found;
	if (!overdue)
		return STEP_NEXT;
	call->state = overdue;
	if (!request_page_size(call, request->page_size, &overdue->page_size) ||
		!request_page_token(
			call, request->page_token, "", 0, &overdue->position, sizeof overdue->position, &found))
		return STEP_DONE;
	audited_begin_page(call, &overdue->audited, found, &overdue->position.asked_at);
	overdue->found = call_alloc(call, (size_t)overdue->page_size * sizeof *overdue->found);
	return STEP_NEXT;
}

static void overdue_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct overdue *overdue = target;
	struct position *position = &overdue->position;
	overdue->more = overdue->count == (size_t)overdue->page_size;
	Needtoknow__V1__OverdueDeletion *message = overdue->more ? NULL : call_alloc(call, sizeof *message);
	if (!message)
		return;
	needtoknow__v1__overdue_deletion__init(message);
	position->delete_by = row_time(result, row, 1);
	row_bytes(result, row, 2, position->disclosure_id, sizeof position->disclosure_id);
	message->delete_by = timestamp_message(call, position->delete_by);
	message->disclosure_id = uuid_text(call, position->disclosure_id);
	message->device = (char *)row_text(result, row, 3, call);
	message->recipient_id = (char *)row_text(result, row, 4, call);
	message->cause = (Needtoknow__V1__WithdrawalCause)row_int(result, row, 5);
	message->ordered_at = timestamp_message(call, row_time(result, row, 6));
	message->ledger_index = (uint64_t)row_int(result, row, 7);
	memset(position->device, 0, sizeof position->device);
	memcpy(position->device, PQgetvalue(result, row, 3),
		strnlen(PQgetvalue(result, row, 3), sizeof position->device - 1));
	overdue->found[overdue->count++] = message;
}

static const struct read_kind overdue_read = {
	.statement = &sql_overdue_deletions,
	.from = READ_AUDIT,
	.types = { PG_TIMESTAMPTZ, PG_UUID, PG_TEXT, PG_INT4 },
	.row = overdue_row,
};

static enum step_result overdue_ask(struct call *call)
{
	struct overdue *overdue = call->state;
	const struct position *position = &overdue->position;
	batch_read(call, &overdue_read, overdue,
		(struct cell[]){ cell_number(position->delete_by), cell_bytes(position->disclosure_id, 16),
			cell_text(position->device), cell_number(overdue->page_size + 1) });
	return STEP_NEXT;
}

static enum step_result overdue_reply(struct call *call)
{
	const struct overdue *overdue = call->state;
	Needtoknow__V1__ListOverdueDeletionsResponse response = NEEDTOKNOW__V1__LIST_OVERDUE_DELETIONS_RESPONSE__INIT;
	if (call->awaited)
		return STEP_WAIT;
	response.deletions = overdue->found;
	response.n_deletions = overdue->count;
	if (overdue->more)
		response.next_page_token = reply_page_token(call, "", 0, &overdue->position, sizeof overdue->position);
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

const struct method audit_list_overdue_deletions = {
	.path = "/needtoknow.v1.AuditService/ListOverdueDeletions",
	.role = ROLE_AUDITOR,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__list_overdue_deletions_request__descriptor,
	.steps = { overdue_decode, audited_ask, audited_commit, overdue_ask, overdue_reply },
	.again = 1,
	.board = audited_board,
	.train_class = TRAIN_SHARE,
};
