#include "rpc/change.h"
#include "rpc/methods.h"
#include "rpc/repeat.h"
#include "rpc/request.h"
#include "service/refusal.h"
#include "service/train.h"

#include <needtoknow/v1/sharing.pb-c.h>

#include <string.h>

#define REASON_TEXT_MAX 500

/*
 * Revoke: nothing of it is delivered any more once this is answered, and each device that was sent something is ordered
 * to delete it. Of a booking: all that live, in one train; a Share of that booking that was answered before is among
 * them. It waits for no database of the company's.
 */
struct revoke {
	uint8_t disclosure_id[16];
	const char *booking_id; /* NULL: of a disclosure */
	const char *remark;
	struct repeat repeat;
	struct change *change;
	/* What is answered: those that were ended, or, where none lived, those that are known. */
	const struct disclosure **disclosures;
	const struct recorded **receipts;
	size_t count, receipt_count;
	bool reused;
	struct recorded refusal;
	struct recall *recall;
};

/* ---- decode ---- */

static enum step_result revoke_decode(struct call *call)
{
	const Needtoknow__V1__RevokeRequest *request = (const Needtoknow__V1__RevokeRequest *)call->request;
	struct revoke *revoke = call_alloc(call, sizeof *revoke);
	if (!revoke)
		return STEP_NEXT;
	call->state = revoke;
	revoke->remark = request->reason;
	if (!request_identifier(call, "request_id", request->request_id))
		return STEP_DONE;
	const char *id = request->disclosure_id; /* of a oneof: both members are one */
	switch (request->target_case) {
	case NEEDTOKNOW__V1__REVOKE_REQUEST__TARGET_DISCLOSURE_ID:
		if (!request_uuid(call, "disclosure_id", id, revoke->disclosure_id))
			return STEP_DONE;
		break;
	case NEEDTOKNOW__V1__REVOKE_REQUEST__TARGET_BOOKING_ID:
		if (!request_identifier(call, "booking_id", id))
			return STEP_DONE;
		revoke->booking_id = id;
		break;
	default:
		return call_refuse_identifier(call, "disclosure_id or booking_id");
	}
	if (!request_text(call, "reason", request->reason, REASON_TEXT_MAX))
		return STEP_DONE;
	bool whole = request->target_case == NEEDTOKNOW__V1__REVOKE_REQUEST__TARGET_BOOKING_ID;
	const char *what = whole ? "booking" : "disclosure";
	struct secret_field content[] = { { call->method->path, strlen(call->method->path) }, { what, strlen(what) },
		{ id, strlen(id) }, { request->reason, strlen(request->reason) } };
	repeat_name(call, &revoke->repeat, request->request_id, content, 4);
	return STEP_NEXT;
}

/* ---- ask and gather ---- */

static enum step_result revoke_ask(struct call *call)
{
	struct revoke *revoke = call->state;
	call_disregard(call);
	repeat_ask(call, &revoke->repeat);
	if (revoke->booking_id) {
		call_key(call, KEY_BOOKING, revoke->booking_id, strlen(revoke->booking_id), KEY_EXCLUSIVE);
		revoke->change = change_ask_booking(call, revoke->booking_id);
	} else {
		revoke->change = change_ask(call, revoke->disclosure_id);
	}
	return STEP_NEXT;
}

static enum step_result refuse_unknown(struct call *call, const struct revoke *revoke)
{
	if (revoke->booking_id)
		return call_refuse(call,
			&(struct status){ .code = GRPC_NOT_FOUND,
				.reason = "UNKNOWN_BOOKING",
				.message = "nothing was ever shared for that booking" });
	return call_refuse(call,
		&(struct status){ .code = GRPC_NOT_FOUND,
			.reason = "UNKNOWN_DISCLOSURE",
			.message = "there is no disclosure of that id" });
}

static enum step_result revoke_gather(struct call *call)
{
	struct revoke *revoke = call->state;
	struct change *change = revoke->change;
	if (call->awaited)
		return STEP_WAIT;
	if (revoke->repeat.found != REPEAT_NEW)
		return STEP_NEXT;
	if (!change->count)
		return refuse_unknown(call, revoke);
	if (change->count > CHANGE_MAX) {
		if (change_may_live(&change->all[CHANGE_MAX].disclosure))
			return call_refuse(call,
				&(struct status){ .code = GRPC_FAILED_PRECONDITION,
					.reason = "TOO_MANY_DISCLOSURES",
					.message = "more is shared for that booking than can end at once: revoke "
						   "its disclosures one by one" });
		change->count = CHANGE_MAX;
	}
	for (size_t i = 0; i < change->count; i++)
		if (change_may_live(&change->all[i].disclosure))
			ending_keys(call, &change->all[i].disclosure);
	revoke->disclosures = call_alloc(call, change->count * sizeof *revoke->disclosures);
	revoke->receipts = call_alloc(call, change->count * sizeof *revoke->receipts);
	return STEP_NEXT;
}

/* ---- commit ---- */

static enum step_result revoke_commit(struct call *call)
{
	return train_board(call);
}

static void end(struct call *call, struct departure *departure, struct revoke *revoke, struct ending *ending)
{
	ending->kind = NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_REVOKED;
	ending->reason = NEEDTOKNOW__V1__REASON__REASON_REVOKED;
	ending->state = NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_REVOKED;
	ending->cause = NEEDTOKNOW__V1__WITHDRAWAL_CAUSE__WITHDRAWAL_CAUSE_REVOKED;
	ending_board(call, departure, ending);
	if (*revoke->remark)
		change_remark(departure, &ending->disclosure, &ending->recorded, revoke->remark);
	ending->disclosure.state = (int)ending->state;
	revoke->disclosures[revoke->count++] = &ending->disclosure;
	revoke->receipts[revoke->receipt_count++] = &ending->recorded;
}

static enum boarding revoke_board(struct call *call, struct departure *departure)
{
	struct revoke *revoke = call->state;
	struct change *change = revoke->change;
	revoke->reused = revoke->repeat.found == REPEAT_OTHER;
	if (revoke->repeat.found == REPEAT_SAME)
		return BOARD_NOTHING;
	if (revoke->reused) {
		revoke->refusal = repeat_refuse(call, departure);
		return BOARDED;
	}
	revoke->count = revoke->receipt_count = 0;
	for (size_t i = 0; i < change->count; i++)
		if (change_is_active(&change->all[i].disclosure, departure_now(departure)))
			end(call, departure, revoke, &change->all[i]);
	for (size_t i = 0; i < change->count && !revoke->receipt_count; i++)
		revoke->disclosures[revoke->count++] = &change->all[i].disclosure;
	/* Also where nothing was left to end: asked again later, it must not end what was shared since. */
	repeat_board(departure, &revoke->repeat, revoke->disclosures, revoke->count, revoke->receipts,
		revoke->receipt_count);
	return BOARDED;
}

/* ---- reply ---- */

static enum step_result revoke_reply(struct call *call)
{
	struct revoke *revoke = call->state;
	Needtoknow__V1__RevokeResponse response = NEEDTOKNOW__V1__REVOKE_RESPONSE__INIT;
	if (revoke->reused)
		return refusal_reply(call, NEEDTOKNOW__V1__REASON__REASON_REQUEST_ID_REUSED, &revoke->refusal);
	if (revoke->repeat.found == REPEAT_SAME)
		return STEP_NEXT;
	for (size_t i = 0; i < revoke->change->count; i++)
		if (revoke->change->all[i].state)
			ending_committed(call, &revoke->change->all[i]);
	response.disclosures = call_alloc(call, revoke->count * sizeof *response.disclosures);
	response.receipts = call_alloc(call, (revoke->receipt_count + 1) * sizeof *response.receipts);
	if (call->failed)
		return STEP_NEXT;
	for (; response.n_disclosures < revoke->count; response.n_disclosures++)
		response.disclosures[response.n_disclosures] =
			disclosure_message(call, revoke->disclosures[response.n_disclosures], revoke->change->now);
	for (; response.n_receipts < revoke->receipt_count; response.n_receipts++)
		response.receipts[response.n_receipts] = receipt_message(call, revoke->receipts[response.n_receipts]);
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

/* ---- a repeated request ---- */

static enum step_result revoke_recall(struct call *call)
{
	struct revoke *revoke = call->state;
	revoke->recall = recall_ask(call, &revoke->repeat);
	return STEP_NEXT;
}

static enum step_result revoke_repeat(struct call *call)
{
	const struct revoke *revoke = call->state;
	Needtoknow__V1__RevokeResponse response = NEEDTOKNOW__V1__REVOKE_RESPONSE__INIT;
	if (call->awaited)
		return STEP_WAIT;
	if (!recall_is_whole(call, revoke->recall))
		return STEP_DONE;
	response.disclosures = recall_disclosures(call, revoke->recall);
	response.n_disclosures = revoke->recall->count;
	response.receipts = recall_receipts(call, revoke->recall);
	response.n_receipts = revoke->recall->line_count;
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

const struct method sharing_revoke = {
	.path = "/needtoknow.v1.SharingService/Revoke",
	.role = ROLE_BOOKING,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__revoke_request__descriptor,
	.steps = { revoke_decode, revoke_ask, revoke_gather, revoke_commit, revoke_reply, revoke_recall,
		revoke_repeat },
	.again = 1,
	.board = revoke_board,
	.train_class = TRAIN_CONTROL,
};
