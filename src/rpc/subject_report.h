#ifndef NEEDTOKNOW_RPC_SUBJECT_REPORT_H
#define NEEDTOKNOW_RPC_SUBJECT_REPORT_H

#include "pure/policy.h"
#include "service/call.h"

#include <needtoknow/v1/audit.pb-c.h>
#include <stdbool.h>

/*
 * GDPR art. 15(1)(c): who was given what of one subject's. Providers are named; staff are not recipients in that
 * article's sense and are reported by their role, the service. For auditors, and for the subject. All of it is in the
 * call's arena.
 */
struct subject_report;

/* What was shared of more than can be told at once, or does not fit into one message: RESOURCE_EXHAUSTED. */
#define SUBJECT_REPORT_TOO_LARGE "REPORT_TOO_LARGE"
#define SUBJECT_REPORT_TOO_LARGE_MESSAGE                                                                               \
	"more was shared of this subject than one answer can hold; read it in pages: ListEntries with the subject"

/* Asks; NULL when the call has failed. It is in when call->awaited is 0. */
struct subject_report *subject_report_ask(struct call *call, const char *subject_id);
/* Then: false, nothing was ever recorded of this subject, or it was forgotten. */
bool subject_report_found(const struct subject_report *report);
/* Then asks what was sent of each disclosure. */
void subject_report_ask_deliveries(struct call *call, struct subject_report *report);
/* Then: the message, which points into the report. `policy`: the one in force. The call may have failed. */
void subject_report_fill(struct call *call, struct subject_report *report, const struct policy *policy,
	Needtoknow__V1__GetSubjectReportResponse *out);

#endif
