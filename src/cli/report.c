#include "cli/report.h"

#include "base/memory.h"
#include "pure/time.h"

#include <stdlib.h>
#include <string.h>

static int64_t time_of(const Google__Protobuf__Timestamp *timestamp)
{
	int64_t time;

	return timestamp != NULL && time_from_timestamp(timestamp, &time) == 0 ? time : TIME_NONE;
}

/* Which of two times of the same kind tells more; the first word on a matter that is still open is the earliest. */
static bool tells_more(const struct report_status *status, const struct report_status *than)
{
	switch (status->holding) {
	case HOLDING_OVERDUE:
	case HOLDING_DUE:
	case HOLDING_PLANNED:
		return status->time < than->time;
	case HOLDING_RETAINED: /* without end is longest */
		return than->time != TIME_NONE && (status->time == TIME_NONE || status->time > than->time);
	default:
		return status->time > than->time;
	}
}

static struct report_status of_deletion(const Needtoknow__V1__ReportedDeletion *deletion, int64_t now)
{
	int64_t until = time_of(deletion->retained_until), by = time_of(deletion->delete_by);

	switch (deletion->outcome) {
	case NEEDTOKNOW__V1__DELETION_OUTCOME__DELETION_OUTCOME_DELETED:
		return (struct report_status){ HOLDING_DELETED, time_of(deletion->confirmed_at), NULL };
	case NEEDTOKNOW__V1__DELETION_OUTCOME__DELETION_OUTCOME_RETAINED:
		if (until != TIME_NONE && until <= now)
			return (struct report_status){ HOLDING_ENDED, until, NULL };
		return (struct report_status){ HOLDING_RETAINED, until, deletion->ground };
	default:
		return (struct report_status){ by != TIME_NONE && by < now ? HOLDING_OVERDUE : HOLDING_UNCONFIRMED, by,
			NULL };
	}
}

/* Of the devices' answers the one that leaves the most open. */
static struct report_status of_deletions(const Needtoknow__V1__ReportedDisclosure *disclosure, int64_t now)
{
	struct report_status worst = of_deletion(disclosure->deletions[0], now);

	for (size_t i = 1; i < disclosure->n_deletions; i++) {
		struct report_status next = of_deletion(disclosure->deletions[i], now);
		if (next.holding < worst.holding || (next.holding == worst.holding && tells_more(&next, &worst)))
			worst = next;
	}
	return worst;
}

struct report_status report_status(const Needtoknow__V1__ReportedDisclosure *disclosure,
	const Needtoknow__V1__ReportedRelease *release, int64_t now)
{
	bool active = disclosure->state == NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_ACTIVE;
	bool restricted = disclosure->state == NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_RESTRICTED;
	int64_t expires = time_of(disclosure->expires_at), due = time_of(release->due_at);
	bool over = !active || expires <= now;

	if (release->n_deliveries == 0) {
		if (over || due == TIME_NONE)
			return (struct report_status){ HOLDING_NEVER, TIME_NONE, NULL };
		return (struct report_status){ due <= now ? HOLDING_DUE : HOLDING_PLANNED, due, NULL };
	}
	if (disclosure->n_deletions > 0)
		return of_deletions(disclosure, now);
	if (restricted && expires > now)
		return (struct report_status){ HOLDING_RESTRICTED, TIME_NONE, NULL };
	return (struct report_status){ over ? HOLDING_ENDED : HOLDING_HELD, expires < now || !over ? expires : now,
		NULL };
}

/* ---- over all disclosures ---- */

static void note(struct report_holder *holder, struct report_status status)
{
	size_t at = 0;

	while (at < holder->count && holder->statuses[at].holding < status.holding)
		at++;
	if (at < holder->count && holder->statuses[at].holding == status.holding) {
		if (tells_more(&status, &holder->statuses[at]))
			holder->statuses[at] = status;
		return;
	}
	memmove(&holder->statuses[at + 1], &holder->statuses[at], (holder->count - at) * sizeof holder->statuses[0]);
	holder->statuses[at] = status;
	holder->count++;
}

static void leave_out(struct report_holder *holder)
{
	if (holder->count > 1 && holder->statuses[holder->count - 1].holding == HOLDING_NEVER)
		holder->count--;
	if (holder->count > 1 && holder->statuses[holder->count - 1].holding == HOLDING_DELETED &&
		holder->statuses[0].holding <= HOLDING_RETAINED)
		holder->count--;
}

static struct report_field *field_of(struct report *report, const char *name)
{
	for (size_t i = 0; i < report->count; i++) {
		if (strcmp(report->fields[i].name, name) == 0)
			return &report->fields[i];
	}
	report->fields = mem_realloc(report->fields, (report->count + 1) * sizeof *report->fields);
	report->fields[report->count] = (struct report_field){ .name = name };
	return &report->fields[report->count++];
}

/* Recipients come one after the other, so it is the last or a new one. */
static struct report_holder *holder_of(struct report_field *field, const Needtoknow__V1__ReportedRecipient *recipient)
{
	if (field->count > 0 && field->holders[field->count - 1].recipient == recipient)
		return &field->holders[field->count - 1];
	field->holders = mem_realloc(field->holders, (field->count + 1) * sizeof *field->holders);
	field->holders[field->count] = (struct report_holder){ .recipient = recipient };
	return &field->holders[field->count++];
}

static void add_recipient(struct report *report, const Needtoknow__V1__ReportedRecipient *recipient, int64_t now)
{
	for (size_t i = 0; i < recipient->n_disclosures; i++) {
		const Needtoknow__V1__ReportedDisclosure *disclosure = recipient->disclosures[i];
		for (size_t k = 0; k < disclosure->n_releases; k++) {
			const Needtoknow__V1__ReportedRelease *release = disclosure->releases[k];
			struct report_status status = report_status(disclosure, release, now);
			for (size_t f = 0; f < release->n_fields; f++)
				note(holder_of(field_of(report, release->fields[f]), recipient), status);
		}
	}
}

static bool someone_holds(const struct report_field *field)
{
	for (size_t i = 0; i < field->count; i++) {
		if (field->holders[i].statuses[0].holding <= HOLDING_RETAINED)
			return true;
	}
	return false;
}

static int by_holding_and_name(const void *left, const void *right)
{
	const struct report_field *a = left, *b = right;

	if (a->held != b->held)
		return a->held ? -1 : 1;
	return strcmp(a->name, b->name);
}

void report_init(struct report *report, const Needtoknow__V1__GetSubjectReportResponse *message)
{
	int64_t now = time_of(message->made_at);

	*report = (struct report){ 0 };
	for (size_t i = 0; i < message->n_recipients; i++)
		add_recipient(report, message->recipients[i], now);
	for (size_t i = 0; i < report->count; i++) {
		for (size_t k = 0; k < report->fields[i].count; k++)
			leave_out(&report->fields[i].holders[k]);
		report->fields[i].held = someone_holds(&report->fields[i]);
	}
	if (report->count > 0)
		qsort(report->fields, report->count, sizeof *report->fields, by_holding_and_name);
}

void report_release(struct report *report)
{
	for (size_t i = 0; i < report->count; i++)
		mem_free(report->fields[i].holders);
	mem_free(report->fields);
	*report = (struct report){ 0 };
}
