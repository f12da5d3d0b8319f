#include "pure/decision.h"
#include "pure/identifier.h"
#include "pure/secret.h"
#include "pure/time.h"
#include "rpc/listing.h"
#include "rpc/methods.h"
#include "rpc/request.h"
#include "service/batch.h"
#include "service/delivery.h"
#include "service/disclosure.h"
#include "service/ledger.h"
#include "service/queue.h"
#include "service/refusal.h"
#include "service/service.h"
#include "service/sweeper.h"
#include "service/train.h"
#include "sql.h"

#include <needtoknow/v1/sharing.pb-c.h>

#include <string.h>

/*
 * Share: art. 5(1)(c). Nothing is disclosed here; the right to be sent it is recorded. Explain takes the same steps up
 * to the decision and records nothing.
 */
struct share {
	const char *request_id, *booking_id, *subject_id, *recipient_id, *service;
	int64_t starts_at, ends_at;
	uint8_t disclosure_id[16];
	uint8_t request_digest[16];

	const struct rule *rule;
	struct share_facts facts;
	struct subject subject;
	int64_t read_at;
	bool seen_before; /* this request id was answered OK once */
	uint8_t seen_digest[16];
	struct source_answer subject_row, booking_row, consent_row;

	Needtoknow__V1__Reason refused;
	struct recorded recorded;
	struct disclosure disclosure;
};

/* ---- decode: bytes -> request, identifiers checked ---- */

/* The id is a keyed hash of who asked under which request id: the primary key finds a repeat, and nobody can guess it.
 */
static void name_disclosure(const struct call *call, struct share *share)
{
	uint8_t digest[32];
	struct secret_field id[] = { { call->actor, strlen(call->actor) },
		{ share->request_id, strlen(share->request_id) } };
	secret_hmac(service_secret(call->service, SECRET_DISCLOSURE_ID), id, 2, digest);
	memcpy(share->disclosure_id, digest, sizeof share->disclosure_id);
	share->disclosure_id[6] =
		(uint8_t)((share->disclosure_id[6] & 0x0f) | 0x80); /* RFC 9562: version 8, the variant */
	share->disclosure_id[8] = (uint8_t)((share->disclosure_id[8] & 0x3f) | 0x80);

	struct secret_field content[] = { { share->booking_id, strlen(share->booking_id) },
		{ share->subject_id, strlen(share->subject_id) }, { share->recipient_id, strlen(share->recipient_id) },
		{ share->service, strlen(share->service) }, { &share->starts_at, sizeof share->starts_at },
		{ &share->ends_at, sizeof share->ends_at } };
	secret_hmac(service_secret(call->service, SECRET_DISCLOSURE_ID), content, 6, digest);
	memcpy(share->request_digest, digest, sizeof share->request_digest);
}

static struct share *share_new(struct call *call)
{
	struct share *share = call_alloc(call, sizeof *share);
	call->state = share;
	return share;
}

static bool share_check(struct call *call, const struct share *share)
{
	return request_identifier(call, "booking_id", share->booking_id) &&
		request_identifier(call, "subject_id", share->subject_id) &&
		request_identifier(call, "recipient_id", share->recipient_id) &&
		request_identifier(call, "service", share->service);
}

static enum step_result share_decode(struct call *call)
{
	const Needtoknow__V1__ShareRequest *request = (const Needtoknow__V1__ShareRequest *)call->request;
	struct share *share = share_new(call);
	if (!share)
		return STEP_NEXT;
	*share = (struct share){ .request_id = request->request_id,
		.booking_id = request->booking_id,
		.subject_id = request->subject_id,
		.recipient_id = request->recipient_id,
		.service = request->service };
	if (!request_identifier(call, "request_id", share->request_id) || !share_check(call, share) ||
		!request_time(call, "starts_at", request->starts_at, &share->starts_at) ||
		!request_time(call, "ends_at", request->ends_at, &share->ends_at))
		return STEP_DONE;
	name_disclosure(call, share);
	return STEP_NEXT;
}

static enum step_result explain_decode(struct call *call)
{
	const Needtoknow__V1__ExplainRequest *request = (const Needtoknow__V1__ExplainRequest *)call->request;
	struct share *share = share_new(call);
	if (!share)
		return STEP_NEXT;
	*share = (struct share){ .request_id = "",
		.booking_id = request->booking_id,
		.subject_id = request->subject_id,
		.recipient_id = request->recipient_id,
		.service = request->service };
	if (!share_check(call, share) || !request_time(call, "starts_at", request->starts_at, &share->starts_at) ||
		!request_time(call, "ends_at", request->ends_at, &share->ends_at))
		return STEP_DONE;
	return STEP_NEXT;
}

/* ---- ask: recipient, rights, earlier request; and whether the sources know the subject and the booking ---- */

static void share_facts_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct share *share = target;
	struct share_facts *facts = &share->facts;
	(void)call;
	share->seen_before = !row_bytes(result, row, 1, share->seen_digest, sizeof share->seen_digest);
	facts->recipient_known = row_bool(result, row, 2);
	facts->recipient_suspended = row_bool(result, row, 3);
	if (facts->recipient_known) {
		facts->recipient_kind = (enum recipient_kind)row_int(result, row, 4);
		facts->agreement_from = row_time(result, row, 5);
		facts->agreement_until = row_time(result, row, 6);
	}
	facts->service_authorised = row_bool(result, row, 7);
	subject_read(result, row, 8, &share->subject);
	facts->subject_rights = subject_rights(result, row, 10, share->rule ? share->rule->service->purpose : "");
	share->read_at = row_time(result, row, 11);
}

static const struct read_kind share_facts_read = {
	.statement = &sql_share_facts,
	.from = READ_STATE,
	.types = { PG_UUID, PG_TEXT, PG_TEXT, PG_TEXT },
	.row = share_facts_row,
};

static void share_keys(struct call *call, const struct share *share)
{
	call_key(call, KEY_REQUEST, share->disclosure_id, sizeof share->disclosure_id, KEY_EXCLUSIVE);
	call_key(call, KEY_RECIPIENT, share->recipient_id, strlen(share->recipient_id), KEY_SHARED);
	call_key(call, KEY_POLICY, "", 0, KEY_SHARED);
}

static enum step_result share_ask(struct call *call)
{
	struct share *share = call->state;
	struct rulebook *rulebook = service_rulebook(call->service);
	if (!rulebook_is_current(rulebook, call))
		return STEP_WAIT;
	const struct rules *rules = rulebook_in_force(rulebook);
	/* Asked again: answers to the first asking are not counted with the new. */
	call_disregard(call);
	if (!rules)
		return call_refuse(call,
			&(struct status){ .code = GRPC_UNAVAILABLE,
				.reason = "POLICY_UNAVAILABLE",
				.message = "no policy is in force; nothing is shared without one" });
	share->rule = rules_find(rules, share->service);
	share->facts = (struct share_facts){ .service = share->rule ? share->rule->service : NULL,
		.starts_at = share->starts_at,
		.ends_at = share->ends_at };
	share->read_at = 0;
	share->seen_before = false;
	share->subject_row = share->booking_row = share->consent_row = (struct source_answer){ 0 };
	if (call->method->board)
		share_keys(call, share);
	batch_read(call, &share_facts_read, share,
		(struct cell[]){ cell_bytes(share->disclosure_id, 16), cell_text(share->recipient_id),
			cell_text(share->subject_id), cell_text(share->service) });
	if (!share->rule)
		return STEP_NEXT;
	source_ask(call, share->rule->subject, share->subject_id, share->subject_id, &share->subject_row);
	if (share->rule->booking)
		source_ask(call, share->rule->booking, share->booking_id, share->subject_id, &share->booking_row);
	if (share->rule->consent && share->rule->consent != share->rule->subject) {
		const struct policy_source *source = share->rule->service->requires->source;
		bool of_subject = source == policy_subjects(rules_policy(rules));
		source_ask(call, share->rule->consent, of_subject ? share->subject_id : share->booking_id,
			share->subject_id, &share->consent_row);
	}
	return STEP_NEXT;
}

/* ---- gather: a refusal that needs no source does not wait for one ---- */

static void share_conclude(struct share *share)
{
	struct share_facts *facts = &share->facts;
	const struct source_answer *consent =
		share->rule && share->rule->consent == share->rule->subject ? &share->subject_row : &share->consent_row;
	facts->subject_known = share->subject_row.rows == 1;
	facts->booking_known = share->booking_row.rows == 1;
	facts->booking_is_subjects = facts->booking_known && share->booking_row.values[0].bytes &&
		!strcmp(share->booking_row.values[0].bytes, "true");
	facts->consent = consent->read ? consent_of(consent) : TRISTATE_NULL;
}

/* Would it be refused whatever the sources said? Their reasons come after these in the order. */
static bool share_is_refused_already(const struct share *share)
{
	struct share_facts facts = share->facts;
	facts.now = share->read_at;
	facts.subject_known = facts.booking_known = facts.booking_is_subjects = true;
	facts.consent = TRISTATE_TRUE;
	Needtoknow__V1__Reason reason = share_decide(&facts);
	return reason != NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED &&
		reason < NEEDTOKNOW__V1__REASON__REASON_UNKNOWN_SUBJECT;
}

static enum step_result share_gather(struct call *call)
{
	struct share *share = call->state;
	if (!share->read_at)
		return STEP_WAIT;
	if (call->awaited && !share->seen_before && !share_is_refused_already(share))
		return STEP_WAIT;
	call_disregard(call);
	share_conclude(share);
	if (call->method->board && !share->subject.known && !share->seen_before)
		call_key(call, KEY_SUBJECT, share->subject_id, strlen(share->subject_id), KEY_EXCLUSIVE);
	else if (call->method->board)
		call_key(call, KEY_SUBJECT, share->subject_id, strlen(share->subject_id), KEY_SHARED);
	return STEP_NEXT;
}

/* ---- commit: decided under the ledger's lock, at the train's time ---- */

static enum step_result share_commit(struct call *call)
{
	return train_board(call);
}

/* An identifier that was not found is not in the entry; who was asked about is kept beside it, where it can be cleared.
 */
static void board_refusal(struct call *call, struct departure *departure, struct share *share)
{
	struct entry_draft draft;
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_REFUSED);
	draft.entry.reason = share->refused;
	if (share->rule)
		entry_service(&draft, share->rule->service);
	if (share->facts.recipient_known)
		draft.entry.recipient_id = (char *)share->recipient_id;
	if (share->subject.known) {
		draft.entry.subject_pseudonym.data = share->subject.pseudonym;
		draft.entry.subject_pseudonym.len = sizeof share->subject.pseudonym;
		if (share->facts.booking_known) {
			booking_ref(share->subject.key, share->booking_id, draft.booking_ref);
			draft.entry.booking_ref.data = draft.booking_ref;
			draft.entry.booking_ref.len = sizeof draft.booking_ref;
		}
	}
	bool subject_found = share->subject.known || share->facts.subject_known;
	share->recorded = departure_entry(departure, &draft.entry);
	departure_write(departure, WRITE_ENTRY_REFERENCE,
		(struct cell[]){ cell_number((int64_t)share->recorded.index), cell_bytes(NULL, 0),
			cell_text(subject_found ? share->subject_id : NULL),
			cell_text(share->facts.booking_known ? share->booking_id : NULL),
			cell_text(share->facts.recipient_known ? share->recipient_id : NULL), cell_text(NULL) });
}

static void board_disclosure(struct call *call, struct departure *departure, struct share *share)
{
	const struct policy_service *service = share->rule->service;
	struct disclosure *disclosure = &share->disclosure;
	struct entry_draft draft;
	int64_t now = departure_now(departure);

	*disclosure = (struct disclosure){ .booking_id = share->booking_id,
		.subject_id = share->subject_id,
		.recipient_id = share->recipient_id,
		.service = share->service,
		.policy_number = rules_number(share->rule->rules),
		.state = NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_ACTIVE,
		.starts_at = share->starts_at,
		.ends_at = share->ends_at,
		.expires_at = moment_at(&service->expires, now, share->starts_at, share->ends_at),
		.created_at = now };
	memcpy(disclosure->id, share->disclosure_id, sizeof disclosure->id);
	if (!share->subject.known) {
		subject_make(&share->subject);
		share->subject.known = true;
		departure_write(departure, WRITE_SUBJECT_KEY,
			(struct cell[]){ cell_text(share->subject_id),
				cell_bytes(share->subject.pseudonym, sizeof share->subject.pseudonym),
				cell_bytes(share->subject.key, sizeof share->subject.key) });
	}
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_SHARED);
	entry_disclosure(&draft, call, disclosure, &share->subject);
	share->recorded = departure_entry(departure, &draft.entry);
	disclosure->shared_index = share->recorded.index;
	departure_write(departure, WRITE_DISCLOSURE,
		(struct cell[]){ cell_bytes(disclosure->id, 16), cell_text(share->subject_id),
			cell_text(share->booking_id), cell_text(share->recipient_id), cell_text(share->service),
			cell_number(disclosure->policy_number), cell_number(share->starts_at),
			cell_number(share->ends_at), cell_number(disclosure->expires_at), cell_number(now),
			cell_bytes(share->request_digest, sizeof share->request_digest),
			cell_number((int64_t)share->recorded.index) });
	for (size_t i = 0; i < service->release_count; i++)
		departure_write(departure, WRITE_DUE,
			(struct cell[]){ cell_text(share->recipient_id), cell_text(""),
				cell_number(disclosure_due_at(disclosure, &service->releases[i])),
				cell_bytes(disclosure->id, 16), cell_number((int64_t)i) });
}

static enum boarding share_board(struct call *call, struct departure *departure)
{
	struct share *share = call->state;
	if (share->seen_before) {
		if (!memcmp(share->seen_digest, share->request_digest, sizeof share->seen_digest))
			return BOARD_NOTHING;
		share->refused = NEEDTOKNOW__V1__REASON__REASON_REQUEST_ID_REUSED;
	} else {
		share->facts.now = departure_now(departure);
		share->refused = share_decide(&share->facts);
	}
	if (share->refused != NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED) {
		board_refusal(call, departure, share);
		return BOARDED;
	}
	board_disclosure(call, departure, share);
	return BOARDED;
}

/* ---- reply: only after COMMIT ---- */

static enum step_result share_answer(
	struct call *call, struct disclosure *disclosure, int64_t now, const struct recorded *recorded)
{
	Needtoknow__V1__ShareResponse response = NEEDTOKNOW__V1__SHARE_RESPONSE__INIT;
	response.disclosure = disclosure_message(call, disclosure, now);
	response.receipt = receipt_message(call, recorded);
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

static enum step_result share_reply(struct call *call)
{
	struct share *share = call->state;
	if (share->refused != NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED)
		return refusal_reply(call, share->refused, &share->recorded);
	if (share->seen_before)
		return STEP_NEXT;
	sweeper_expects(service_sweeper(call->service), share->disclosure.expires_at);
	queue_poke(service_queues(call->service), share->recipient_id);
	return share_answer(call, &share->disclosure, share->recorded.at, &share->recorded);
}

/* ---- a repeated request: the same answer, from what was recorded ---- */

struct reading {
	struct disclosure *all;
	size_t count, size;
	int64_t now;
	struct ledger_line line;
};

static void disclosure_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct reading *reading = target;
	if (reading->count < reading->size)
		disclosure_read(call, result, row, &reading->all[reading->count++], &reading->now);
}

static const struct read_kind disclosure_by_id = {
	.statement = &sql_disclosure_by_id,
	.from = READ_STATE,
	.types = { PG_UUID },
	.row = disclosure_row,
};

static struct reading *reading_new(struct call *call, size_t size)
{
	struct reading *reading = call_alloc(call, sizeof *reading);
	if (!reading)
		return NULL;
	reading->all = call_alloc(call, size * sizeof *reading->all);
	reading->size = reading->all ? size : 0;
	return call->failed ? NULL : reading;
}

static enum step_result share_recall(struct call *call)
{
	const struct share *share = call->state;
	struct reading *reading = reading_new(call, 1);
	if (!reading)
		return STEP_NEXT;
	batch_read(call, &disclosure_by_id, reading, (struct cell[]){ cell_bytes(share->disclosure_id, 16) });
	call->state = reading;
	return STEP_NEXT;
}

static enum step_result share_recall_entry(struct call *call)
{
	struct reading *reading = call->state;
	if (call->awaited)
		return STEP_WAIT;
	if (!reading->count)
		return call_unavailable(call, "DATABASE_UNAVAILABLE");
	ledger_read(call, reading->all[0].shared_index, &reading->line);
	return STEP_NEXT;
}

static enum step_result share_repeat(struct call *call)
{
	struct reading *reading = call->state;
	if (call->awaited)
		return STEP_WAIT;
	/* Its entry may be older than bodies are kept. */
	if (!reading->line.length)
		reading->line.recorded.at = reading->all[0].created_at;
	return share_answer(call, &reading->all[0], reading->now, &reading->line.recorded);
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
	Needtoknow__V1__ExplainResponse response = NEEDTOKNOW__V1__EXPLAIN_RESPONSE__INIT;
	share->facts.now = share->read_at;
	Needtoknow__V1__Reason reason = share_decide(&share->facts);
	response.allowed = reason == NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED;
	response.reason = (char *)reason_name(reason);
	if (reason != NEEDTOKNOW__V1__REASON__REASON_UNKNOWN_SERVICE &&
		reason != NEEDTOKNOW__V1__REASON__REASON_BAD_WINDOW) {
		struct disclosure disclosure = { .starts_at = share->starts_at,
			.ends_at = share->ends_at,
			.created_at = share->read_at,
			.state = NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_ACTIVE };
		response.releases = releases_message(call, &disclosure, share->rule->service, share->read_at);
		response.n_releases = response.releases ? share->rule->service->release_count : 0;
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
	struct reading *reading = reading_new(call, 1);
	if (!reading)
		return STEP_NEXT;
	if (!request_uuid(call, "disclosure_id", request->disclosure_id, id))
		return STEP_DONE;
	batch_read(call, &disclosure_by_id, reading, (struct cell[]){ cell_bytes(id, 16) });
	call->state = reading;
	return STEP_NEXT;
}

static enum step_result get_reply(struct call *call)
{
	struct reading *reading = call->state;
	Needtoknow__V1__GetDisclosureResponse response = NEEDTOKNOW__V1__GET_DISCLOSURE_RESPONSE__INIT;
	if (call->awaited)
		return STEP_WAIT;
	if (!reading->count)
		return call_refuse(call,
			&(struct status){ .code = GRPC_NOT_FOUND,
				.reason = "UNKNOWN_DISCLOSURE",
				.message = "there is no disclosure of that id" });
	response.disclosure = disclosure_message(call, &reading->all[0], reading->now);
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
