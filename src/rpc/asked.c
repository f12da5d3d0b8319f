#include "rpc/asked.h"

#include "pure/time.h"
#include "rpc/request.h"
#include "service/batch.h"
#include "service/disclosure.h"
#include "service/service.h"
#include "sql.h"

#include <assert.h>
#include <string.h>

/* ---- decode ---- */

/* `received` stands there as it was given: what is asked again under the same id was received at the same time. */
static void name_it(struct call *call, struct asked *asked, const struct secret_field *content, size_t count)
{
	struct secret_field all[ASKED_CONTENT_MAX + 4] = {
		{ call->method->path, strlen(call->method->path) },
		{ asked->subject_id ? asked->subject_id : "", asked->subject_id ? strlen(asked->subject_id) : 0 },
		{ &asked->channel, sizeof asked->channel },
		{ &asked->received_at, sizeof asked->received_at },
	};
	assert(count <= ASKED_CONTENT_MAX);
	for (size_t i = 0; i < count; i++)
		all[4 + i] = content[i];
	repeat_name(call, &asked->repeat, asked->request_id, all, 4 + count);
}

bool asked_decode(struct call *call, struct asked *asked, Needtoknow__V1__RightsRequestKind kind,
	const struct asked_fields *fields, const struct secret_field *content, size_t count)
{
	*asked = (struct asked){ .request_id = fields->request_id,
		.subject_id = fields->subject_id,
		.kind = kind,
		.channel = fields->channel,
		.purpose = "" };
	if (!request_identifier(call, "request_id", fields->request_id) ||
		(fields->subject_id && !request_identifier(call, "subject_id", fields->subject_id)) ||
		!request_enum(call, "channel", &needtoknow__v1__channel__descriptor, (int)fields->channel))
		return false;
	if (!fields->received_at)
		return request_refuse(call, "BAD_TIMESTAMP", "received_at",
			"received_at is missing: say when the client asked, from which the month of GDPR art. 12(3) "
			"counts");
	if (!request_time(call, "received_at", fields->received_at, &asked->received_at))
		return false;
	name_it(call, asked, content, count);
	return true;
}

/* ---- ask and gather ---- */

static void facts_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct asked *asked = target;
	(void)call;
	subject_read(result, row, 1, &asked->subject);
	asked->erased = row_bool(result, row, 3);
	asked->stored = row_bool(result, row, 4);
	if (!asked->began_at)
		asked->began_at = row_time(result, row, 5);
}

static const struct read_kind asked_facts = {
	.statement = &sql_asked_facts,
	.from = READ_STATE,
	.types = { PG_TEXT },
	.row = facts_row,
};

enum step_result asked_ask(struct call *call)
{
	struct asked *asked = call->state;
	call_disregard(call);
	repeat_ask(call, &asked->repeat);
	asked->subject_row = (struct source_answer){ 0 };
	asked->source_knows = asked->reused = false;
	if (asked->subject_id) {
		call_key(call, KEY_SUBJECT, asked->subject_id, strlen(asked->subject_id), KEY_EXCLUSIVE);
		/* Shares of one subject ride together: what one of them has added is read again. */
		call_key(call, KEY_SUBJECT_SHARES, asked->subject_id, strlen(asked->subject_id), KEY_SHARED);
	}
	/* Of a registration it is the time alone that is wanted. */
	batch_read(call, &asked_facts, asked, (struct cell[]){ cell_text(asked->subject_id ? asked->subject_id : "") });
	return STEP_NEXT;
}

static enum step_result ask_source(struct call *call, struct asked *asked)
{
	const struct rules *rules = rulebook_in_force(service_rulebook(call->service));
	if (!rules)
		return call_unavailable(call, "POLICY_UNAVAILABLE");
	source_ask(call, rules_subject(rules), asked->subject_id, asked->subject_id, &asked->subject_row);
	return call->awaited ? STEP_WAIT : STEP_NEXT;
}

static enum step_result refuse_unknown(struct call *call)
{
	return call_refuse(call,
		&(struct status){ .code = GRPC_NOT_FOUND,
			.reason = "UNKNOWN_SUBJECT",
			.message = "the company's database has no such client" });
}

enum step_result asked_gather(struct call *call)
{
	struct asked *asked = call->state;
	if (call->awaited)
		return STEP_WAIT;
	if (asked->repeat.found != REPEAT_NEW)
		return STEP_NEXT;
	if (asked->received_at > asked->began_at) {
		request_refuse(call, "BAD_TIMESTAMP", "received_at", "received_at is in the future");
		return STEP_DONE;
	}
	if (!asked->subject_id || asked->registered || asked->stored)
		return STEP_NEXT;
	if (!asked->subject_row.read)
		return ask_source(call, asked) == STEP_WAIT ? STEP_WAIT : call->ended ? STEP_DONE : asked_gather(call);
	asked->source_knows = asked->subject_row.rows == 1;
	return asked->source_knows ? STEP_NEXT : refuse_unknown(call);
}

/* ---- in the train ---- */

enum asked_answer asked_board(struct call *call, struct departure *departure, struct asked *asked)
{
	asked->recorded = (struct recorded){ .at = TIME_NONE };
	asked->reused = asked->repeat.found == REPEAT_OTHER;
	if (asked->repeat.found == REPEAT_SAME)
		return ASKED_BEFORE;
	if (!asked->reused)
		return ASKED_NEW;
	asked->recorded = repeat_refuse(call, departure);
	return ASKED_OTHERWISE;
}

static void make_subject(struct departure *departure, struct asked *asked)
{
	subject_make(&asked->subject);
	asked->subject.known = true;
	departure_write(departure, WRITE_SUBJECT_KEY,
		(struct cell[]){ cell_text(asked->subject_id),
			cell_bytes(asked->subject.pseudonym, sizeof asked->subject.pseudonym),
			cell_bytes(asked->subject.key, sizeof asked->subject.key) });
}

struct recorded asked_entry(struct call *call, struct departure *departure, struct asked *asked,
	struct entry_draft *draft, const char *remark)
{
	(void)call;
	if (!asked->subject.known && !asked->erased)
		make_subject(departure, asked);
	if (asked->subject.known) {
		draft->entry.subject_pseudonym.data = asked->subject.pseudonym;
		draft->entry.subject_pseudonym.len = sizeof asked->subject.pseudonym;
	}
	struct recorded recorded = departure_entry(departure, &draft->entry);
	departure_write(departure, WRITE_ENTRY_REFERENCE,
		(struct cell[]){ cell_number((int64_t)recorded.index), cell_bytes(NULL, 0),
			cell_text(asked->subject_id), cell_text(NULL), cell_text(NULL),
			cell_text(remark && *remark ? remark : NULL) });
	if (asked->recorded.at == TIME_NONE)
		asked->recorded = recorded;
	return recorded;
}

void asked_line(struct call *call, struct departure *departure, const struct asked *asked,
	Needtoknow__V1__RightsRequestState state)
{
	int64_t now = departure_now(departure);
	bool open = state == NEEDTOKNOW__V1__RIGHTS_REQUEST_STATE__RIGHTS_REQUEST_STATE_OPEN;
	departure_write(departure, WRITE_RIGHTS_REQUEST,
		(struct cell[]){ cell_bytes(asked->repeat.key, sizeof asked->repeat.key),
			cell_number((int64_t)asked->recorded.index), cell_text(call->actor),
			cell_text(asked->request_id), cell_text(asked->subject_id), cell_number(asked->kind),
			cell_text(asked->purpose), cell_text(asked->columns), cell_number(asked->channel),
			cell_number(asked->received_at), cell_number(asked->began_at),
			cell_number(time_add_months(asked->received_at, 1)), cell_number(state),
			cell_number(open ? TIME_NONE : now) });
}

void asked_register(struct call *call, struct departure *departure, const struct asked *asked,
	Needtoknow__V1__RightsRequestState state, const struct disclosure *const *disclosures, size_t disclosure_count,
	const struct recorded *const *receipts, size_t receipt_count)
{
	asked_line(call, departure, asked, state);
	repeat_board(departure, &asked->repeat, disclosures, disclosure_count, receipts, receipt_count);
}

void asked_refuse(struct call *call, struct departure *departure, struct asked *asked, Needtoknow__V1__Reason reason,
	struct recorded *out)
{
	struct entry_draft draft;
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_REFUSED);
	draft.entry.reason = reason;
	draft.entry.purpose = (char *)asked->purpose;
	*out = asked_entry(call, departure, asked, &draft, NULL);
	asked_line(call, departure, asked, NEEDTOKNOW__V1__RIGHTS_REQUEST_STATE__RIGHTS_REQUEST_STATE_REFUSED);
}
