#include "rpc/change.h"
#include "rpc/methods.h"
#include "rpc/proposal.h"
#include "rpc/repeat.h"
#include "rpc/request.h"
#include "service/refusal.h"
#include "service/train.h"

#include <needtoknow/v1/sharing.pb-c.h>

#include <assert.h>
#include <string.h>

#define REASON_TEXT_MAX 500

/*
 * Reassign: another does the job. In one train the old disclosure ends as revoked and the new one is shared, for the
 * same booking, service and window: never both, never neither. It is decided as a Share to the new recipient is.
 */
struct reassign {
	uint8_t disclosure_id[16];
	const char *remark;
	struct change *change;
	struct proposal proposal;
	struct disclosure made;
	struct recall *recall;
};

/* ---- decode ---- */

static enum step_result reassign_decode(struct call *call)
{
	const Needtoknow__V1__ReassignRequest *request = (const Needtoknow__V1__ReassignRequest *)call->request;
	struct reassign *reassign = call_alloc(call, sizeof *reassign);
	if (!reassign)
		return STEP_NEXT;
	call->state = reassign;
	struct proposal *asked = &reassign->proposal;
	asked->recipient_id = request->recipient_id;
	reassign->remark = request->reason;
	if (!request_identifier(call, "request_id", request->request_id) ||
		!request_uuid(call, "disclosure_id", request->disclosure_id, reassign->disclosure_id) ||
		!request_identifier(call, "recipient_id", request->recipient_id) ||
		!request_text(call, "reason", request->reason, REASON_TEXT_MAX))
		return STEP_DONE;
	struct secret_field content[] = { { call->method->path, strlen(call->method->path) },
		{ request->disclosure_id, strlen(request->disclosure_id) },
		{ request->recipient_id, strlen(request->recipient_id) },
		{ request->reason, strlen(request->reason) } };
	repeat_name(call, &asked->repeat, request->request_id, content, 4);
	return STEP_NEXT;
}

/* ---- look: which disclosure, and was it asked before? ---- */

static enum step_result reassign_look(struct call *call)
{
	struct reassign *reassign = call->state;
	call_disregard(call);
	reassign->proposal.refused = NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED;
	repeat_ask(call, &reassign->proposal.repeat);
	reassign->change = change_ask(call, reassign->disclosure_id);
	return STEP_NEXT;
}

/* ---- ask and gather: what decides is read ---- */

static enum step_result reassign_ask(struct call *call)
{
	struct reassign *reassign = call->state;
	struct proposal *asked = &reassign->proposal;
	const struct change *change = reassign->change;
	const struct rules *rules;
	enum step_result result;
	if (call->awaited)
		return STEP_WAIT;
	asked->disclosure_id = change->count ? reassign->disclosure_id : NULL;
	if (asked->repeat.found != REPEAT_NEW)
		return STEP_NEXT;
	if (!change_possible(call, change))
		return STEP_DONE;
	const struct disclosure *disclosure = &change->all[0].disclosure;
	if (!strcmp(disclosure->recipient_id, asked->recipient_id)) {
		request_refuse(call, "SAME_RECIPIENT", "recipient_id",
			"it is this recipient's already: name another, or leave it as it is");
		return STEP_DONE;
	}
	if (!proposal_rules(call, &rules, &result))
		return result;
	asked->booking_id = disclosure->booking_id ? disclosure->booking_id : "";
	asked->subject_id = disclosure->subject_id ? disclosure->subject_id : "";
	asked->service = disclosure->service;
	asked->starts_at = disclosure->starts_at;
	asked->ends_at = disclosure->ends_at;
	ending_keys(call, disclosure);
	proposal_ask(call, asked, rules_find(rules, asked->service));
	return STEP_NEXT;
}

static enum step_result reassign_gather(struct call *call)
{
	struct reassign *reassign = call->state;
	if (reassign->proposal.repeat.found != REPEAT_NEW)
		return STEP_NEXT;
	return proposal_gather(call, &reassign->proposal);
}

/* ---- commit ---- */

static enum step_result reassign_commit(struct call *call)
{
	return train_board(call);
}

static enum boarding reassign_board(struct call *call, struct departure *departure)
{
	struct reassign *reassign = call->state;
	struct proposal *asked = &reassign->proposal;
	if (asked->repeat.found == REPEAT_SAME)
		return BOARD_NOTHING;
	if (asked->repeat.found == REPEAT_OTHER) {
		proposal_refuse(call, departure, asked, NEEDTOKNOW__V1__REASON__REASON_REQUEST_ID_REUSED);
		return BOARDED;
	}
	struct ending *old = &reassign->change->all[0];
	if (!change_is_active(&old->disclosure, departure_now(departure)))
		return BOARD_AGAIN;
	if (!proposal_decide(call, departure, asked))
		return BOARDED;
	old->kind = NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_REASSIGNED;
	old->reason = NEEDTOKNOW__V1__REASON__REASON_REASSIGNED;
	old->state = NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_REVOKED;
	old->cause = NEEDTOKNOW__V1__WITHDRAWAL_CAUSE__WITHDRAWAL_CAUSE_REVOKED;
	ending_board(call, departure, old);
	old->disclosure.state = (int)old->state;
	if (*reassign->remark)
		change_remark(departure, &old->disclosure, &old->recorded, reassign->remark);
	proposal_board(call, departure, asked, &reassign->made);
	repeat_board(departure, &asked->repeat, (const struct disclosure *[]){ &old->disclosure, &reassign->made }, 2,
		(const struct recorded *[]){ &old->recorded, &asked->recorded }, 2);
	return BOARDED;
}

/* ---- reply ---- */

static enum step_result reassign_reply(struct call *call)
{
	struct reassign *reassign = call->state;
	const struct proposal *asked = &reassign->proposal;
	Needtoknow__V1__ReassignResponse response = NEEDTOKNOW__V1__REASSIGN_RESPONSE__INIT;
	if (asked->refused != NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED)
		return refusal_reply(call, asked->refused, &asked->recorded);
	if (asked->repeat.found == REPEAT_SAME)
		return STEP_NEXT;
	const struct ending *old = &reassign->change->all[0];
	ending_committed(call, old);
	proposal_shared(call, &reassign->made);
	response.withdrawn = disclosure_message(call, &old->disclosure, asked->recorded.at);
	response.disclosure = disclosure_message(call, &reassign->made, asked->recorded.at);
	response.receipts = (Needtoknow__V1__Receipt *[]){ receipt_message(call, &old->recorded),
		receipt_message(call, &asked->recorded) };
	response.n_receipts = 2;
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

/* ---- a repeated request ---- */

static enum step_result reassign_recall(struct call *call)
{
	struct reassign *reassign = call->state;
	reassign->recall = recall_ask(call, &reassign->proposal.repeat);
	return STEP_NEXT;
}

static enum step_result reassign_repeat(struct call *call)
{
	const struct reassign *reassign = call->state;
	struct recall *recall = reassign->recall;
	if (call->awaited)
		return STEP_WAIT;
	if (!recall_is_whole(call, recall))
		return STEP_DONE;
	Needtoknow__V1__ReassignResponse response = NEEDTOKNOW__V1__REASSIGN_RESPONSE__INIT;
	Needtoknow__V1__Disclosure **disclosures = recall_disclosures(call, recall);
	response.receipts = recall_receipts(call, recall);
	response.n_receipts = recall->line_count;
	if (call->failed)
		return STEP_NEXT;
	assert(recall->count == 2);
	response.withdrawn = disclosures[0];
	response.disclosure = disclosures[1];
	return call_reply(call, &response.base);
}

const struct method sharing_reassign = {
	.path = "/needtoknow.v1.SharingService/Reassign",
	.role = ROLE_BOOKING,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__reassign_request__descriptor,
	.steps = { reassign_decode, reassign_look, reassign_ask, reassign_gather, reassign_commit, reassign_reply,
		reassign_recall, reassign_repeat },
	.again = 1,
	.board = reassign_board,
	.train_class = TRAIN_CONTROL,
	.release = rulebook_leave,
};
