#include "rpc/audited.h"
#include "rpc/methods.h"
#include "rpc/request.h"
#include "rpc/subject_report.h"
#include "service/rulebook.h"
#include "service/service.h"

#include <needtoknow/v1/audit.pb-c.h>

#include <string.h>

/* GetSubjectReport: GDPR art. 15(1)(c), who was given what of one subject's, for auditors. */
struct report {
	struct audited audited;
	struct subject_report *found;
};

/* ---- decode ---- */

static enum step_result report_decode(struct call *call)
{
	const Needtoknow__V1__GetSubjectReportRequest *request =
		(const Needtoknow__V1__GetSubjectReportRequest *)call->request;
	struct report *report = call_alloc(call, sizeof *report);
	if (!request_identifier(call, "subject_id", request->subject_id))
		return STEP_DONE;
	if (!report)
		return STEP_NEXT;
	call->state = report;
	audited_begin(&report->audited);
	report->audited.subject_id = audited_given(&report->audited, "subject_id", request->subject_id);
	return STEP_NEXT;
}

/* ---- read ---- */

static enum step_result report_ask(struct call *call)
{
	struct report *report = call->state;
	report->found = subject_report_ask(call, report->audited.subject_id);
	return STEP_NEXT;
}

static enum step_result report_ask_deliveries(struct call *call)
{
	struct report *report = call->state;
	if (call->awaited)
		return STEP_WAIT;
	if (!subject_report_found(report->found))
		return call_refuse(call,
			&(struct status){ .code = GRPC_NOT_FOUND,
				.reason = "UNKNOWN_SUBJECT",
				.message = "nothing was ever shared of this subject, or it was forgotten" });
	subject_report_ask_deliveries(call, report->found);
	return STEP_NEXT;
}

/* ---- reply ---- */

static enum step_result report_reply(struct call *call)
{
	struct report *report = call->state;
	Needtoknow__V1__GetSubjectReportResponse response;
	const struct rules *rules = rulebook_in_force(service_rulebook(call->service));
	if (call->awaited)
		return STEP_WAIT;
	if (!rules)
		return call_refuse(call,
			&(struct status){ .code = GRPC_UNAVAILABLE,
				.reason = "POLICY_UNAVAILABLE",
				.message = "no policy is in force" });
	subject_report_fill(call, report->found, rules_policy(rules), &response);
	return call->failed
		? STEP_NEXT
		: audited_reply(call, &response.base, SUBJECT_REPORT_TOO_LARGE, SUBJECT_REPORT_TOO_LARGE_MESSAGE);
}

/* What is too much for a call's memory is a report that is too large. */
static void report_failed(struct call *call)
{
	if (call->status.reason && !strcmp(call->status.reason, "CALL_TOO_LARGE")) {
		call->status.reason = SUBJECT_REPORT_TOO_LARGE;
		call->status.message = SUBJECT_REPORT_TOO_LARGE_MESSAGE;
	}
}

const struct method audit_get_subject_report = {
	.path = "/needtoknow.v1.AuditService/GetSubjectReport",
	.role = ROLE_AUDITOR,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__get_subject_report_request__descriptor,
	.steps = { report_decode, audited_ask, audited_commit, report_ask, report_ask_deliveries, report_reply },
	.again = 1,
	.board = audited_board,
	.train_class = TRAIN_SHARE,
	.failed = report_failed,
};
