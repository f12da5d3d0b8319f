#include "pure/duration.h"
#include "rpc/audited.h"
#include "rpc/methods.h"
#include "service/batch.h"
#include "service/disclosure.h"
#include "service/rulebook.h"
#include "service/service.h"
#include "sql.h"

#include <needtoknow/v1/audit.pb-c.h>

#include <stdio.h>
#include <string.h>

/* GetRegister: the record of processing activities, GDPR art. 30(1), from the policy in force; who receives, from the
 * recipients that are registered now. */

struct record {
	struct audited audited;
	const struct rules *rules; /* in force when it was read */
	int64_t activated_at;
	Needtoknow__V1__Processing **processings;
};

static enum step_result register_decode(struct call *call)
{
	struct record *record = call_alloc(call, sizeof *record);
	if (record)
		audited_begin(&record->audited);
	call->state = record;
	return STEP_NEXT;
}

/* ---- what the policy says ---- */

static Needtoknow__V1__ProcessedField *field_message(
	struct call *call, const struct policy_release *release, const struct policy_field *field, char *due)
{
	Needtoknow__V1__ProcessedField *message = call_alloc(call, sizeof *message);
	if (!message)
		return NULL;
	needtoknow__v1__processed_field__init(message);
	message->name = (char *)field->name;
	message->release = (char *)release->name;
	message->due = due;
	message->sensitive = release->sensitive;
	return message;
}

static void add_fields(struct call *call, Needtoknow__V1__Processing *processing, const struct policy_service *service)
{
	size_t count = 0;
	for (size_t i = 0; i < service->release_count; i++)
		count += service->releases[i].field_count;
	processing->fields = call_alloc(call, (count + 1) * sizeof *processing->fields);
	for (size_t i = 0; !call->failed && i < service->release_count; i++) {
		const struct policy_release *release = &service->releases[i];
		char *due = call_alloc(call, MOMENT_TEXT_MAX);
		if (due)
			moment_format(&release->at, due);
		for (size_t j = 0; !call->failed && j < release->field_count; j++)
			processing->fields[processing->n_fields++] =
				field_message(call, release, release->fields[j], due);
	}
}

static Needtoknow__V1__Processing *processing_message(
	struct call *call, const struct policy *policy, const struct policy_service *service)
{
	Needtoknow__V1__Processing *message = call_alloc(call, sizeof *message);
	char *expires = call_alloc(call, MOMENT_TEXT_MAX), *delete_within = call_alloc(call, DURATION_TEXT_MAX);
	if (call->failed)
		return NULL;
	needtoknow__v1__processing__init(message);
	moment_format(&service->expires, expires);
	duration_format(service->delete_within, delete_within);
	message->service = (char *)service->name;
	message->title = (char *)(service->title ? service->title : "");
	message->purpose = (char *)service->purpose;
	message->legal_basis = (char *)legal_basis_name(service->legal_basis);
	message->subject_category = (char *)policy_subjects(policy)->name;
	message->recipient_kind = (Needtoknow__V1__RecipientKind)service->recipients;
	message->expires = expires;
	message->delete_within = delete_within;
	message->requires = (char *)(service->requires ? service->requires->name : "");
	add_fields(call, message, service);
	return message;
}

static Needtoknow__V1__RetentionPeriod *period_message(
	struct call *call, const char *what, const struct policy_period *period)
{
	Needtoknow__V1__RetentionPeriod *message = call_alloc(call, sizeof *message);
	if (!message)
		return NULL;
	needtoknow__v1__retention_period__init(message);
	message->what = (char *)what;
	message->keep = (char *)period->text;
	message->because = (char *)(period->because ? period->because : "");
	return message;
}

/* `client.home_address, client.door_code` */
static const char *columns_named(struct call *call, const struct policy_column_retention *columns)
{
	size_t length = 1, at = 0;
	for (size_t i = 0; i < columns->field_count; i++)
		length += strlen(columns->fields[i].name) + 2;
	char *text = call_alloc(call, length);
	for (size_t i = 0; text && i < columns->field_count; i++)
		at += (size_t)snprintf(text + at, length - at, "%s%s", i ? ", " : "", columns->fields[i].name);
	return text ? text : "";
}

static void add_retention(
	struct call *call, Needtoknow__V1__GetRegisterResponse *response, const struct policy_retention *retention)
{
	const struct {
		const char *what;
		const struct policy_period *period;
	} ours[] = {
		{ "disclosures", &retention->disclosures },
		{ "ledger_bodies", &retention->ledger_bodies },
		{ "subject_key_after_erasure", &retention->subject_key_after_erasure },
		{ "backups", &retention->backups },
	};
	const size_t count = sizeof ours / sizeof *ours;
	response->retention = call_alloc(call, (count + retention->column_count) * sizeof *response->retention);
	for (size_t i = 0; !call->failed && i < count; i++)
		response->retention[response->n_retention++] = period_message(call, ours[i].what, ours[i].period);
	for (size_t i = 0; !call->failed && i < retention->column_count; i++)
		response->retention[response->n_retention++] =
			period_message(call, columns_named(call, &retention->columns[i]), &retention->columns[i].after);
}

/* ---- read: who receives now, and since when the policy is in force ---- */

static void recipient_row(struct call *call, void *target, const PGresult *result, int row)
{
	Needtoknow__V1__Processing *processing = target;
	if (!processing->recipients)
		processing->recipients =
			call_alloc(call, (size_t)row_int(result, row, 1) * sizeof *processing->recipients);
	char *name = (char *)row_text(result, row, 2, call);
	if (processing->recipients && name)
		processing->recipients[processing->n_recipients++] = name;
}

static void activation_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct record *record = target;
	(void)call;
	record->activated_at = row_time(result, row, 1);
}

static const struct read_kind recipients_read = {
	.statement = &sql_register_recipients, .from = READ_AUDIT, .types = { PG_TEXT }, .row = recipient_row
};
static const struct read_kind activation_read = {
	.statement = &sql_register_activation, .from = READ_AUDIT, .types = { PG_INT4 }, .row = activation_row
};

static enum step_result register_ask(struct call *call)
{
	struct record *record = call->state;
	record->rules = rulebook_in_force(service_rulebook(call->service));
	if (!record->rules)
		return call_refuse(call,
			&(struct status){ .code = GRPC_UNAVAILABLE,
				.reason = "POLICY_UNAVAILABLE",
				.message = "no policy is in force" });
	const struct policy *policy = rules_policy(record->rules);
	size_t count = policy_service_count(policy);
	record->processings = call_alloc(call, count * sizeof *record->processings);
	for (size_t i = 0; !call->failed && i < count; i++) {
		const struct policy_service *service = policy_service_at(policy, i);
		record->processings[i] = processing_message(call, policy, service);
		if (!call->failed && service->recipients == RECIPIENT_KIND_PROVIDER)
			batch_read(call, &recipients_read, record->processings[i],
				(struct cell[]){ cell_text(service->name) });
	}
	batch_read(call, &activation_read, record, (struct cell[]){ cell_number(rules_number(record->rules)) });
	return STEP_NEXT;
}

/* ---- reply ---- */

static enum step_result register_reply(struct call *call)
{
	const struct record *record = call->state;
	Needtoknow__V1__GetRegisterResponse response = NEEDTOKNOW__V1__GET_REGISTER_RESPONSE__INIT;
	if (call->awaited)
		return STEP_WAIT;
	const struct policy *policy = rules_policy(record->rules);
	size_t measures = policy_security_measure_count(policy);
	response.controller = (char *)policy_controller(policy);
	response.data_protection_officer = (char *)policy_data_protection_officer(policy);
	response.security_measures = call_alloc(call, (measures + 1) * sizeof *response.security_measures);
	for (size_t i = 0; response.security_measures && i < measures; i++)
		response.security_measures[response.n_security_measures++] =
			(char *)policy_security_measure_at(policy, i);
	response.processings = record->processings;
	response.n_processings = policy_service_count(policy);
	add_retention(call, &response, policy_retention(policy));
	response.policy_digest.data = (uint8_t *)policy_digest(policy);
	response.policy_digest.len = 32;
	response.policy_activated_at = record->activated_at ? timestamp_message(call, record->activated_at) : NULL;
	return call->failed
		? STEP_NEXT
		: audited_reply(call, &response.base, "REGISTER_TOO_LARGE",
			  "more recipients are registered than one answer can hold; ListRecipients has them in pages");
}

const struct method audit_get_register = {
	.path = "/needtoknow.v1.AuditService/GetRegister",
	.role = ROLE_AUDITOR,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__get_register_request__descriptor,
	.steps = { register_decode, audited_ask, audited_commit, register_ask, register_reply },
	.again = 1,
	.board = audited_board,
	.train_class = TRAIN_SHARE,
};
