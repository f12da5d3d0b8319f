#include "rpc/asked.h"
#include "rpc/methods.h"
#include "rpc/request.h"
#include "service/batch.h"
#include "service/refusal.h"
#include "service/restriction.h"
#include "service/service.h"
#include "service/train.h"
#include "sql.h"

#include <string.h>

#define REMARK_MAX 500
/* right_in_force.kind */
#define RIGHT_RESTRICTION 2

/*
 * Restrict, LiftRestriction: GDPR art. 18. The restriction holds with its train: no delivery of this subject's is
 * decided from then on, and nothing of it expires. Then the recipients are told, and the answer comes when all are. It
 * is made from what was recorded, the first time as when it is repeated.
 */
struct restriction {
	struct asked asked;
	const char *remark;
	bool lift;
	bool in_force; /* it is restricted now */
	bool refused; /* to be lifted, and not in force: decided in the train, where a repeat is known to be one */
	bool telling_began;
	struct telling telling;
	struct recall *recall;
};

/* ---- decode ---- */

static enum step_result decode(struct call *call, Needtoknow__V1__RightsRequestKind kind,
	const struct asked_fields *fields, const char *remark, bool lift)
{
	struct restriction *restriction = call_alloc(call, sizeof *restriction);
	const struct secret_field content = { remark, strlen(remark) };
	if (!restriction)
		return STEP_NEXT;
	restriction->remark = remark;
	restriction->lift = lift;
	call->state = restriction;
	if (!asked_decode(call, &restriction->asked, kind, fields, &content, 1) ||
		!request_text(call, "reason", remark, REMARK_MAX))
		return STEP_DONE;
	return STEP_NEXT;
}

static enum step_result restrict_decode(struct call *call)
{
	const Needtoknow__V1__RestrictRequest *request = (const Needtoknow__V1__RestrictRequest *)call->request;
	const struct asked_fields fields = { request->request_id, request->subject_id, request->channel,
		request->received_at };
	return decode(call, NEEDTOKNOW__V1__RIGHTS_REQUEST_KIND__RIGHTS_REQUEST_KIND_RESTRICT, &fields, request->reason,
		false);
}

static enum step_result lift_decode(struct call *call)
{
	const Needtoknow__V1__LiftRestrictionRequest *request =
		(const Needtoknow__V1__LiftRestrictionRequest *)call->request;
	const struct asked_fields fields = { request->request_id, request->subject_id, request->channel,
		request->received_at };
	return decode(call, NEEDTOKNOW__V1__RIGHTS_REQUEST_KIND__RIGHTS_REQUEST_KIND_LIFT_RESTRICTION, &fields,
		request->reason, true);
}

/* ---- ask: is it restricted? ---- */

static void in_force_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct restriction *restriction = target;
	(void)call;
	(void)result;
	(void)row;
	restriction->in_force = true;
}

static const struct read_kind restriction_in_force = {
	.statement = &sql_restriction_in_force,
	.from = READ_STATE,
	.types = { PG_TEXT },
	.row = in_force_row,
};

static enum step_result restriction_ask(struct call *call)
{
	struct restriction *restriction = call->state;
	enum step_result result = asked_ask(call);
	restriction->in_force = restriction->refused = false;
	batch_read(
		call, &restriction_in_force, restriction, (struct cell[]){ cell_text(restriction->asked.subject_id) });
	return result;
}

/* ---- commit ---- */

static enum step_result restriction_commit(struct call *call)
{
	return train_board(call);
}

static void change(struct departure *departure, const struct restriction *restriction)
{
	const struct asked *asked = &restriction->asked;
	struct cell subject = cell_text(asked->subject_id), kind = cell_number(RIGHT_RESTRICTION), all = cell_text("");
	if (restriction->lift)
		departure_write(departure, WRITE_RIGHT_LIFTED, (struct cell[]){ subject, kind, all });
	else if (!restriction->in_force)
		departure_write(departure, WRITE_RIGHT,
			(struct cell[]){ subject, kind, all, cell_number(asked->recorded.at),
				cell_number((int64_t)asked->recorded.index) });
}

static enum boarding restriction_board(struct call *call, struct departure *departure)
{
	struct restriction *restriction = call->state;
	struct asked *asked = &restriction->asked;
	struct entry_draft draft;
	switch (asked_board(call, departure, asked)) {
	case ASKED_BEFORE:
		return BOARD_NOTHING;
	case ASKED_OTHERWISE:
		return BOARDED;
	case ASKED_NEW:
		break;
	}
	restriction->refused = restriction->lift && !restriction->in_force;
	if (restriction->refused)
		return BOARD_NOTHING;
	entry_begin(&draft, call,
		restriction->lift ? NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_RESTRICTION_LIFTED
				  : NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_RESTRICTION_RAISED);
	asked_entry(call, departure, asked, &draft, restriction->remark);
	change(departure, restriction);
	/* Answered when all are told. */
	const struct recorded *receipt = &asked->recorded;
	asked_register(call, departure, asked, NEEDTOKNOW__V1__RIGHTS_REQUEST_STATE__RIGHTS_REQUEST_STATE_OPEN, NULL, 0,
		&receipt, 1);
	return BOARDED;
}

/* ---- tell: the recipients ---- */

static enum step_result refuse_lifting(struct call *call)
{
	return call_refuse(call,
		&(struct status){ .code = GRPC_NOT_FOUND,
			.reason = "NOT_RESTRICTED",
			.message = "the processing of this client's data is not restricted" });
}

static void restriction_told(void *context)
{
	call_run(context);
}

/* Also where the request is repeated: its worker may have died before all were told. */
static enum step_result restriction_tell(struct call *call)
{
	struct restriction *restriction = call->state;
	const struct asked *asked = &restriction->asked;
	if (asked->reused)
		return refusal_reply(call, NEEDTOKNOW__V1__REASON__REASON_REQUEST_ID_REUSED, &asked->recorded);
	if (restriction->refused)
		return refuse_lifting(call);
	if (!restriction->telling_began) {
		restriction->telling_began = true;
		telling_start(&restriction->telling, call->service, asked->repeat.key, asked->subject_id,
			restriction->lift, restriction_told, call);
	}
	if (restriction->telling.running)
		return STEP_WAIT;
	if (!restriction->telling.complete)
		call_fail(call, GRPC_UNAVAILABLE, "DATABASE_UNAVAILABLE",
			"it is recorded and holds, but not all recipients are told yet: they will be; call again to be "
			"told when they are");
	return STEP_NEXT;
}

static void restriction_release(struct call *call)
{
	struct restriction *restriction = call->state;
	if (restriction)
		telling_forget(&restriction->telling);
}

/* ---- reply, from what was recorded ---- */

static enum step_result restriction_seen(struct call *call)
{
	struct restriction *restriction = call->state;
	repeat_ask(call, &restriction->asked.repeat);
	return STEP_NEXT;
}

static enum step_result restriction_recall(struct call *call)
{
	struct restriction *restriction = call->state;
	if (call->awaited)
		return STEP_WAIT;
	restriction->recall = recall_ask(call, &restriction->asked.repeat);
	return STEP_NEXT;
}

/* The two answers are alike. */
static enum step_result restriction_reply(struct call *call)
{
	const struct restriction *restriction = call->state;
	Needtoknow__V1__RestrictResponse restricted = NEEDTOKNOW__V1__RESTRICT_RESPONSE__INIT;
	Needtoknow__V1__LiftRestrictionResponse lifted = NEEDTOKNOW__V1__LIFT_RESTRICTION_RESPONSE__INIT;
	if (call->awaited)
		return STEP_WAIT;
	if (!recall_is_whole(call, restriction->recall))
		return STEP_DONE;
	restricted.receipts = lifted.receipts = recall_receipts(call, restriction->recall);
	restricted.n_receipts = lifted.n_receipts = restriction->recall->line_count;
	restricted.disclosures = lifted.disclosures = recall_disclosures(call, restriction->recall);
	restricted.n_disclosures = lifted.n_disclosures = restriction->recall->count;
	if (call->failed)
		return STEP_NEXT;
	return call_reply(call, restriction->lift ? &lifted.base : &restricted.base);
}

const struct method rights_restrict = {
	.path = "/needtoknow.v1.RightsService/Restrict",
	.role = ROLE_RIGHTS,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__restrict_request__descriptor,
	.steps = { restrict_decode, restriction_ask, asked_gather, restriction_commit, restriction_tell,
		restriction_seen, restriction_recall, restriction_reply },
	.again = 1,
	.board = restriction_board,
	.train_class = TRAIN_CONTROL,
	.release = restriction_release,
};

const struct method rights_lift_restriction = {
	.path = "/needtoknow.v1.RightsService/LiftRestriction",
	.role = ROLE_RIGHTS,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__lift_restriction_request__descriptor,
	.steps = { lift_decode, restriction_ask, asked_gather, restriction_commit, restriction_tell, restriction_seen,
		restriction_recall, restriction_reply },
	.again = 1,
	.board = restriction_board,
	.train_class = TRAIN_CONTROL,
	.release = restriction_release,
};
