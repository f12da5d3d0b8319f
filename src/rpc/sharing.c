#include "pure/secret.h"
#include "rpc/listing.h"
#include "rpc/methods.h"
#include "rpc/proposal.h"
#include "rpc/repeat.h"
#include "rpc/request.h"
#include "service/disclosure.h"
#include "service/refusal.h"
#include "service/service.h"
#include "service/train.h"

#include <needtoknow/v1/sharing.pb-c.h>

#include <string.h>

/*
 * Share: art. 5(1)(c). Nothing is disclosed here; the right to be sent it is recorded. Explain takes the same steps up
 * to the decision and records nothing.
 */
struct share {
	const char *request_id;
	struct proposal proposal;
	struct disclosure disclosure;
	struct recall *recall;
};

/* ---- decode: bytes -> request, identifiers checked ---- */

static void name_request(const struct call *call, struct share *share)
{
	struct proposal *asked = &share->proposal;
	struct secret_field content[] = { { asked->booking_id, strlen(asked->booking_id) },
		{ asked->subject_id, strlen(asked->subject_id) }, { asked->recipient_id, strlen(asked->recipient_id) },
		{ asked->service, strlen(asked->service) }, { &asked->starts_at, sizeof asked->starts_at },
		{ &asked->ends_at, sizeof asked->ends_at } };
	asked->repeat.in_disclosure = true;
	repeat_name(call, &asked->repeat, share->request_id, content, 6);
}

static struct share *share_new(struct call *call)
{
	struct share *share = call_alloc(call, sizeof *share);
	call->state = share;
	return share;
}

static bool share_check(struct call *call, const struct proposal *asked)
{
	return request_identifier(call, "booking_id", asked->booking_id) &&
		request_identifier(call, "subject_id", asked->subject_id) &&
		request_identifier(call, "recipient_id", asked->recipient_id) &&
		request_identifier(call, "service", asked->service);
}

static enum step_result share_decode(struct call *call)
{
	const Needtoknow__V1__ShareRequest *request = (const Needtoknow__V1__ShareRequest *)call->request;
	struct share *share = share_new(call);
	if (!share)
		return STEP_NEXT;
	struct proposal *asked = &share->proposal;
	share->request_id = request->request_id;
	asked->booking_id = request->booking_id;
	asked->subject_id = request->subject_id;
	asked->recipient_id = request->recipient_id;
	asked->service = request->service;
	if (!request_identifier(call, "request_id", share->request_id) || !share_check(call, asked) ||
		!request_time(call, "starts_at", request->starts_at, &asked->starts_at) ||
		!request_time(call, "ends_at", request->ends_at, &asked->ends_at))
		return STEP_DONE;
	name_request(call, share);
	return STEP_NEXT;
}

static enum step_result explain_decode(struct call *call)
{
	const Needtoknow__V1__ExplainRequest *request = (const Needtoknow__V1__ExplainRequest *)call->request;
	struct share *share = share_new(call);
	if (!share)
		return STEP_NEXT;
	struct proposal *asked = &share->proposal;
	asked->booking_id = request->booking_id;
	asked->subject_id = request->subject_id;
	asked->recipient_id = request->recipient_id;
	asked->service = request->service;
	if (!share_check(call, asked) || !request_time(call, "starts_at", request->starts_at, &asked->starts_at) ||
		!request_time(call, "ends_at", request->ends_at, &asked->ends_at))
		return STEP_DONE;
	return STEP_NEXT;
}

/* ---- ask and gather: what decides is read ---- */

static enum step_result share_ask(struct call *call)
{
	struct share *share = call->state;
	const struct rules *rules;
	enum step_result result;
	if (!proposal_rules(call, &rules, &result))
		return result;
	proposal_ask(call, &share->proposal, rules_find(rules, share->proposal.service));
	return STEP_NEXT;
}

static enum step_result share_gather(struct call *call)
{
	struct share *share = call->state;
	return proposal_gather(call, &share->proposal);
}

/* ---- commit: decided under the ledger's lock, at the train's time ---- */

static enum step_result share_commit(struct call *call)
{
	return train_board(call);
}

static enum boarding share_board(struct call *call, struct departure *departure)
{
	struct share *share = call->state;
	struct proposal *asked = &share->proposal;
	if (asked->repeat.found == REPEAT_SAME)
		return BOARD_NOTHING;
	if (asked->repeat.found == REPEAT_OTHER)
		proposal_refuse(call, departure, asked, NEEDTOKNOW__V1__REASON__REASON_REQUEST_ID_REUSED);
	else if (proposal_decide(call, departure, asked))
		proposal_board(call, departure, asked, &share->disclosure);
	return BOARDED;
}

/* ---- reply: only after COMMIT ---- */

static enum step_result share_answer(
	struct call *call, const struct disclosure *disclosure, int64_t now, const struct recorded *recorded)
{
	Needtoknow__V1__ShareResponse response = NEEDTOKNOW__V1__SHARE_RESPONSE__INIT;
	response.disclosure = disclosure_message(call, disclosure, now);
	response.receipt = receipt_message(call, recorded);
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

static enum step_result share_reply(struct call *call)
{
	struct share *share = call->state;
	const struct proposal *asked = &share->proposal;
	if (asked->refused != NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED)
		return refusal_reply(call, asked->refused, &asked->recorded);
	if (asked->repeat.found == REPEAT_SAME)
		return STEP_NEXT;
	proposal_shared(call, &share->disclosure);
	return share_answer(call, &share->disclosure, asked->recorded.at, &asked->recorded);
}

/* ---- a repeated request: the same answer, from what was recorded ---- */

static enum step_result share_recall(struct call *call)
{
	struct share *share = call->state;
	share->recall = recall_one(call, share->proposal.repeat.key);
	return STEP_NEXT;
}

static enum step_result share_recall_entry(struct call *call)
{
	struct share *share = call->state;
	struct recall *recall = share->recall;
	if (call->awaited)
		return STEP_WAIT;
	if (!recall->count)
		return call_unavailable(call, "DATABASE_UNAVAILABLE");
	ledger_read(call, recall->disclosures[0].shared_index, &recall->lines[0]);
	return STEP_NEXT;
}

static enum step_result share_repeat(struct call *call)
{
	const struct share *share = call->state;
	struct recall *recall = share->recall;
	if (call->awaited)
		return STEP_WAIT;
	/* Its entry may be older than bodies are kept. */
	if (!recall->lines[0].length)
		recall->lines[0].recorded.at = recall->disclosures[0].created_at;
	return share_answer(call, &recall->disclosures[0], recall->now, &recall->lines[0].recorded);
}

const struct method sharing_share = {
	.path = "/needtoknow.v1.SharingService/Share",
	.role = ROLE_BOOKING,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__share_request__descriptor,
	.steps = { share_decode, share_ask, share_gather, share_commit, share_reply, share_recall, share_recall_entry,
		share_repeat },
	.again = 1,
	.board = share_board,
	.train_class = TRAIN_SHARE,
	.release = rulebook_leave,
};

/* ---- Explain ---- */

static enum step_result explain_reply(struct call *call)
{
	struct share *share = call->state;
	struct proposal *asked = &share->proposal;
	Needtoknow__V1__ExplainResponse response = NEEDTOKNOW__V1__EXPLAIN_RESPONSE__INIT;
	asked->facts.now = asked->read_at;
	Needtoknow__V1__Reason reason = share_decide(&asked->facts);
	response.allowed = reason == NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED;
	response.reason = (char *)reason_name(reason);
	if (reason != NEEDTOKNOW__V1__REASON__REASON_UNKNOWN_SERVICE &&
		reason != NEEDTOKNOW__V1__REASON__REASON_BAD_WINDOW) {
		struct disclosure disclosure = { .starts_at = asked->starts_at,
			.ends_at = asked->ends_at,
			.created_at = asked->read_at,
			.state = NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_ACTIVE };
		response.releases = releases_message(call, &disclosure, asked->rule->service, asked->read_at);
		response.n_releases = response.releases ? asked->rule->service->release_count : 0;
	}
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

const struct method sharing_explain = {
	.path = "/needtoknow.v1.SharingService/Explain",
	.role = ROLE_BOOKING,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__explain_request__descriptor,
	.steps = { explain_decode, share_ask, share_gather, explain_reply },
	.release = rulebook_leave,
};

/* ---- GetDisclosure ---- */

static enum step_result get_decode(struct call *call)
{
	const Needtoknow__V1__GetDisclosureRequest *request =
		(const Needtoknow__V1__GetDisclosureRequest *)call->request;
	uint8_t id[16];
	if (!request_uuid(call, "disclosure_id", request->disclosure_id, id))
		return STEP_DONE;
	call->state = recall_one(call, id);
	return STEP_NEXT;
}

static enum step_result get_reply(struct call *call)
{
	const struct recall *recall = call->state;
	Needtoknow__V1__GetDisclosureResponse response = NEEDTOKNOW__V1__GET_DISCLOSURE_RESPONSE__INIT;
	if (call->awaited)
		return STEP_WAIT;
	if (!recall->count)
		return call_refuse(call,
			&(struct status){ .code = GRPC_NOT_FOUND,
				.reason = "UNKNOWN_DISCLOSURE",
				.message = "there is no disclosure of that id" });
	response.disclosure = disclosure_message(call, &recall->disclosures[0], recall->now);
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

const struct method sharing_get_disclosure = {
	.path = "/needtoknow.v1.SharingService/GetDisclosure",
	.role = ROLE_BOOKING,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__get_disclosure_request__descriptor,
	.steps = { get_decode, get_reply },
};

/* ---- ListDisclosures ---- */

static enum step_result list_decode(struct call *call)
{
	const Needtoknow__V1__ListDisclosuresRequest *request =
		(const Needtoknow__V1__ListDisclosuresRequest *)call->request;
	static const struct {
		const char *field;
		enum listing_by by;
	} by[] = {
		[NEEDTOKNOW__V1__LIST_DISCLOSURES_REQUEST__BY_BOOKING_ID] = { "booking_id", LISTING_BY_BOOKING },
		[NEEDTOKNOW__V1__LIST_DISCLOSURES_REQUEST__BY_SUBJECT_ID] = { "subject_id", LISTING_BY_SUBJECT },
		[NEEDTOKNOW__V1__LIST_DISCLOSURES_REQUEST__BY_RECIPIENT_ID] = { "recipient_id", LISTING_BY_RECIPIENT },
	};
	if (request->by_case == NEEDTOKNOW__V1__LIST_DISCLOSURES_REQUEST__BY__NOT_SET) {
		call_refuse_identifier(call, "booking_id, subject_id or recipient_id");
		return STEP_DONE;
	}
	const char *id = request->booking_id; /* of a oneof: all members are one */
	if (!request_identifier(call, by[request->by_case].field, id))
		return STEP_DONE;
	return listing_ask(call, by[request->by_case].by, id, request->page_size, request->page_token);
}

static enum step_result list_reply(struct call *call)
{
	Needtoknow__V1__ListDisclosuresResponse response = NEEDTOKNOW__V1__LIST_DISCLOSURES_RESPONSE__INIT;
	if (call->awaited)
		return STEP_WAIT;
	response.disclosures = listing_messages(call, &response.n_disclosures, &response.next_page_token);
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

const struct method sharing_list_disclosures = {
	.path = "/needtoknow.v1.SharingService/ListDisclosures",
	.role = ROLE_BOOKING,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__list_disclosures_request__descriptor,
	.steps = { list_decode, list_reply },
};
