#include "base/memory.h"
#include "pure/time.h"
#include "rpc/asked.h"
#include "rpc/methods.h"
#include "rpc/notification.h"
#include "rpc/subject_report.h"
#include "service/batch.h"
#include "service/company.h"
#include "service/refusal.h"
#include "service/service.h"
#include "service/train.h"

#include <string.h>

/* What gRPC clients take in one message unless told otherwise, less room for the receipt. */
#define REPLY_BYTES_MAX (((size_t)4 << 20) - 256)
/* An entry names each column and must not outgrow a leaf. */
#define NAMES_BYTES_MAX 49152

/*
 * GetSubjectRecord: GDPR art. 15, 20. All that the company has of a client, and who was given what of it. Read each
 * time, also when it is asked again under the same request id, and recorded each time; values leave only after the
 * entry that names their columns is committed, and are wiped with the call.
 */
struct record {
	struct asked asked; /* first: its steps take it from call->state */
	Needtoknow__V1__RecordColumn **columns;
	size_t count;
	size_t names_length;
	Needtoknow__V1__Notice *notice;
	struct subject_report *report;
	struct notifications *notifications;
	Needtoknow__V1__GetSubjectReportResponse report_message;
	Needtoknow__V1__GetSubjectRecordResponse response;
};

/* ---- decode ---- */

static enum step_result record_decode(struct call *call)
{
	const Needtoknow__V1__GetSubjectRecordRequest *request =
		(const Needtoknow__V1__GetSubjectRecordRequest *)call->request;
	struct record *record = call_alloc(call, sizeof *record);
	const struct asked_fields fields = { request->request_id, request->subject_id, request->channel,
		request->received_at };
	if (!record)
		return STEP_NEXT;
	call->state = record;
	if (!asked_decode(call, &record->asked, NEEDTOKNOW__V1__RIGHTS_REQUEST_KIND__RIGHTS_REQUEST_KIND_ACCESS,
		    &fields, NULL, 0))
		return STEP_DONE;
	return company_configured(service_company(call->service)) ? STEP_NEXT : company_refuse(call);
}

/* ---- read ---- */

static char *text_or_empty(struct call *call, const PGresult *result, int row, int column)
{
	return row_is_null(result, row, column) ? (char *)"" : (char *)row_text(result, row, column, call);
}

static Google__Protobuf__Timestamp *finite_time(struct call *call, const PGresult *result, int row, int column)
{
	int64_t time = row_time(result, row, column);
	return time == INT64_MAX ? NULL : timestamp_message(call, time);
}

static Needtoknow__V1__Origin origin_of(const char *name)
{
	if (!strcmp(name, "DIRECT"))
		return NEEDTOKNOW__V1__ORIGIN__ORIGIN_DIRECT;
	if (!strcmp(name, "WEBSITE"))
		return NEEDTOKNOW__V1__ORIGIN__ORIGIN_WEBSITE;
	return NEEDTOKNOW__V1__ORIGIN__ORIGIN_UNSPECIFIED;
}

static void column_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct record *record = target;
	Needtoknow__V1__RecordColumn *column = call_alloc(call, sizeof *column);
	if (!record->columns)
		record->columns = call_alloc(call, (size_t)PQntuples(result) * sizeof *record->columns);
	if (call->failed)
		return;
	needtoknow__v1__record_column__init(column);
	column->column = text_or_empty(call, result, row, 0);
	column->value = text_or_empty(call, result, row, 1);
	column->is_null = row_is_null(result, row, 1);
	const char *origin = text_or_empty(call, result, row, 2);
	column->collected_at = finite_time(call, result, row, 3);
	column->keep_until = finite_time(call, result, row, 4);
	column->keep_because = text_or_empty(call, result, row, 5);
	column->held = row_bool(result, row, 6);
	if (call->failed)
		return;
	column->origin = origin_of(origin);
	record->names_length += strlen(column->column) + 1;
	record->columns[record->count++] = column;
}

static void notice_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct record *record = target;
	Needtoknow__V1__Notice *notice = call_alloc(call, sizeof *notice);
	if (!notice)
		return;
	needtoknow__v1__notice__init(notice);
	notice->version = text_or_empty(call, result, row, 0);
	notice->location = text_or_empty(call, result, row, 1);
	notice->in_force_since = finite_time(call, result, row, 2);
	record->notice = notice;
}

static enum step_result record_read(struct call *call)
{
	struct record *record = call->state;
	const char *subject_id = record->asked.subject_id;
	const struct parameter subject = { subject_id, strlen(subject_id) };
	if (record->asked.repeat.found == REPEAT_OTHER)
		return STEP_NEXT;
	record->columns = NULL;
	record->count = record->names_length = 0;
	record->notice = NULL;
	company_ask(call,
		&(struct company_asking){ .function = COMPANY_SUBJECT_RECORD,
			.parameters = &subject,
			.row = column_row,
			.target = record });
	company_ask(call,
		&(struct company_asking){ .function = COMPANY_NOTICE_IN_FORCE, .row = notice_row, .target = record });
	record->report = subject_report_ask(call, subject_id);
	record->notifications = notifications_ask(call, subject_id);
	return STEP_NEXT;
}

/* Of somebody who was erased the company may have nothing: who was given what is told all the same (art. 19). */
static enum step_result record_read_deliveries(struct call *call)
{
	struct record *record = call->state;
	if (call->awaited)
		return STEP_WAIT;
	if (record->asked.repeat.found == REPEAT_OTHER)
		return STEP_NEXT;
	if (!record->count && !record->asked.stored)
		return call_refuse(call,
			&(struct status){ .code = GRPC_NOT_FOUND,
				.reason = "UNKNOWN_SUBJECT",
				.message = "the company's database has no such client" });
	subject_report_ask_deliveries(call, record->report);
	return STEP_NEXT;
}

/* ---- commit: what will be answered is made before, since what cannot be answered is not recorded as answered ---- */

static enum step_result refuse_size(struct call *call)
{
	return call_refuse(call,
		&(struct status){ .code = GRPC_RESOURCE_EXHAUSTED,
			.reason = "RECORD_TOO_LARGE",
			.message =
				"there is more about this client than one answer can hold; an auditor can read who was "
				"given what in pages" });
}

static void fill(struct call *call, struct record *record, const struct policy *policy)
{
	Needtoknow__V1__GetSubjectRecordResponse *response = &record->response;
	needtoknow__v1__get_subject_record_response__init(response);
	response->columns = record->columns;
	response->n_columns = record->count;
	response->notice = record->notice;
	response->controller = (char *)policy_controller(policy);
	response->data_protection_officer = (char *)policy_data_protection_officer(policy);
	response->notifications = notifications_messages(call, record->notifications, &response->n_notifications);
	if (!subject_report_found(record->report))
		return;
	subject_report_fill(call, record->report, policy, &record->report_message);
	/* That they asked before is no reason to tell them of nothing. */
	if (record->report_message.n_recipients || record->report_message.n_rights)
		response->report = &record->report_message;
}

static enum step_result record_commit(struct call *call)
{
	struct record *record = call->state;
	const struct rules *rules = rulebook_in_force(service_rulebook(call->service));
	if (call->awaited)
		return STEP_WAIT;
	if (record->asked.repeat.found == REPEAT_OTHER || call->boarding != CALL_ASHORE)
		return train_board(call);
	if (!rules)
		return call_unavailable(call, "POLICY_UNAVAILABLE");
	fill(call, record, rules_policy(rules));
	if (call->failed)
		return STEP_NEXT;
	if (record->names_length > NAMES_BYTES_MAX ||
		needtoknow__v1__get_subject_record_response__get_packed_size(&record->response) > REPLY_BYTES_MAX)
		return refuse_size(call);
	return train_board(call);
}

static char **names_of(struct call *call, const struct record *record)
{
	char **names = call_alloc(call, (record->count + 1) * sizeof *names);
	for (size_t i = 0; names && i < record->count; i++)
		names[i] = record->columns[i]->column;
	return names;
}

static enum boarding record_board(struct call *call, struct departure *departure)
{
	struct record *record = call->state;
	struct entry_draft draft;
	enum asked_answer answer = asked_board(call, departure, &record->asked);
	if (answer == ASKED_OTHERWISE)
		return BOARDED;
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_ACCESSED);
	draft.entry.fields = names_of(call, record);
	draft.entry.n_fields = draft.entry.fields ? record->count : 0;
	asked_entry(call, departure, &record->asked, &draft, NULL);
	/* Asked again, it is in the register already. */
	if (answer == ASKED_NEW)
		asked_register(call, departure, &record->asked,
			NEEDTOKNOW__V1__RIGHTS_REQUEST_STATE__RIGHTS_REQUEST_STATE_ANSWERED, NULL, 0,
			(const struct recorded *[]){ &record->asked.recorded }, 1);
	return BOARDED;
}

/* ---- reply: only now may the values leave ---- */

static enum step_result record_reply(struct call *call)
{
	struct record *record = call->state;
	if (record->asked.reused)
		return refusal_reply(call, NEEDTOKNOW__V1__REASON__REASON_REQUEST_ID_REUSED, &record->asked.recorded);
	if (call->late) /* its values were wiped */
		return call_unavailable(call, "DATABASE_UNAVAILABLE");
	record->response.receipt = receipt_message(call, &record->asked.recorded);
	return call->failed ? STEP_NEXT : call_reply(call, &record->response.base);
}

static void record_doubted(struct call *call)
{
	const struct record *record = call->state;
	for (size_t i = 0; i < record->count; i++) {
		char *value = record->columns[i]->value;
		if (*value)
			mem_wipe(value, strlen(value));
	}
}

/* What is too much for a call's memory is a record that is too large. */
static void record_failed(struct call *call)
{
	if (call->status.reason && !strcmp(call->status.reason, "CALL_TOO_LARGE")) {
		call->status.reason = "RECORD_TOO_LARGE";
		call->status.message = "there is more about this client than one answer can hold";
	}
}

const struct method rights_get_subject_record = {
	.path = "/needtoknow.v1.RightsService/GetSubjectRecord",
	.role = ROLE_RIGHTS,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__get_subject_record_request__descriptor,
	.steps = { record_decode, asked_ask, asked_gather, record_read, record_read_deliveries, record_commit,
		record_reply },
	.again = 1,
	.board = record_board,
	.train_class = TRAIN_CONTROL,
	.failed = record_failed,
	.doubted = record_doubted,
};
