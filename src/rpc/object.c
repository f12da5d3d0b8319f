#include "base/fault.h"
#include "pure/decision.h"
#include "pure/purpose.h"
#include "rpc/change.h"
#include "rpc/methods.h"
#include "rpc/objection.h"
#include "rpc/request.h"
#include "service/batch.h"
#include "service/refusal.h"
#include "service/service.h"
#include "service/train.h"

#include <string.h>

#define REASON_TEXT_MAX 500
#define REASON(name) NEEDTOKNOW__V1__REASON__REASON_##name
#define STATE(name) NEEDTOKNOW__V1__RIGHTS_REQUEST_STATE__RIGHTS_REQUEST_STATE_##name

/*
 * Object: art. 7(3), 21(1), 21(2) and (3), or why there is nothing to object to. The right is raised in the first train
 * and stops whatever is decided after it; what it bars of what lives ends in the same, and where that is more than a
 * train should carry, in further ones before the answer. A crash between two of them is mended by the caller's repeat:
 * what a repeat is answered is written by the last.
 */
struct object {
	struct asked asked;
	const char *purpose, *remark;
	bool upheld; /* it was weighed, and stands: nothing ends that has not ended already */
	unsigned bases; /* enum purpose_basis */
	bool raise[2]; /* RIGHT_OBJECTION, RIGHT_CONSENT_WITHDRAWN */
	struct recorded entries[2];
	struct objections held;
	int64_t raised_at;

	struct change *page; /* of what lives */
	uint64_t from; /* the index at which it begins */
	bool prepared, refused, raised;
	bool not_objected; /* what is to be upheld: decided in the train, where a repeat is known to be one */
	/* What is answered: of earlier trains, and of this. */
	const struct disclosure **withdrawn;
	const struct recorded **receipts;
	size_t withdrawn_count, receipt_count;
	size_t earlier_withdrawn, earlier_receipts;

	struct recorded refusal;
	struct recall *recall;
};

static const int kinds[2] = { RIGHT_OBJECTION, RIGHT_CONSENT_WITHDRAWN };

/* ---- decode ---- */

static enum step_result object_decode(struct call *call)
{
	const Needtoknow__V1__ObjectRequest *request = (const Needtoknow__V1__ObjectRequest *)call->request;
	struct object *object = call_alloc(call, sizeof *object);
	uint8_t upheld = request->upheld != 0;
	if (!object)
		return STEP_NEXT;
	call->state = object;
	const struct asked_fields fields = { request->request_id, request->subject_id, request->channel,
		request->received_at };
	const struct secret_field content[] = { { request->purpose, strlen(request->purpose) }, { &upheld, 1 },
		{ request->reason, strlen(request->reason) } };
	if (!asked_decode(call, &object->asked, NEEDTOKNOW__V1__RIGHTS_REQUEST_KIND__RIGHTS_REQUEST_KIND_OBJECT,
		    &fields, content, 3) ||
		(*request->purpose && !request_identifier(call, "purpose", request->purpose)) ||
		!request_text(call, "reason", request->reason, REASON_TEXT_MAX))
		return STEP_DONE;
	object->asked.purpose = object->purpose = request->purpose;
	object->remark = request->reason;
	object->upheld = upheld;
	return STEP_NEXT;
}

/* ---- read: what it rests on, what holds already, what lives ---- */

static void decide(struct object *object)
{
	bool all = !*object->purpose;
	object->raise[0] = all || (object->bases & (BASIS_MARKETING | BASIS_WEIGHED)) != 0;
	object->raise[1] = all || (object->bases & BASIS_CONSENT) != 0;
	object->refused = !object->raise[0] && !object->raise[1];
}

static enum step_result object_read(struct call *call)
{
	struct object *object = call->state;
	if (object->asked.repeat.found != REPEAT_NEW)
		return STEP_NEXT;
	if (!rulebook_is_current(service_rulebook(call->service), call))
		return STEP_WAIT;
	call_key(call, KEY_POLICY, "", 0, KEY_SHARED);
	if (!rulebook_in_force(service_rulebook(call->service)))
		return call_unavailable(call, "POLICY_UNAVAILABLE");
	object->bases = purpose_bases(call, object->purpose);
	if (!object->bases && *object->purpose) {
		request_refuse(call, "UNKNOWN_PURPOSE", "purpose",
			"the policy has no service for that purpose: name one that GetRegister lists");
		return STEP_DONE;
	}
	decide(object);
	object->prepared = false;
	objections_ask(call, object->asked.subject_id, object->purpose, &object->held);
	object->page = change_ask_subject(call, object->asked.subject_id, object->from);
	return STEP_NEXT;
}

/* ---- commit ---- */

static bool holds(const struct object *object, int kind, const char *purpose)
{
	bool asked_for = !*object->purpose || !strcmp(object->purpose, purpose);
	return (object->raise[kind == RIGHT_CONSENT_WITHDRAWN] && asked_for) ||
		objections_find(&object->held, kind, purpose) || objections_find(&object->held, kind, "");
}

/* Why it is no longer allowed; UNSPECIFIED: it is. Of what no policy is known any more nobody can say what for. */
static Needtoknow__V1__Reason barred(
	const struct call *call, const struct object *object, const struct disclosure *disclosure)
{
	const struct policy_service *service = disclosure_service(call, disclosure);
	if (!service || (objection_bars(service) && holds(object, RIGHT_OBJECTION, service->purpose)))
		return REASON(OBJECTED);
	if (service->legal_basis == LEGAL_BASIS_CONSENT && holds(object, RIGHT_CONSENT_WITHDRAWN, service->purpose))
		return REASON(CONSENT_MISSING);
	return REASON(UNSPECIFIED);
}

static bool has_more(const struct object *object)
{
	return object->page->count > CHANGE_MAX;
}

static size_t page_size(const struct object *object)
{
	return has_more(object) ? CHANGE_MAX : object->page->count;
}

static const void **longer(struct call *call, const void *old, size_t count, size_t more)
{
	const void **longer = call_alloc(call, (count + more + 1) * sizeof *longer);
	if (longer && count)
		memcpy(longer, old, count * sizeof *longer);
	return longer;
}

static void prepare(struct call *call, struct object *object)
{
	object->prepared = true;
	for (size_t i = 0; i < page_size(object); i++) {
		struct ending *ending = &object->page->all[i];
		ending->reason = barred(call, object, &ending->disclosure);
		if (ending->reason != REASON(UNSPECIFIED))
			ending_keys(call, &ending->disclosure);
	}
	object->withdrawn = (const struct disclosure **)longer(
		call, object->withdrawn, object->earlier_withdrawn, page_size(object));
	object->receipts = (const struct recorded **)longer(
		call, object->receipts, object->earlier_receipts, page_size(object) + 2);
}

static enum step_result object_commit(struct call *call)
{
	struct object *object = call->state;
	if (call->awaited)
		return STEP_WAIT;
	if (object->asked.repeat.found != REPEAT_NEW)
		return train_board(call);
	if (!object->prepared && !object->refused)
		prepare(call, object);
	return call->failed ? STEP_NEXT : train_board(call);
}

static void end(struct call *call, struct departure *departure, struct object *object, struct ending *ending)
{
	ending->kind = NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_REVOKED;
	ending->state = NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_OBJECTED;
	ending->cause = NEEDTOKNOW__V1__WITHDRAWAL_CAUSE__WITHDRAWAL_CAUSE_OBJECTED;
	ending_board(call, departure, ending);
	ending->disclosure.state = (int)ending->state;
	object->withdrawn[object->withdrawn_count++] = &ending->disclosure;
	object->receipts[object->receipt_count++] = &ending->recorded;
}

/* Under art. 21(1) it holds until it is weighed. */
static bool to_be_weighed(const struct object *object)
{
	const struct objection *held = objections_find(&object->held, RIGHT_OBJECTION, object->purpose);
	return !purpose_is_direct_marketing(object->purpose) && (object->bases & BASIS_WEIGHED) && !object->upheld &&
		!(held && held->upheld);
}

static void board_entries(struct call *call, struct departure *departure, struct object *object)
{
	const char *remark = object->remark;
	for (int i = 0; i < 2 && !object->upheld; i++) {
		if (!object->raise[i])
			continue;
		object->entries[i] = objection_raise(
			call, departure, &object->asked, REASON(UNSPECIFIED), kinds[i], object->purpose, remark);
		object->receipts[object->receipt_count++] = &object->entries[i];
		remark = NULL;
	}
	if (!object->upheld)
		return;
	object->entries[0] = objection_entry(call, departure, &object->asked,
		NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_OBJECTION_RAISED, REASON(UPHELD), RIGHT_OBJECTION,
		object->purpose, remark);
	object->receipts[object->receipt_count++] = &object->entries[0];
	departure_write(departure, WRITE_RIGHT_UPHELD,
		(struct cell[]){ cell_text(object->asked.subject_id), cell_number(RIGHT_OBJECTION),
			cell_text(object->purpose) });
	objections_weighed(departure, &object->held);
}

/* Its line of the register is answered with the last page, so that one that was left half-way shows as open. */
static void board_state(struct call *call, struct departure *departure, const struct object *object)
{
	bool open = has_more(object) || to_be_weighed(object);
	if (!object->raised)
		asked_line(call, departure, &object->asked, open ? STATE(OPEN) : STATE(ANSWERED));
	else if (!open)
		departure_write(departure, WRITE_RIGHTS_REQUEST_STATE,
			(struct cell[]){ cell_bytes(object->asked.repeat.key, sizeof object->asked.repeat.key),
				cell_number(STATE(ANSWERED)), cell_number(departure_now(departure)) });
}

static enum boarding object_board(struct call *call, struct departure *departure)
{
	struct object *object = call->state;
	switch (asked_board(call, departure, &object->asked)) {
	case ASKED_BEFORE:
		return BOARD_NOTHING;
	case ASKED_OTHERWISE:
		return BOARDED;
	case ASKED_NEW:
		break;
	}
	if (object->refused) {
		asked_refuse(call, departure, &object->asked, REASON(NO_RIGHT_TO_OBJECT), &object->refusal);
		return BOARDED;
	}
	object->not_objected = object->upheld && !objections_find(&object->held, RIGHT_OBJECTION, object->purpose);
	if (object->not_objected)
		return BOARD_NOTHING;
	object->withdrawn_count = object->earlier_withdrawn;
	object->receipt_count = object->earlier_receipts;
	if (!object->raised) {
		board_entries(call, departure, object);
		object->raised_at = departure_now(departure);
	}
	board_state(call, departure, object);
	for (size_t i = 0; i < page_size(object); i++)
		if (object->page->all[i].reason != REASON(UNSPECIFIED))
			end(call, departure, object, &object->page->all[i]);
	if (!has_more(object))
		repeat_board(departure, &object->asked.repeat, object->withdrawn, object->withdrawn_count,
			object->receipts, object->receipt_count);
	return BOARDED;
}

/* ---- reply, or another page ---- */

static Needtoknow__V1__Objection *objection_message(
	struct call *call, const char *purpose, const char *article, bool to_be_weighed, int64_t raised_at)
{
	Needtoknow__V1__Objection *message = call_alloc(call, sizeof *message);
	if (!message)
		return NULL;
	needtoknow__v1__objection__init(message);
	message->purpose = (char *)purpose;
	message->article = (char *)article;
	message->to_be_weighed = to_be_weighed;
	message->raised_at = timestamp_message(call, raised_at);
	return message;
}

/* What holds now of what was asked; `raising`: with what this call has raised. */
static void list(struct call *call, const struct object *object, bool raising, Needtoknow__V1__ObjectResponse *response)
{
	response->objections = call_alloc(call, 3 * sizeof *response->objections);
	for (int i = 0; i < 2 && !call->failed; i++) {
		const struct objection *held = objections_find(&object->held, kinds[i], object->purpose);
		if (!held && !(raising && object->raise[i]))
			continue;
		int64_t at = held ? held->raised_at : object->raised_at;
		bool marketing = purpose_is_direct_marketing(object->purpose);
		Needtoknow__V1__Objection **out = &response->objections[response->n_objections++];
		if (i == 1)
			*out = objection_message(call, object->purpose, "7(3)", false, at);
		else if (marketing)
			*out = objection_message(call, object->purpose, "21(2)", false, at);
		else
			*out = objection_message(call, object->purpose, "21(1)", to_be_weighed(object), at);
		if (i == 0 && !*object->purpose)
			response->objections[response->n_objections++] =
				objection_message(call, object->purpose, "21(2)", false, at);
	}
}

static enum step_result object_reply(struct call *call)
{
	struct object *object = call->state;
	Needtoknow__V1__ObjectResponse response = NEEDTOKNOW__V1__OBJECT_RESPONSE__INIT;
	if (object->asked.reused)
		return refusal_reply(call, REASON(REQUEST_ID_REUSED), &object->asked.recorded);
	if (object->asked.repeat.found == REPEAT_SAME)
		return STEP_NEXT;
	if (object->refused)
		return refusal_reply(call, REASON(NO_RIGHT_TO_OBJECT), &object->refusal);
	if (object->not_objected)
		return call_refuse(call,
			&(struct status){ .code = GRPC_NOT_FOUND,
				.reason = "NOT_OBJECTED",
				.message = "there is no objection to that purpose that could be upheld" });
	for (size_t i = 0; i < page_size(object); i++)
		if (object->page->all[i].reason != REASON(UNSPECIFIED))
			ending_committed(call, &object->page->all[i]);
	suppression_wake(service_suppression(call->service));
	if (has_more(object)) {
		fault_point("object.page");
		object->raised = true;
		object->from = object->page->all[CHANGE_MAX - 1].disclosure.shared_index + 1;
		object->earlier_withdrawn = object->withdrawn_count;
		object->earlier_receipts = object->receipt_count;
		train_leave(call); /* to travel once more */
		call->step = call->method->again;
		call->tries = 0;
		return STEP_NEXT;
	}
	list(call, object, true, &response);
	response.withdrawn = call_alloc(call, (object->withdrawn_count + 1) * sizeof *response.withdrawn);
	response.receipts = call_alloc(call, (object->receipt_count + 1) * sizeof *response.receipts);
	if (call->failed)
		return STEP_NEXT;
	for (size_t i = 0; i < object->withdrawn_count; i++)
		response.withdrawn[response.n_withdrawn++] =
			disclosure_message(call, object->withdrawn[i], object->page->now);
	for (size_t i = 0; i < object->receipt_count; i++)
		response.receipts[response.n_receipts++] = receipt_message(call, object->receipts[i]);
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

/* ---- a repeated request: what was recorded then, and what holds now ---- */

static enum step_result object_recall(struct call *call)
{
	struct object *object = call->state;
	object->recall = recall_ask(call, &object->asked.repeat);
	object->bases = purpose_bases(call, object->purpose);
	objections_ask(call, object->asked.subject_id, object->purpose, &object->held);
	return STEP_NEXT;
}

static enum step_result object_repeat(struct call *call)
{
	const struct object *object = call->state;
	Needtoknow__V1__ObjectResponse response = NEEDTOKNOW__V1__OBJECT_RESPONSE__INIT;
	if (call->awaited)
		return STEP_WAIT;
	if (!recall_is_whole(call, object->recall))
		return STEP_DONE;
	list(call, object, false, &response);
	response.withdrawn = recall_disclosures(call, object->recall);
	response.n_withdrawn = object->recall->count;
	response.receipts = recall_receipts(call, object->recall);
	response.n_receipts = object->recall->line_count;
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

const struct method rights_object = {
	.path = "/needtoknow.v1.RightsService/Object",
	.role = ROLE_RIGHTS,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__object_request__descriptor,
	.steps = { object_decode, asked_ask, asked_gather, object_read, object_commit, object_reply, object_recall,
		object_repeat },
	.again = 1,
	.board = object_board,
	.train_class = TRAIN_CONTROL,
	.release = rulebook_leave,
};
