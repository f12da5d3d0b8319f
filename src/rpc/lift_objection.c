#include "pure/purpose.h"
#include "rpc/methods.h"
#include "rpc/objection.h"
#include "rpc/request.h"
#include "service/refusal.h"
#include "service/train.h"

#include <string.h>

#define REASON_TEXT_MAX 500
#define REASON(name) NEEDTOKNOW__V1__REASON__REASON_##name
/* An objection and a consent; of an objection to all that was overridden, what of it cannot be. */
#define RECEIPTS_MAX 8

/*
 * LiftObjection: the client has changed their mind, or the company's grounds were found to override theirs (art.
 * 21(1)), which they cannot with direct marketing (art. 21(3)) nor in place of a consent. What was ended stays so; it
 * is shared again.
 */
struct lift {
	struct asked asked;
	const char *purpose, *remark;
	bool overridden;
	struct objections held;
	const struct status *refused; /* decided in the train, where a repeat is known to be one */
	struct recorded entries[RECEIPTS_MAX];
	const struct recorded *receipts[RECEIPTS_MAX];
	size_t receipt_count;
	struct recall *recall;
};

/* ---- decode ---- */

static enum step_result lift_decode(struct call *call)
{
	const Needtoknow__V1__LiftObjectionRequest *request =
		(const Needtoknow__V1__LiftObjectionRequest *)call->request;
	struct lift *lift = call_alloc(call, sizeof *lift);
	uint8_t overridden = request->overridden != 0;
	if (!lift)
		return STEP_NEXT;
	call->state = lift;
	const struct asked_fields fields = { request->request_id, request->subject_id, request->channel,
		request->received_at };
	const struct secret_field content[] = { { request->purpose, strlen(request->purpose) }, { &overridden, 1 },
		{ request->reason, strlen(request->reason) } };
	if (!asked_decode(call, &lift->asked, NEEDTOKNOW__V1__RIGHTS_REQUEST_KIND__RIGHTS_REQUEST_KIND_LIFT_OBJECTION,
		    &fields, content, 3) ||
		(*request->purpose && !request_identifier(call, "purpose", request->purpose)) ||
		!request_text(call, "reason", request->reason, REASON_TEXT_MAX))
		return STEP_DONE;
	lift->asked.purpose = lift->purpose = request->purpose;
	lift->remark = request->reason;
	lift->overridden = overridden;
	return STEP_NEXT;
}

/* ---- read ---- */

static enum step_result lift_read(struct call *call)
{
	struct lift *lift = call->state;
	if (lift->asked.repeat.found == REPEAT_NEW)
		objections_ask(call, lift->asked.subject_id, lift->purpose, &lift->held);
	return STEP_NEXT;
}

/* ---- commit ---- */

static enum step_result lift_commit(struct call *call)
{
	return call->awaited ? STEP_WAIT : train_board(call);
}

static const struct status not_objected = {
	.code = GRPC_NOT_FOUND,
	.reason = "NOT_OBJECTED",
	.message = "there is no objection to that purpose, as it was named",
};
static const struct status marketing_is_absolute = {
	.code = GRPC_FAILED_PRECONDITION,
	.reason = "ABSOLUTE_RIGHT",
	.message = "no ground overrides an objection to direct marketing (GDPR art. 21(3)): only the client may take "
		   "it back",
};
static const struct status consent_is_absolute = {
	.code = GRPC_FAILED_PRECONDITION,
	.reason = "ABSOLUTE_RIGHT",
	.message =
		"no ground replaces a consent that was withdrawn (GDPR art. 7(3)): only the client may give it again",
};

/* NULL: it is lifted. */
static const struct status *why_not(const struct lift *lift)
{
	bool objection = objections_find(&lift->held, RIGHT_OBJECTION, lift->purpose);
	bool consent = objections_find(&lift->held, RIGHT_CONSENT_WITHDRAWN, lift->purpose);
	if (!objection && !consent)
		return &not_objected;
	if (lift->overridden && purpose_is_direct_marketing(lift->purpose))
		return &marketing_is_absolute;
	if (lift->overridden && !objection)
		return &consent_is_absolute;
	return NULL;
}

static void keep(struct lift *lift, struct recorded recorded)
{
	if (lift->receipt_count == RECEIPTS_MAX)
		return;
	lift->entries[lift->receipt_count] = recorded;
	lift->receipts[lift->receipt_count] = &lift->entries[lift->receipt_count];
	lift->receipt_count++;
}

static void lift_right(struct call *call, struct departure *departure, struct lift *lift, int right)
{
	if (!objections_find(&lift->held, right, lift->purpose))
		return;
	keep(lift,
		objection_entry(call, departure, &lift->asked, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_OBJECTION_LIFTED,
			lift->overridden ? REASON(OVERRIDDEN) : REASON(UNSPECIFIED), right, lift->purpose,
			lift->remark));
	struct cell row[] = { cell_text(lift->asked.subject_id), cell_number(right), cell_text(lift->purpose) };
	departure_write(departure, WRITE_RIGHT_LIFTED, row);
	departure_write(departure, WRITE_SUPPRESSION_LIFTED, row);
}

/* Of an objection to everything: direct marketing is the part of it that no ground overrides. */
static void keep_marketing(struct call *call, struct departure *departure, struct lift *lift)
{
	const char *purpose;
	for (size_t i = 0; (purpose = purpose_direct_marketing(i)); i++)
		keep(lift,
			objection_raise(call, departure, &lift->asked, REASON(UPHELD), RIGHT_OBJECTION, purpose, NULL));
}

static enum boarding lift_board(struct call *call, struct departure *departure)
{
	struct lift *lift = call->state;
	switch (asked_board(call, departure, &lift->asked)) {
	case ASKED_BEFORE:
		return BOARD_NOTHING;
	case ASKED_OTHERWISE:
		return BOARDED;
	case ASKED_NEW:
		break;
	}
	lift->refused = why_not(lift);
	if (lift->refused)
		return BOARD_NOTHING;
	lift->receipt_count = 0;
	lift_right(call, departure, lift, RIGHT_OBJECTION);
	if (!lift->overridden)
		lift_right(call, departure, lift, RIGHT_CONSENT_WITHDRAWN);
	else if (!*lift->purpose)
		keep_marketing(call, departure, lift);
	objections_weighed(departure, &lift->held);
	asked_register(call, departure, &lift->asked,
		NEEDTOKNOW__V1__RIGHTS_REQUEST_STATE__RIGHTS_REQUEST_STATE_ANSWERED, NULL, 0, lift->receipts,
		lift->receipt_count);
	return BOARDED;
}

/* ---- reply ---- */

static enum step_result lift_reply(struct call *call)
{
	const struct lift *lift = call->state;
	Needtoknow__V1__LiftObjectionResponse response = NEEDTOKNOW__V1__LIFT_OBJECTION_RESPONSE__INIT;
	if (lift->asked.reused)
		return refusal_reply(call, REASON(REQUEST_ID_REUSED), &lift->asked.recorded);
	if (lift->asked.repeat.found == REPEAT_SAME)
		return STEP_NEXT;
	if (lift->refused)
		return call_refuse(call, lift->refused);
	response.receipts = call_alloc(call, RECEIPTS_MAX * sizeof *response.receipts);
	for (size_t i = 0; !call->failed && i < lift->receipt_count; i++)
		response.receipts[response.n_receipts++] = receipt_message(call, lift->receipts[i]);
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

/* ---- a repeated request ---- */

static enum step_result lift_recall(struct call *call)
{
	struct lift *lift = call->state;
	lift->recall = recall_ask(call, &lift->asked.repeat);
	return STEP_NEXT;
}

static enum step_result lift_repeat(struct call *call)
{
	const struct lift *lift = call->state;
	Needtoknow__V1__LiftObjectionResponse response = NEEDTOKNOW__V1__LIFT_OBJECTION_RESPONSE__INIT;
	if (call->awaited)
		return STEP_WAIT;
	if (!recall_is_whole(call, lift->recall))
		return STEP_DONE;
	response.receipts = recall_receipts(call, lift->recall);
	response.n_receipts = lift->recall->line_count;
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

const struct method rights_lift_objection = {
	.path = "/needtoknow.v1.RightsService/LiftObjection",
	.role = ROLE_RIGHTS,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__lift_objection_request__descriptor,
	.steps = { lift_decode, asked_ask, asked_gather, lift_read, lift_commit, lift_reply, lift_recall, lift_repeat },
	.again = 1,
	.board = lift_board,
	.train_class = TRAIN_CONTROL,
};
