#include "base/fault.h"
#include "pure/identifier.h"
#include "pure/pgbinary.h"
#include "rpc/asked.h"
#include "rpc/column_value.h"
#include "rpc/methods.h"
#include "rpc/objection.h"
#include "rpc/request.h"
#include "service/batch.h"
#include "service/company.h"
#include "service/refusal.h"
#include "service/service.h"
#include "service/suppression.h"
#include "service/train.h"
#include "sql.h"

#include <assert.h>
#include <string.h>

#define COLUMNS_AT_MOST 64
#define NOTICE_MAX 128
#define ARRAY_MAX ((size_t)8 << 20)

/*
 * Register: GDPR art. 13, 14. The company's function first, under the request's key, under which it makes no second
 * client; then what is known here of the number that it gave, then the entry. A client who objected to something
 * earlier, under another number, has objected to it under this one too, from the same train on.
 */
struct registration {
	struct asked asked; /* first: its steps take it from call->state */
	const Needtoknow__V1__RegisterRequest *request;
	/* What the company's function said. */
	const char *subject_id, *problem, *column;
	bool answered, refused;
	struct contacts contacts;
	struct suppressed suppressed;
	struct recorded *carried; /* as many as are suppressed */
	struct recall *recall;
};

/* ---- decode ---- */

static bool is_given_twice(const Needtoknow__V1__RegisterRequest *request, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (!strcmp(request->columns[i]->column, request->columns[index]->column))
			return true;
	return false;
}

static bool columns_are_good(struct call *call, const Needtoknow__V1__RegisterRequest *request)
{
	if (request->n_columns > COLUMNS_AT_MOST)
		return request_refuse(call, "BAD_VALUE", "columns", "at most 64 columns can be given");
	for (size_t i = 0; i < request->n_columns; i++) {
		if (!column_value_decode(call, request->columns[i]))
			return false;
		if (is_given_twice(request, i))
			return request_refuse(call, "BAD_VALUE", "columns", "a column is given twice");
	}
	return true;
}

/* Of all that is given, in its order. */
static void digest_columns(
	struct call *call, const Needtoknow__V1__RegisterRequest *request, struct secret_field *out, size_t *count)
{
	struct secret_field *fields = call_alloc(call, (request->n_columns + 1) * 3 * sizeof *fields);
	uint8_t *digest = call_alloc(call, 32);
	size_t n = 0;
	if (!fields || !digest)
		return;
	for (size_t i = 0; i < request->n_columns; i++) {
		const Needtoknow__V1__ColumnValue *value = request->columns[i];
		fields[n++] = (struct secret_field){ value->column, strlen(value->column) };
		fields[n++] = (struct secret_field){ value->value, strlen(value->value) };
		fields[n++] = (struct secret_field){ &value->is_null, sizeof value->is_null };
	}
	secret_hmac(service_secret(call->service, SECRET_DISCLOSURE_ID), fields, n, digest);
	out[(*count)++] = (struct secret_field){ digest, 32 };
}

/* A line each. */
static const char *column_names(struct call *call, const Needtoknow__V1__RegisterRequest *request)
{
	char *names = call_alloc(call, request->n_columns * (IDENTIFIER_MAX + 1) + 1), *end = names;
	for (size_t i = 0; names && i < request->n_columns; i++) {
		size_t length = strlen(request->columns[i]->column);
		if (i)
			*end++ = '\n';
		memcpy(end, request->columns[i]->column, length);
		end += length;
	}
	return names;
}

static enum step_result registration_decode(struct call *call)
{
	const Needtoknow__V1__RegisterRequest *request = (const Needtoknow__V1__RegisterRequest *)call->request;
	struct registration *registration = call_alloc(call, sizeof *registration);
	if (!registration)
		return STEP_NEXT;
	call->state = registration;
	registration->request = request;
	struct secret_field content[3] = { { &request->origin, sizeof request->origin },
		{ request->notice_version, strlen(request->notice_version) } };
	size_t count = 2;
	digest_columns(call, request, content, &count);
	const struct asked_fields fields = { request->request_id, NULL, request->channel, request->received_at };
	if (!asked_decode(call, &registration->asked, NEEDTOKNOW__V1__RIGHTS_REQUEST_KIND__RIGHTS_REQUEST_KIND_REGISTER,
		    &fields, content, count) ||
		!request_enum(call, "origin", &needtoknow__v1__origin__descriptor, (int)request->origin) ||
		!request_text(call, "notice_version", request->notice_version, NOTICE_MAX) ||
		!columns_are_good(call, request))
		return STEP_DONE;
	registration->asked.columns = column_names(call, request);
	return STEP_NEXT;
}

/* ---- enrol: the company's database gives the number; then: what their contacts are ---- */

static void enrolled_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct registration *registration = target;
	registration->answered = true;
	registration->subject_id = row_text(result, row, 0, call);
	registration->problem = row_text(result, row, 1, call);
	registration->column = row_text(result, row, 2, call);
}

static void ask_company(struct call *call, struct registration *registration)
{
	const Needtoknow__V1__RegisterRequest *request = registration->request;
	const char *origin = request->origin == NEEDTOKNOW__V1__ORIGIN__ORIGIN_WEBSITE ? "WEBSITE" : "DIRECT";
	struct pg_array columns, values;
	pg_array_init(&columns, PG_TEXT, ARRAY_MAX);
	pg_array_init(&values, PG_TEXT, ARRAY_MAX);
	int failed = 0;
	for (size_t i = 0; i < request->n_columns; i++) {
		const Needtoknow__V1__ColumnValue *value = request->columns[i];
		failed |= pg_array_text(&columns, value->column) |
			pg_array_text(&values, value->is_null ? NULL : value->value);
	}
	assert(!failed); /* 64 of 64 KiB */
	(void)failed;
	const struct parameter parameters[] = { { registration->asked.repeat.key,
							sizeof registration->asked.repeat.key },
		{ origin, strlen(origin) }, { request->notice_version, strlen(request->notice_version) },
		{ columns.bytes.data, columns.bytes.length }, { values.bytes.data, values.bytes.length } };
	company_ask(call,
		&(struct company_asking){ .function = COMPANY_REGISTER,
			.parameters = parameters,
			.row = enrolled_row,
			.target = registration,
			.refused = &registration->refused });
	pg_array_release(&columns);
	pg_array_release(&values);
}

static enum step_result registration_enrol(struct call *call)
{
	struct registration *registration = call->state;
	if (registration->asked.repeat.found != REPEAT_NEW)
		return STEP_NEXT;
	if (!company_configured(service_company(call->service)))
		return company_refuse(call);
	registration->contacts = (struct contacts){ 0 };
	if (registration->asked.subject_id)
		contacts_ask(call, registration->asked.subject_id, &registration->contacts);
	else
		ask_company(call, registration);
	return STEP_NEXT;
}

/* ---- look: who it is, then what was said under their contacts ---- */

static enum step_result refuse_answer(struct call *call)
{
	return call_refuse(call,
		&(struct status){ .code = GRPC_INTERNAL,
			.reason = "BAD_CLIENT_NUMBER",
			.message = "the company's database registered the client and gave no usable client number" });
}

static enum step_result registration_look(struct call *call)
{
	struct registration *registration = call->state;
	if (call->awaited)
		return STEP_WAIT;
	if (registration->asked.repeat.found != REPEAT_NEW)
		return STEP_NEXT;
	registration->suppressed = (struct suppressed){ 0 };
	registration->carried = NULL; /* had room for what was found before, where this is read again */
	if (registration->asked.subject_id) {
		suppressed_ask(call, &registration->contacts, &registration->suppressed);
		return STEP_NEXT;
	}
	if (registration->refused || registration->problem)
		return column_value_refuse(call, registration->problem, registration->column);
	if (!registration->subject_id || !identifier_valid(registration->subject_id, strlen(registration->subject_id)))
		return refuse_answer(call);
	fault_point("registration.enrolled");
	registration->asked.subject_id = registration->subject_id;
	registration->asked.registered = true;
	call->step = call->method->again; /* now it is known of whom everything is asked */
	return STEP_NEXT;
}

/* ---- commit ---- */

static enum step_result registration_commit(struct call *call)
{
	struct registration *registration = call->state;
	if (call->awaited)
		return STEP_WAIT;
	if (!registration->carried)
		registration->carried =
			call_alloc(call, (registration->suppressed.count + 1) * sizeof *registration->carried);
	return call->failed ? STEP_NEXT : train_board(call);
}

static void record_it(struct call *call, struct departure *departure, struct registration *registration)
{
	const Needtoknow__V1__RegisterRequest *request = registration->request;
	const char *notice = request->notice_version;
	struct entry_draft draft;
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_REGISTERED);
	draft.entry.fields = draft.fields;
	for (size_t i = 0; i < request->n_columns; i++)
		draft.fields[draft.entry.n_fields++] = request->columns[i]->column;
	asked_entry(call, departure, &registration->asked, &draft,
		*notice ? arena_printf(call->arena, "notice %s", notice) : NULL);
}

static enum boarding registration_board(struct call *call, struct departure *departure)
{
	struct registration *registration = call->state;
	size_t count = registration->suppressed.count;
	switch (asked_board(call, departure, &registration->asked)) {
	case ASKED_BEFORE:
		return BOARD_NOTHING;
	case ASKED_OTHERWISE:
		return BOARDED;
	case ASKED_NEW:
		break;
	}
	const struct recorded **receipts = call_alloc(call, (count + 1) * sizeof(const struct recorded *));
	if (!receipts)
		return BOARD_NOTHING; /* the call has failed */
	record_it(call, departure, registration);
	receipts[0] = &registration->asked.recorded;
	objections_carry_over(call, departure, &registration->asked, &registration->suppressed, registration->carried);
	for (size_t i = 0; i < count; i++)
		receipts[i + 1] = &registration->carried[i];
	asked_register(call, departure, &registration->asked,
		NEEDTOKNOW__V1__RIGHTS_REQUEST_STATE__RIGHTS_REQUEST_STATE_ANSWERED, NULL, 0, receipts, count + 1);
	return BOARDED;
}

/* ---- reply ---- */

static void add_right(
	struct call *call, Needtoknow__V1__RegisterResponse *response, int kind, const char *purpose, int64_t raised_at)
{
	Needtoknow__V1__ReportedRight *right = call_alloc(call, sizeof *right);
	if (!right)
		return;
	needtoknow__v1__reported_right__init(right);
	right->kind = (Needtoknow__V1__RightKind)kind;
	right->purpose = (char *)purpose;
	right->raised_at = timestamp_message(call, raised_at);
	response->carried_over[response->n_carried_over++] = right;
}

static void number_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct registration *registration = target;
	registration->subject_id = row_text(result, row, 1, call);
}

static const struct read_kind number_read = {
	.statement = &sql_registered_subject,
	.from = READ_STATE,
	.types = { PG_UUID },
	.row = number_row,
};

static enum step_result registration_reply(struct call *call)
{
	struct registration *registration = call->state;
	struct asked *asked = &registration->asked;
	const struct suppressed *suppressed = &registration->suppressed;
	Needtoknow__V1__RegisterResponse response = NEEDTOKNOW__V1__REGISTER_RESPONSE__INIT;
	if (asked->reused)
		return refusal_reply(call, NEEDTOKNOW__V1__REASON__REASON_REQUEST_ID_REUSED, &asked->recorded);
	if (asked->repeat.found != REPEAT_NEW) {
		registration->recall = recall_ask(call, &asked->repeat);
		batch_read(call, &number_read, registration,
			(struct cell[]){ cell_bytes(asked->repeat.key, sizeof asked->repeat.key) });
		return STEP_NEXT;
	}
	response.subject_id = (char *)asked->subject_id;
	response.receipt = receipt_message(call, &asked->recorded);
	response.carried_over = objections_carried_over(call, suppressed, asked->recorded.at);
	response.n_carried_over = suppressed->count;
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

/* ---- a repeated request ---- */

/* What an entry behind the first says was carried over. */
static void add_recalled(struct call *call, Needtoknow__V1__RegisterResponse *response, const struct ledger_line *line)
{
	Needtoknow__V1__LedgerEntry *entry =
		line->length ? needtoknow__v1__ledger_entry__unpack(NULL, line->length, line->body) : NULL;
	if (!entry) /* bodies of that age are gone */
		return;
	bool consent = entry->kind == NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_CONSENT_WITHDRAWN;
	const char *purpose = arena_strdup(call->arena, entry->purpose);
	if (purpose)
		add_right(call, response,
			consent ? NEEDTOKNOW__V1__RIGHT_KIND__RIGHT_KIND_CONSENT_WITHDRAWN
				: NEEDTOKNOW__V1__RIGHT_KIND__RIGHT_KIND_OBJECTION,
			purpose, line->recorded.at);
	needtoknow__v1__ledger_entry__free_unpacked(entry, NULL);
}

static enum step_result registration_repeat(struct call *call)
{
	struct registration *registration = call->state;
	struct recall *recall = registration->recall;
	Needtoknow__V1__RegisterResponse response = NEEDTOKNOW__V1__REGISTER_RESPONSE__INIT;
	if (call->awaited)
		return STEP_WAIT;
	Needtoknow__V1__Receipt **receipts = recall_receipts(call, recall);
	response.carried_over = call_alloc(call, (recall->line_count + 1) * sizeof *response.carried_over);
	if (call->failed)
		return STEP_NEXT;
	response.subject_id = (char *)(registration->subject_id ? registration->subject_id : "");
	response.receipt = receipts[0];
	for (size_t i = 1; i < recall->line_count; i++)
		add_recalled(call, &response, &recall->lines[i]);
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

const struct method rights_register = {
	.path = "/needtoknow.v1.RightsService/Register",
	.role = ROLE_RIGHTS,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__register_request__descriptor,
	.steps = { registration_decode, asked_ask, asked_gather, registration_enrol, registration_look,
		registration_commit, registration_reply, registration_repeat },
	.again = 1,
	.board = registration_board,
	.train_class = TRAIN_CONTROL,
};
