#include "pure/policy_register.h"
#include "rpc/audited.h"
#include "rpc/methods.h"
#include "service/batch.h"
#include "service/disclosure.h"
#include "service/rulebook.h"
#include "service/service.h"
#include "sql.h"

#include <needtoknow/v1/audit.pb-c.h>

/* GetRegister: the record of processing activities, GDPR art. 30(1), from the policy in force; who receives, from the
 * recipients that are registered now. */

struct record {
	struct audited audited;
	const struct rules *rules; /* in force when it was read */
	int64_t activated_at;
	Needtoknow__V1__GetRegisterResponse *response;
};

static enum step_result register_decode(struct call *call)
{
	struct record *record = call_alloc(call, sizeof *record);
	if (record)
		audited_begin(&record->audited);
	call->state = record;
	return STEP_NEXT;
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

static enum step_result register_too_large(struct call *call)
{
	return call_refuse(call,
		&(struct status){ .code = GRPC_RESOURCE_EXHAUSTED,
			.reason = "REGISTER_TOO_LARGE",
			.message =
				"the policy is larger than one answer; needtoknow policy register prints it from the "
				"file" });
}

static enum step_result register_ask(struct call *call)
{
	struct record *record = call->state;
	struct rulebook *rulebook = service_rulebook(call->service);
	if (!rulebook_is_current(rulebook, call))
		return STEP_WAIT;
	record->rules = rulebook_in_force(rulebook);
	if (!record->rules)
		return call_refuse(call,
			&(struct status){ .code = GRPC_UNAVAILABLE,
				.reason = "POLICY_UNAVAILABLE",
				.message = "no policy is in force" });
	record->response = policy_register(rules_policy(record->rules), call->arena);
	if (!record->response)
		return register_too_large(call);
	for (size_t i = 0; i < record->response->n_processings; i++) {
		Needtoknow__V1__Processing *processing = record->response->processings[i];
		if (processing->recipient_kind == NEEDTOKNOW__V1__RECIPIENT_KIND__RECIPIENT_KIND_PROVIDER)
			batch_read(
				call, &recipients_read, processing, (struct cell[]){ cell_text(processing->service) });
	}
	batch_read(call, &activation_read, record, (struct cell[]){ cell_number(rules_number(record->rules)) });
	return STEP_NEXT;
}

/* ---- reply ---- */

static enum step_result register_reply(struct call *call)
{
	struct record *record = call->state;
	if (call->awaited)
		return STEP_WAIT;
	if (record->activated_at)
		record->response->policy_activated_at = timestamp_message(call, record->activated_at);
	return call->failed ? STEP_NEXT
			    : audited_reply(call, &record->response->base, "REGISTER_TOO_LARGE",
				      "more is in the register than one answer can hold; needtoknow policy register "
				      "prints it from the policy file");
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
	.release = rulebook_leave,
};
