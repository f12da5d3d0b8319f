#include "rpc/proposal.h"

#include "service/batch.h"
#include "service/delivery.h"
#include "service/queue.h"
#include "service/service.h"
#include "service/sweeper.h"
#include "service/train.h"
#include "sql.h"

#include <string.h>

/* ---- ask: recipient, rights, earlier request; and whether the sources know the subject and the booking ---- */

static void facts_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct proposal *proposal = target;
	struct share_facts *facts = &proposal->facts;
	repeat_read(call, result, row, 1, &proposal->repeat);
	facts->recipient_known = row_bool(result, row, 6);
	facts->recipient_suspended = row_bool(result, row, 7);
	if (facts->recipient_known) {
		facts->recipient_kind = (enum recipient_kind)row_int(result, row, 8);
		facts->agreement_from = row_time(result, row, 9);
		facts->agreement_until = row_time(result, row, 10);
	}
	facts->service_authorised = row_bool(result, row, 11);
	subject_read(result, row, 12, &proposal->subject);
	facts->subject_rights = subject_rights(result, row, 14, proposal->rule ? proposal->rule->service->purpose : "");
	proposal->read_at = row_time(result, row, 15);
}

static const struct read_kind share_facts_read = {
	.statement = &sql_share_facts,
	.from = READ_STATE,
	.types = { PG_UUID, PG_TEXT, PG_TEXT, PG_TEXT },
	.row = facts_row,
};

static void declare(struct call *call, const struct proposal *proposal)
{
	call_key(call, KEY_REQUEST, proposal->repeat.key, sizeof proposal->repeat.key, KEY_EXCLUSIVE);
	call_key(call, KEY_RECIPIENT, proposal->recipient_id, strlen(proposal->recipient_id), KEY_SHARED);
	call_key(call, KEY_POLICY, "", 0, KEY_SHARED);
	call_key(call, KEY_BOOKING, proposal->booking_id, strlen(proposal->booking_id), KEY_ADDED);
}

bool proposal_rules(struct call *call, const struct rules **out, enum step_result *result)
{
	struct rulebook *rulebook = service_rulebook(call->service);
	*result = STEP_WAIT;
	if (!rulebook_is_current(rulebook, call))
		return false;
	/* Asked again: answers to the first asking are not counted with the new. */
	call_disregard(call);
	*out = rulebook_in_force(rulebook);
	if (*out)
		return true;
	*result = call_refuse(call,
		&(struct status){ .code = GRPC_UNAVAILABLE,
			.reason = "POLICY_UNAVAILABLE",
			.message = "no policy is in force; nothing is shared without one" });
	return false;
}

void proposal_ask(struct call *call, struct proposal *proposal, const struct rule *rule)
{
	proposal->rule = rule;
	proposal->facts = (struct share_facts){
		.service = rule ? rule->service : NULL, .starts_at = proposal->starts_at, .ends_at = proposal->ends_at
	};
	proposal->read_at = 0;
	proposal->repeat.found = REPEAT_NEW;
	proposal->refused = NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED;
	proposal->subject_row = proposal->booking_row = proposal->consent_row = (struct source_answer){ 0 };
	if (call->method->board)
		declare(call, proposal);
	batch_read(call, &share_facts_read, proposal,
		(struct cell[]){ cell_bytes(proposal->repeat.key, 16), cell_text(proposal->recipient_id),
			cell_text(proposal->subject_id), cell_text(proposal->service) });
	if (!rule)
		return;
	const char *subject_id = proposal->subject_id;
	source_ask(call, rule->subject, subject_id, subject_id, &proposal->subject_row);
	if (rule->booking)
		source_ask(call, rule->booking, proposal->booking_id, subject_id, &proposal->booking_row);
	if (rule->consent && rule->consent != rule->subject) {
		const struct policy_source *source = rule->service->requires->source;
		bool of_subject = source == policy_subjects(rules_policy(rule->rules));
		source_ask(call, rule->consent, of_subject ? subject_id : proposal->booking_id, subject_id,
			&proposal->consent_row);
	}
}

/* ---- gather: a refusal that needs no source does not wait for one ---- */

static void conclude(struct proposal *proposal)
{
	struct share_facts *facts = &proposal->facts;
	const struct source_answer *consent = proposal->rule && proposal->rule->consent == proposal->rule->subject
		? &proposal->subject_row
		: &proposal->consent_row;
	facts->subject_known = proposal->subject_row.rows == 1;
	facts->booking_known = proposal->booking_row.rows == 1;
	facts->booking_is_subjects = facts->booking_known && proposal->booking_row.values[0].bytes &&
		!strcmp(proposal->booking_row.values[0].bytes, "true");
	facts->consent = consent->read ? consent_of(consent) : TRISTATE_NULL;
}

/* Would it be refused whatever the sources said? Their reasons come after these in the order. */
static bool is_refused_already(const struct proposal *proposal)
{
	struct share_facts facts = proposal->facts;
	facts.now = proposal->read_at;
	facts.subject_known = facts.booking_known = facts.booking_is_subjects = true;
	facts.consent = TRISTATE_TRUE;
	Needtoknow__V1__Reason reason = share_decide(&facts);
	return reason != NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED &&
		reason < NEEDTOKNOW__V1__REASON__REASON_UNKNOWN_SUBJECT;
}

enum step_result proposal_gather(struct call *call, struct proposal *proposal)
{
	bool seen = proposal->repeat.found != REPEAT_NEW;
	if (!proposal->read_at)
		return STEP_WAIT;
	if (call->awaited && !seen && !is_refused_already(proposal))
		return STEP_WAIT;
	call_disregard(call);
	conclude(proposal);
	if (!call->method->board)
		return STEP_NEXT;
	call_key(call, KEY_SUBJECT, proposal->subject_id, strlen(proposal->subject_id),
		!proposal->subject.known && !seen ? KEY_EXCLUSIVE : KEY_SHARED);
	call_key(call, KEY_SUBJECT_SHARES, proposal->subject_id, strlen(proposal->subject_id), KEY_ADDED);
	return STEP_NEXT;
}

/* ---- in the train: decided under the ledger's lock, at the train's time ---- */

/* An identifier that was not found is not in the entry; who was asked about is kept beside it, where it can be cleared.
 */
void proposal_refuse(
	struct call *call, struct departure *departure, struct proposal *proposal, Needtoknow__V1__Reason reason)
{
	struct entry_draft draft;
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_REFUSED);
	proposal->refused = reason;
	draft.entry.reason = reason;
	if (proposal->disclosure_id) {
		uuid_format(proposal->disclosure_id, draft.disclosure_id);
		draft.entry.disclosure_id = draft.disclosure_id;
	}
	if (proposal->rule)
		entry_service(&draft, proposal->rule->service);
	if (proposal->facts.recipient_known)
		draft.entry.recipient_id = (char *)proposal->recipient_id;
	if (proposal->subject.known) {
		draft.entry.subject_pseudonym.data = proposal->subject.pseudonym;
		draft.entry.subject_pseudonym.len = sizeof proposal->subject.pseudonym;
		if (proposal->facts.booking_known) {
			booking_ref(proposal->subject.key, proposal->booking_id, draft.booking_ref);
			draft.entry.booking_ref.data = draft.booking_ref;
			draft.entry.booking_ref.len = sizeof draft.booking_ref;
		}
	}
	bool subject_found = proposal->subject.known || proposal->facts.subject_known;
	proposal->recorded = departure_entry(departure, &draft.entry);
	departure_write(departure, WRITE_ENTRY_REFERENCE,
		(struct cell[]){ cell_number((int64_t)proposal->recorded.index),
			cell_bytes(proposal->disclosure_id, proposal->disclosure_id ? 16 : 0),
			cell_text(subject_found ? proposal->subject_id : NULL),
			cell_text(proposal->facts.booking_known ? proposal->booking_id : NULL),
			cell_text(proposal->facts.recipient_known ? proposal->recipient_id : NULL), cell_text(NULL) });
}

bool proposal_decide(struct call *call, struct departure *departure, struct proposal *proposal)
{
	proposal->facts.now = departure_now(departure);
	Needtoknow__V1__Reason reason = share_decide(&proposal->facts);
	if (reason == NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED)
		return true;
	proposal_refuse(call, departure, proposal, reason);
	return false;
}

void proposal_board(struct call *call, struct departure *departure, struct proposal *proposal, struct disclosure *out)
{
	const struct policy_service *service = proposal->rule->service;
	struct entry_draft draft;
	int64_t now = departure_now(departure);

	*out = (struct disclosure){ .booking_id = proposal->booking_id,
		.subject_id = proposal->subject_id,
		.recipient_id = proposal->recipient_id,
		.service = proposal->service,
		.policy_number = rules_number(proposal->rule->rules),
		.state = NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_ACTIVE,
		.starts_at = proposal->starts_at,
		.ends_at = proposal->ends_at,
		.expires_at = moment_at(&service->expires, now, proposal->starts_at, proposal->ends_at),
		.created_at = now };
	memcpy(out->id, proposal->repeat.key, sizeof out->id);
	if (!proposal->subject.known) {
		subject_make(&proposal->subject);
		proposal->subject.known = true;
		departure_write(departure, WRITE_SUBJECT_KEY,
			(struct cell[]){ cell_text(proposal->subject_id),
				cell_bytes(proposal->subject.pseudonym, sizeof proposal->subject.pseudonym),
				cell_bytes(proposal->subject.key, sizeof proposal->subject.key) });
	}
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_SHARED);
	entry_disclosure(&draft, call, out, &proposal->subject);
	proposal->recorded = departure_entry(departure, &draft.entry);
	out->shared_index = proposal->recorded.index;
	departure_write(departure, WRITE_DISCLOSURE,
		(struct cell[]){ cell_bytes(out->id, 16), cell_text(proposal->subject_id),
			cell_text(proposal->booking_id), cell_text(proposal->recipient_id),
			cell_text(proposal->service), cell_number(out->policy_number), cell_number(proposal->starts_at),
			cell_number(proposal->ends_at), cell_number(out->expires_at), cell_number(now),
			cell_bytes(proposal->repeat.digest, sizeof proposal->repeat.digest),
			cell_number((int64_t)proposal->recorded.index) });
	for (size_t i = 0; i < service->release_count; i++)
		departure_write(departure, WRITE_DUE,
			(struct cell[]){ cell_text(proposal->recipient_id), cell_text(""),
				cell_number(disclosure_due_at(out, &service->releases[i])), cell_bytes(out->id, 16),
				cell_number((int64_t)i) });
}

void proposal_shared(struct call *call, const struct disclosure *disclosure)
{
	sweeper_expects(service_sweeper(call->service), disclosure->expires_at);
	queue_poke(service_queues(call->service), disclosure->recipient_id);
}
