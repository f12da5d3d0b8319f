#include "rpc/subject_report.h"

#include "pure/time.h"
#include "rpc/released.h"
#include "service/batch.h"
#include "service/disclosure.h"
#include "service/service.h"
#include "sql.h"

#include <stdlib.h>
#include <string.h>

#define DISCLOSURES_MAX 20000

/* One disclosure, and what it is sorted and grouped by. */
struct shared {
	struct subject_report *report;
	uint8_t id[16];
	const struct policy_service *service; /* under the policy under which it was shared */
	bool staff;
	const char *recipient_id, *display_name; /* "" of staff */
	Needtoknow__V1__ReportedDisclosure *message;
};

struct subject_report {
	const char *subject_id;
	bool found;
	uint8_t pseudonym[16];
	int64_t made_at;
	struct shared *all; /* in the order of sharing, until they are grouped */
	size_t count;
	Needtoknow__V1__ReportedRight **rights;
	size_t right_count;
	struct released_fields *fields;
};

/* ---- read: who it is, what was shared, which rights ---- */

static void subject_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct subject_report *report = target;
	(void)call;
	report->found = !row_bytes(result, row, 1, report->pseudonym, sizeof report->pseudonym);
	report->made_at = row_time(result, row, 2);
}

static Needtoknow__V1__ReportedRelease *release_message(struct call *call, struct subject_report *report,
	const struct policy_release *from, const struct disclosure *disclosure)
{
	Needtoknow__V1__ReportedRelease *message = call_alloc(call, sizeof *message);
	const struct released_fields *fields = released_fields(call, &report->fields, from, 0);
	if (!message || !fields)
		return NULL;
	needtoknow__v1__reported_release__init(message);
	message->name = (char *)from->name;
	message->fields = fields->names;
	message->n_fields = fields->count;
	message->due_at = timestamp_message(call, disclosure_due_at(disclosure, from));
	return message;
}

static Needtoknow__V1__ReportedDisclosure *shared_message(struct call *call, struct subject_report *report,
	const struct policy_service *service, const struct disclosure *disclosure)
{
	Needtoknow__V1__ReportedDisclosure *message = call_alloc(call, sizeof *message);
	if (!message)
		return NULL;
	needtoknow__v1__reported_disclosure__init(message);
	message->disclosure_id = uuid_text(call, disclosure->id);
	message->state = (Needtoknow__V1__DisclosureState)disclosure->state;
	message->shared_at = timestamp_message(call, disclosure->created_at);
	message->starts_at = timestamp_message(call, disclosure->starts_at);
	message->ends_at = timestamp_message(call, disclosure->ends_at);
	message->expires_at = timestamp_message(call, disclosure->expires_at);
	message->shared_index = disclosure->shared_index;
	message->releases = call_alloc(call, service->release_count * sizeof *message->releases);
	for (size_t i = 0; message->releases && !call->failed && i < service->release_count; i++)
		message->releases[message->n_releases++] =
			release_message(call, report, &service->releases[i], disclosure);
	return call->failed ? NULL : message;
}

static void read_shared(const PGresult *result, int row, struct disclosure *out)
{
	memset(out, 0, sizeof *out);
	row_bytes(result, row, 2, out->id, sizeof out->id);
	out->state = (int)row_int(result, row, 5);
	out->starts_at = row_time(result, row, 6);
	out->ends_at = row_time(result, row, 7);
	out->expires_at = row_time(result, row, 8);
	out->created_at = row_time(result, row, 9);
	out->shared_index = (uint64_t)row_int(result, row, 10);
	/* Expired is what the clock says; the sweeper only writes it down. */
	if (out->state == NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_ACTIVE && row_bool(result, row, 11))
		out->state = NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_EXPIRED;
}

static void shared_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct subject_report *report = target;
	struct disclosure disclosure;
	int64_t count = row_int(result, row, 1);
	if (count > DISCLOSURES_MAX)
		call_fail(call, GRPC_RESOURCE_EXHAUSTED, SUBJECT_REPORT_TOO_LARGE, SUBJECT_REPORT_TOO_LARGE_MESSAGE);
	else if (!report->all)
		report->all = call_alloc(call, (size_t)count * sizeof *report->all);
	if (call->failed)
		return;
	const struct policy_service *service =
		released_service(call, (int)row_int(result, row, 4), row_text(result, row, 3, call));
	if (!service)
		return;
	struct shared *shared = &report->all[report->count++];
	shared->report = report;
	read_shared(result, row, &disclosure);
	memcpy(shared->id, disclosure.id, sizeof shared->id);
	shared->service = service;
	shared->staff = service->recipients == RECIPIENT_KIND_STAFF;
	shared->recipient_id = shared->staff ? "" : row_text(result, row, 12, call);
	shared->display_name = shared->staff || row_is_null(result, row, 13) ? "" : row_text(result, row, 13, call);
	shared->message = shared_message(call, report, service, &disclosure);
}

static void right_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct subject_report *report = target;
	Needtoknow__V1__ReportedRight *right = call_alloc(call, sizeof *right);
	if (!report->rights)
		report->rights = call_alloc(call, (size_t)row_int(result, row, 1) * sizeof *report->rights);
	if (!right || !report->rights)
		return;
	needtoknow__v1__reported_right__init(right);
	right->kind = (Needtoknow__V1__RightKind)row_int(result, row, 2);
	right->purpose = (char *)row_text(result, row, 3, call);
	right->raised_at = timestamp_message(call, row_time(result, row, 4));
	report->rights[report->right_count++] = right;
}

static const struct read_kind subject_read_kind = {
	.statement = &sql_report_subject, .from = READ_AUDIT, .types = { PG_TEXT }, .row = subject_row
};
static const struct read_kind shared_read_kind = {
	.statement = &sql_report_disclosures, .from = READ_AUDIT, .types = { PG_TEXT, PG_INT4 }, .row = shared_row
};
static const struct read_kind rights_read_kind = {
	.statement = &sql_report_rights, .from = READ_AUDIT, .types = { PG_TEXT }, .row = right_row
};

struct subject_report *subject_report_ask(struct call *call, const char *subject_id)
{
	struct subject_report *report = call_alloc(call, sizeof *report);
	const struct cell subject = cell_text(subject_id);
	if (!report)
		return NULL;
	report->subject_id = subject_id;
	batch_read(call, &subject_read_kind, report, (struct cell[]){ subject });
	batch_read(call, &shared_read_kind, report, (struct cell[]){ subject, cell_number(DISCLOSURES_MAX + 1) });
	batch_read(call, &rights_read_kind, report, (struct cell[]){ subject });
	return report;
}

bool subject_report_found(const struct subject_report *report)
{
	return report->found;
}

/* ---- read: of each disclosure what was sent, and the orders to delete ---- */

/* What a narrower policy had left out of all that was sent of a release is not in it. */
static void leave_out(struct call *call, const struct shared *shared, size_t number, uint64_t left_out)
{
	struct subject_report *report = shared->report;
	Needtoknow__V1__ReportedRelease *release = shared->message->releases[number];
	const struct released_fields *fields =
		released_fields(call, &report->fields, &shared->service->releases[number], left_out);
	if (!fields)
		return;
	release->fields = fields->names;
	release->n_fields = fields->count;
}

static void sending_row(struct call *call, void *target, const PGresult *result, int row)
{
	const struct shared *shared = target;
	int64_t number = row_int(result, row, 2);
	if (call->failed || number < 0 || (size_t)number >= shared->message->n_releases)
		return;
	Needtoknow__V1__ReportedRelease *release = shared->message->releases[number];
	Needtoknow__V1__ReportedDelivery *delivery = call_alloc(call, sizeof *delivery);
	if (!release->deliveries && row_int(result, row, 6) != 0)
		leave_out(call, shared, (size_t)number, (uint64_t)row_int(result, row, 6));
	if (!release->deliveries)
		release->deliveries = call_alloc(call, (size_t)row_int(result, row, 1) * sizeof *release->deliveries);
	if (!delivery || !release->deliveries)
		return;
	needtoknow__v1__reported_delivery__init(delivery);
	delivery->ledger_index = (uint64_t)row_int(result, row, 3);
	delivery->sent_at = timestamp_message(call, row_time(result, row, 4));
	delivery->acknowledged = row_bool(result, row, 5);
	release->deliveries[release->n_deliveries++] = delivery;
}

static void deletion_row(struct call *call, void *target, const PGresult *result, int row)
{
	const struct shared *shared = target;
	Needtoknow__V1__ReportedDisclosure *message = shared->message;
	Needtoknow__V1__ReportedDeletion *deletion = call_alloc(call, sizeof *deletion);
	if (!call->failed && !message->deletions)
		message->deletions = call_alloc(call, (size_t)row_int(result, row, 1) * sizeof *message->deletions);
	if (call->failed)
		return;
	needtoknow__v1__reported_deletion__init(deletion);
	deletion->cause = (Needtoknow__V1__WithdrawalCause)row_int(result, row, 2);
	deletion->ordered_at = timestamp_message(call, row_time(result, row, 3));
	deletion->delete_by = timestamp_message(call, row_time(result, row, 4));
	deletion->ledger_index = (uint64_t)row_int(result, row, 5);
	deletion->outcome = (Needtoknow__V1__DeletionOutcome)row_int(result, row, 6);
	deletion->confirmed_at = timestamp_message(call, row_time(result, row, 7));
	deletion->ground = row_is_null(result, row, 8) ? "" : (char *)row_text(result, row, 8, call);
	deletion->retained_until = timestamp_message(call, row_time(result, row, 9));
	message->deletions[message->n_deletions++] = deletion;
}

static const struct read_kind sendings_read_kind = {
	.statement = &sql_report_sendings, .from = READ_AUDIT, .types = { PG_UUID }, .row = sending_row
};
static const struct read_kind deletions_read_kind = {
	.statement = &sql_report_deletions, .from = READ_AUDIT, .types = { PG_UUID }, .row = deletion_row
};

void subject_report_ask_deliveries(struct call *call, struct subject_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		struct shared *shared = &report->all[i];
		batch_read(call, &sendings_read_kind, shared, (struct cell[]){ cell_bytes(shared->id, 16) });
		batch_read(call, &deletions_read_kind, shared, (struct cell[]){ cell_bytes(shared->id, 16) });
	}
}

/* ---- the message: by recipient, service and purpose ---- */

static int by_recipient(const struct shared *left, const struct shared *right)
{
	int order = strcmp(left->recipient_id, right->recipient_id);
	if (!order)
		order = strcmp(left->service->name, right->service->name);
	if (!order)
		order = strcmp(left->service->purpose, right->service->purpose);
	return order ? order : (int)left->service->legal_basis - (int)right->service->legal_basis;
}

static int by_recipient_and_sharing(const void *left, const void *right)
{
	const struct shared *a = left, *b = right;
	int order = by_recipient(a, b);
	if (order)
		return order;
	return (a->message->shared_index > b->message->shared_index) -
		(a->message->shared_index < b->message->shared_index);
}

/* The title is that of the last policy under which something was shared with this recipient for this service. */
static Needtoknow__V1__ReportedRecipient *recipient_message(struct call *call, const struct shared *last)
{
	Needtoknow__V1__ReportedRecipient *message = call_alloc(call, sizeof *message);
	if (!message)
		return NULL;
	needtoknow__v1__reported_recipient__init(message);
	message->kind = (Needtoknow__V1__RecipientKind)last->service->recipients;
	message->recipient_id = (char *)last->recipient_id;
	message->display_name = (char *)last->display_name;
	message->service = (char *)last->service->name;
	message->service_title = (char *)(last->service->title ? last->service->title : "");
	message->purpose = (char *)last->service->purpose;
	message->legal_basis = (char *)legal_basis_name(last->service->legal_basis);
	return message;
}

static void group(struct call *call, struct subject_report *report, Needtoknow__V1__GetSubjectReportResponse *response)
{
	Needtoknow__V1__ReportedDisclosure **all = call_alloc(call, (report->count + 1) * sizeof *all);
	response->recipients = call_alloc(call, (report->count + 1) * sizeof *response->recipients);
	if (call->failed)
		return;
	if (report->count)
		qsort(report->all, report->count, sizeof *report->all, by_recipient_and_sharing);
	for (size_t start = 0, end; start < report->count; start = end) {
		for (end = start; end < report->count && !by_recipient(&report->all[start], &report->all[end]); end++)
			all[end] = report->all[end].message;
		Needtoknow__V1__ReportedRecipient *recipient = recipient_message(call, &report->all[end - 1]);
		if (!recipient)
			return;
		recipient->disclosures = &all[start];
		recipient->n_disclosures = end - start;
		response->recipients[response->n_recipients++] = recipient;
	}
}

void subject_report_fill(struct call *call, struct subject_report *report, const struct policy *policy,
	Needtoknow__V1__GetSubjectReportResponse *out)
{
	needtoknow__v1__get_subject_report_response__init(out);
	out->subject_id = (char *)report->subject_id;
	out->subject_pseudonym.data = report->pseudonym;
	out->subject_pseudonym.len = sizeof report->pseudonym;
	out->made_at = timestamp_message(call, report->made_at);
	out->controller = (char *)policy_controller(policy);
	out->data_protection_officer = (char *)policy_data_protection_officer(policy);
	out->backups_keep = (char *)policy_retention(policy)->backups.text;
	out->rights = report->rights;
	out->n_rights = report->right_count;
	group(call, report, out);
}
