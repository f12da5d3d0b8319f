#include "rpc/change.h"
#include "rpc/methods.h"
#include "rpc/proposal.h"
#include "rpc/repeat.h"
#include "rpc/request.h"
#include "service/queue.h"
#include "service/refusal.h"
#include "service/service.h"
#include "service/sweeper.h"
#include "service/train.h"

#include <needtoknow/v1/sharing.pb-c.h>

#include <assert.h>
#include <string.h>

/*
 * Reschedule: the window moves, and with it what is still to be sent and the end. It is decided as Share is, by the
 * rule of the disclosure as it holds now. What was sent stays sent; it is sent once more, since apps take the times of
 * the latest delivery.
 */
struct reschedule {
	uint8_t disclosure_id[16];
	struct change *change;
	struct proposal proposal;
	struct disclosure moved;
	struct recall *recall;
};

/* ---- decode ---- */

static enum step_result reschedule_decode(struct call *call)
{
	const Needtoknow__V1__RescheduleRequest *request = (const Needtoknow__V1__RescheduleRequest *)call->request;
	struct reschedule *reschedule = call_alloc(call, sizeof *reschedule);
	if (!reschedule)
		return STEP_NEXT;
	call->state = reschedule;
	struct proposal *asked = &reschedule->proposal;
	if (!request_identifier(call, "request_id", request->request_id) ||
		!request_uuid(call, "disclosure_id", request->disclosure_id, reschedule->disclosure_id) ||
		!request_time(call, "starts_at", request->starts_at, &asked->starts_at) ||
		!request_time(call, "ends_at", request->ends_at, &asked->ends_at))
		return STEP_DONE;
	struct secret_field content[] = { { call->method->path, strlen(call->method->path) },
		{ request->disclosure_id, strlen(request->disclosure_id) },
		{ &asked->starts_at, sizeof asked->starts_at }, { &asked->ends_at, sizeof asked->ends_at } };
	repeat_name(call, &asked->repeat, request->request_id, content, 4);
	return STEP_NEXT;
}

/* ---- look: which disclosure, and was it asked before? ---- */

static enum step_result reschedule_look(struct call *call)
{
	struct reschedule *reschedule = call->state;
	call_disregard(call);
	reschedule->proposal.refused = NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED;
	repeat_ask(call, &reschedule->proposal.repeat);
	reschedule->change = change_ask(call, reschedule->disclosure_id);
	return STEP_NEXT;
}

/* ---- ask and gather: what decides is read ---- */

static enum step_result reschedule_ask(struct call *call)
{
	struct reschedule *reschedule = call->state;
	struct proposal *asked = &reschedule->proposal;
	const struct change *change = reschedule->change;
	const struct rules *rules;
	enum step_result result;
	if (call->awaited)
		return STEP_WAIT;
	asked->disclosure_id = change->count ? reschedule->disclosure_id : NULL;
	if (asked->repeat.found != REPEAT_NEW)
		return STEP_NEXT;
	if (!change_possible(call, change))
		return STEP_DONE;
	if (!proposal_rules(call, &rules, &result))
		return result;
	const struct disclosure *disclosure = &change->all[0].disclosure;
	const struct rule *rule = disclosure_rule_now(call, disclosure);
	if (!rule)
		return call_refuse(call,
			&(struct status){ .code = GRPC_UNAVAILABLE,
				.reason = "POLICY_UNAVAILABLE",
				.message = "the policy that it was shared under cannot be used now; try again, or "
					   "revoke it" });
	asked->booking_id = disclosure->booking_id ? disclosure->booking_id : "";
	asked->subject_id = disclosure->subject_id ? disclosure->subject_id : "";
	asked->recipient_id = disclosure->recipient_id;
	asked->service = disclosure->service;
	ending_keys(call, disclosure);
	proposal_ask(call, asked, rule);
	return STEP_NEXT;
}

static enum step_result reschedule_gather(struct call *call)
{
	struct reschedule *reschedule = call->state;
	if (reschedule->proposal.repeat.found != REPEAT_NEW)
		return STEP_NEXT;
	return proposal_gather(call, &reschedule->proposal);
}

/* ---- commit ---- */

static enum step_result reschedule_commit(struct call *call)
{
	return train_board(call);
}

/* Each release as the policy has it under which it was shared: its rows in the queue have their places by that. */
static void move_releases(
	struct call *call, struct departure *departure, const struct disclosure *from, const struct disclosure *to)
{
	const struct policy_service *service = disclosure_service(call, from);
	int64_t now = departure_now(departure);
	for (size_t i = 0; service && i < service->release_count; i++) {
		const struct policy_release *release = &service->releases[i];
		int64_t was = disclosure_due_at(from, release), is = disclosure_due_at(to, release);
		if (was != is)
			departure_write(departure, WRITE_DUE_MOVED,
				(struct cell[]){ cell_text(from->recipient_id), cell_number(was),
					cell_bytes(from->id, 16), cell_number((int64_t)i), cell_number(is) });
		if (from->sent >> i & 1)
			departure_write(departure, WRITE_SENT_REOPENED,
				(struct cell[]){ cell_bytes(from->id, 16), cell_number((int64_t)i),
					cell_number(is > now ? is : now) });
	}
}

static void board_move(struct call *call, struct departure *departure, struct reschedule *reschedule)
{
	struct proposal *asked = &reschedule->proposal;
	const struct ending *found = &reschedule->change->all[0];
	const struct disclosure *to = &reschedule->moved;
	struct entry_draft draft;
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_RESCHEDULED);
	entry_disclosure(&draft, call, to, &found->subject);
	asked->recorded = departure_entry(departure, &draft.entry);
	departure_write(departure, WRITE_DISCLOSURE_MOVED,
		(struct cell[]){ cell_bytes(to->id, 16), cell_number(to->starts_at), cell_number(to->ends_at),
			cell_number(to->expires_at) });
	if (to->starts_at != found->disclosure.starts_at || to->ends_at != found->disclosure.ends_at)
		move_releases(call, departure, &found->disclosure, to);
	change_remark(departure, to, &asked->recorded, "");
	repeat_board(departure, &asked->repeat, (const struct disclosure *[]){ to }, 1,
		(const struct recorded *[]){ &asked->recorded }, 1);
}

static enum boarding reschedule_board(struct call *call, struct departure *departure)
{
	struct reschedule *reschedule = call->state;
	struct proposal *asked = &reschedule->proposal;
	int64_t now = departure_now(departure);
	if (asked->repeat.found == REPEAT_SAME)
		return BOARD_NOTHING;
	if (asked->repeat.found == REPEAT_OTHER) {
		proposal_refuse(call, departure, asked, NEEDTOKNOW__V1__REASON__REASON_REQUEST_ID_REUSED);
		return BOARDED;
	}
	const struct disclosure *disclosure = &reschedule->change->all[0].disclosure;
	if (!change_is_active(disclosure, now))
		return BOARD_AGAIN;
	if (!proposal_decide(call, departure, asked))
		return BOARDED;
	struct disclosure *moved = &reschedule->moved;
	*moved = *disclosure;
	moved->starts_at = asked->starts_at;
	moved->ends_at = asked->ends_at;
	moved->expires_at =
		moment_at(&asked->rule->service->expires, disclosure->created_at, asked->starts_at, asked->ends_at);
	if (moved->expires_at <= now)
		proposal_refuse(call, departure, asked, NEEDTOKNOW__V1__REASON__REASON_BAD_WINDOW);
	else
		board_move(call, departure, reschedule);
	return BOARDED;
}

/* ---- reply ---- */

static enum step_result answer(
	struct call *call, const struct disclosure *disclosure, int64_t now, const struct recorded *recorded)
{
	Needtoknow__V1__RescheduleResponse response = NEEDTOKNOW__V1__RESCHEDULE_RESPONSE__INIT;
	response.disclosure = disclosure_message(call, disclosure, now);
	response.receipt = receipt_message(call, recorded);
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

static enum step_result reschedule_reply(struct call *call)
{
	const struct reschedule *reschedule = call->state;
	const struct proposal *asked = &reschedule->proposal;
	const struct disclosure *moved = &reschedule->moved;
	if (asked->refused != NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED)
		return refusal_reply(call, asked->refused, &asked->recorded);
	if (asked->repeat.found == REPEAT_SAME)
		return STEP_NEXT;
	sweeper_expects(service_sweeper(call->service), moved->expires_at);
	queue_moved(service_queues(call->service), moved->recipient_id);
	return answer(call, moved, asked->recorded.at, &asked->recorded);
}

/* ---- a repeated request ---- */

static enum step_result reschedule_recall(struct call *call)
{
	struct reschedule *reschedule = call->state;
	reschedule->recall = recall_ask(call, &reschedule->proposal.repeat);
	return STEP_NEXT;
}

static enum step_result reschedule_repeat(struct call *call)
{
	const struct reschedule *reschedule = call->state;
	struct recall *recall = reschedule->recall;
	if (call->awaited)
		return STEP_WAIT;
	if (!recall_is_whole(call, recall))
		return STEP_DONE;
	Needtoknow__V1__RescheduleResponse response = NEEDTOKNOW__V1__RESCHEDULE_RESPONSE__INIT;
	Needtoknow__V1__Disclosure **disclosures = recall_disclosures(call, recall);
	Needtoknow__V1__Receipt **receipts = recall_receipts(call, recall);
	if (call->failed)
		return STEP_NEXT;
	assert(recall->count == 1 && recall->line_count == 1);
	response.disclosure = disclosures[0];
	response.receipt = receipts[0];
	return call_reply(call, &response.base);
}

const struct method sharing_reschedule = {
	.path = "/needtoknow.v1.SharingService/Reschedule",
	.role = ROLE_BOOKING,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__reschedule_request__descriptor,
	.steps = { reschedule_decode, reschedule_look, reschedule_ask, reschedule_gather, reschedule_commit,
		reschedule_reply, reschedule_recall, reschedule_repeat },
	.again = 1,
	.board = reschedule_board,
	.train_class = TRAIN_CONTROL,
	.release = rulebook_leave,
};
