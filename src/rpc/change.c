#include "rpc/change.h"

#include "pure/decision.h"
#include "service/batch.h"
#include "sql.h"

#include <string.h>

static void change_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct change *change = target;
	if (change->count == change->size)
		return;
	struct ending *ending = &change->all[change->count++];
	disclosure_read(call, result, row, &ending->disclosure, &change->now);
	subject_read(result, row, 16, &ending->subject);
	ending->devices = row_text(result, row, 18, call);
}

static const struct read_kind disclosure_to_change = {
	.statement = &sql_disclosure_to_change,
	.from = READ_STATE,
	.types = { PG_UUID },
	.row = change_row,
};

static const struct read_kind disclosures_to_revoke = {
	.statement = &sql_disclosures_to_revoke,
	.from = READ_STATE,
	.types = { PG_TEXT, PG_INT4 },
	.row = change_row,
};

static struct change *change_new(struct call *call, size_t size)
{
	struct change *change = call_alloc(call, sizeof *change);
	if (!change)
		return NULL;
	*change = (struct change){ .all = call_alloc(call, size * sizeof *change->all), .size = size };
	return call->failed ? NULL : change;
}

struct change *change_ask(struct call *call, const uint8_t disclosure_id[16])
{
	struct change *change = change_new(call, 1);
	if (change)
		batch_read(call, &disclosure_to_change, change, (struct cell[]){ cell_bytes(disclosure_id, 16) });
	return change;
}

struct change *change_ask_booking(struct call *call, const char *booking_id)
{
	struct change *change = change_new(call, CHANGE_MAX + 1);
	if (change)
		batch_read(call, &disclosures_to_revoke, change,
			(struct cell[]){ cell_text(booking_id), cell_number(CHANGE_MAX + 1) });
	return change;
}

static const struct read_kind disclosures_of_subject_to_end = {
	.statement = &sql_disclosures_of_subject_to_end,
	.from = READ_STATE,
	.types = { PG_TEXT, PG_INT8, PG_INT4 },
	.row = change_row,
};

struct change *change_ask_subject(struct call *call, const char *subject_id, uint64_t from)
{
	struct change *change = change_new(call, CHANGE_MAX + 1);
	if (change)
		batch_read(call, &disclosures_of_subject_to_end, change,
			(struct cell[]){
				cell_text(subject_id), cell_number((int64_t)from - 1), cell_number(CHANGE_MAX + 1) });
	return change;
}

bool change_may_live(const struct disclosure *disclosure)
{
	return disclosure->state == NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_ACTIVE;
}

bool change_is_active(const struct disclosure *disclosure, int64_t now)
{
	return change_may_live(disclosure) && disclosure->expires_at > now;
}

bool change_possible(struct call *call, const struct change *change)
{
	if (!change->count) {
		call_refuse(call,
			&(struct status){ .code = GRPC_NOT_FOUND,
				.reason = "UNKNOWN_DISCLOSURE",
				.message = "there is no disclosure of that id" });
		return false;
	}
	const struct disclosure *disclosure = &change->all[0].disclosure;
	if (change_is_active(disclosure, change->now))
		return true;
	Needtoknow__V1__Reason reason = disclosure_ended_reason(disclosure->state);
	call_refuse(call,
		&(struct status){ .code = GRPC_FAILED_PRECONDITION,
			.reason = reason_name(reason),
			.message = "this disclosure has ended: share the booking again" });
	return false;
}

void change_remark(struct departure *departure, const struct disclosure *disclosure, const struct recorded *recorded,
	const char *remark)
{
	departure_write(departure, WRITE_ENTRY_REFERENCE,
		(struct cell[]){ cell_number((int64_t)recorded->index), cell_bytes(disclosure->id, 16), cell_text(NULL),
			cell_text(NULL), cell_text(NULL), cell_text(*remark ? remark : NULL) });
}
