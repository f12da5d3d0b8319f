#include "cli/report_page.h"

#include "cli/labels.h"
#include "cli/page_parts.h"
#include "cli/report_check.h"
#include "cli/report_rights.h"
#include "cli/report_words.h"
#include "pure/time.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void print_introduction(
	const struct page *page, const Needtoknow__V1__GetSubjectReportResponse *message, int64_t made_at)
{
	char zone[PHRASE_TIME_MAX];

	html_element(
		page, "p", PHRASE_INTRODUCTION, (struct said[]){ said_text(message->controller), said_time(made_at) });
	html_element(page, "p", PHRASE_INTRODUCTION_LAW, NULL);
	fputs("<dl>\n", page->file);
	page_fact(page, PHRASE_CLIENT_NUMBER, message->subject_id);
	page_fact(page, PHRASE_CONTROLLER, message->controller);
	page_fact(page, PHRASE_OFFICER, message->data_protection_officer);
	fputs("</dl>\n", page->file);
	phrase_zone(made_at, zone);
	html_element(page, "p class=\"small\"", PHRASE_TIMES, (struct said[]){ said_text(zone) });
}

/* ---- by field: who has my door code, until when? ---- */

static size_t rows_of(const struct report_field *field)
{
	size_t rows = 0;

	for (size_t i = 0; i < field->count; i++)
		rows += field->holders[i].count;
	return rows;
}

static bool comes_again(const struct report_holder *holder, size_t at)
{
	return holder->statuses[at].holding == HOLDING_PLANNED && holder->statuses[0].holding <= HOLDING_RETAINED;
}

/* A row for each thing that is the case; the first has been begun. */
static void print_holder(const struct page *page, const struct report_holder *holder)
{
	fprintf(page->file, "<td rowspan=\"%zu\">", holder->count);
	words_who_and_service(page, holder->recipient);
	fputs("</td>", page->file);
	for (size_t i = 0; i < holder->count; i++) {
		fprintf(page->file, "%s<td>", i > 0 ? "<tr>" : "");
		words_answer(page, &holder->statuses[i], comes_again(holder, i));
		fputs("</td><td>", page->file);
		words_status(page, &holder->statuses[i], comes_again(holder, i));
		fputs("</td></tr>\n", page->file);
	}
}

/* As a client looks for it: what somebody has, then the rest, each by its label. */
static int by_label(const void *left, const void *right, void *context)
{
	const struct report_field *a = left, *b = right;
	const struct page *page = context;
	char label_a[LABEL_MAX], label_b[LABEL_MAX];

	if (a->held != b->held)
		return a->held ? -1 : 1;
	label_field(page->language, a->name, label_a);
	label_field(page->language, b->name, label_b);
	int order = strcmp(label_a, label_b);
	return order != 0 ? order : strcmp(a->name, b->name);
}

static void print_glance(const struct page *page, const struct report *report, int64_t made_at)
{
	static const enum phrase headings[] = { PHRASE_COLUMN_DATA, PHRASE_COLUMN_WHO, PHRASE_COLUMN_TODAY,
		PHRASE_COLUMN_UNTIL };

	html_element(page, "h2", PHRASE_GLANCE, NULL);
	if (report->count == 0) {
		html_element(page, "p", PHRASE_NOTHING, NULL);
		return;
	}
	fputs("<table>\n", page->file);
	html_element(page, "caption", PHRASE_GLANCE_CAPTION, (struct said[]){ said_time(made_at) });
	page_headings(page, headings, sizeof headings / sizeof headings[0]);
	for (size_t i = 0; i < report->count; i++) {
		const struct report_field *field = &report->fields[i];
		fprintf(page->file, "<tbody>\n<tr><th scope=\"rowgroup\" rowspan=\"%zu\">", rows_of(field));
		words_field(page, field->name);
		fputs("</th>", page->file);
		for (size_t k = 0; k < field->count; k++) {
			if (k > 0)
				fputs("<tr>", page->file);
			print_holder(page, &field->holders[k]);
		}
		fputs("</tbody>\n", page->file);
	}
	fputs("</table>\n", page->file);
}

/* ---- by recipient ---- */

static void print_why(const struct page *page, const Needtoknow__V1__ReportedRecipient *recipient)
{
	const char *basis = label_basis(page->language, recipient->legal_basis);
	char purpose[LABEL_MAX];

	label_purpose(page->language, recipient->purpose, purpose);
	fputs("<dl>\n", page->file);
	page_fact(page, PHRASE_SERVICE, words_service(recipient));
	page_fact(page, PHRASE_PURPOSE, purpose);
	page_fact(page, PHRASE_BASIS, basis != NULL ? basis : recipient->legal_basis);
	fputs("</dl>\n", page->file);
}

static int64_t time_of(const Google__Protobuf__Timestamp *timestamp)
{
	int64_t time;

	return timestamp != NULL && time_from_timestamp(timestamp, &time) == 0 ? time : TIME_NONE;
}

/* How it ended; nothing of what goes on. */
static void print_end(const struct page *page, const Needtoknow__V1__ReportedDisclosure *disclosure)
{
	static const struct {
		Needtoknow__V1__DisclosureState state;
		enum phrase phrase;
	} ends[] = {
		{ NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_EXPIRED, PHRASE_ENDED_EXPIRED },
		{ NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_REVOKED, PHRASE_ENDED_REVOKED },
		{ NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_OBJECTED, PHRASE_ENDED_OBJECTED },
		{ NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_RESTRICTED, PHRASE_ENDED_RESTRICTED },
		{ NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_SUSPENDED, PHRASE_ENDED_SUSPENDED },
		{ NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_ERASED, PHRASE_ENDED_ERASED },
	};

	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		if (ends[i].state == disclosure->state)
			html_element(page, "p", ends[i].phrase, NULL);
	}
}

static void print_period(const struct page *page, const Needtoknow__V1__ReportedDisclosure *disclosure)
{
	html_element(page, "p", PHRASE_PERIOD,
		(struct said[]){ said_time(time_of(disclosure->starts_at)), said_time(time_of(disclosure->ends_at)) });
	html_element(page, "p class=\"small\"", PHRASE_PERMITTED,
		(struct said[]){ said_time(time_of(disclosure->shared_at)) });
	print_end(page, disclosure);
}

static void print_deliveries(const struct page *page, const Needtoknow__V1__ReportedRelease *release)
{
	if (release->n_deliveries == 0)
		html_element(page, "p", PHRASE_SENT_NOTHING, NULL);
	for (size_t i = 0; i < release->n_deliveries; i++) {
		const Needtoknow__V1__ReportedDelivery *delivery = release->deliveries[i];
		html_element(page, "p", delivery->acknowledged ? PHRASE_SENT_RECEIVED : PHRASE_SENT_ONLY,
			(struct said[]){ said_time(time_of(delivery->sent_at)) });
	}
}

static void print_disclosure(
	const struct page *page, const Needtoknow__V1__ReportedDisclosure *disclosure, int64_t made_at)
{
	fprintf(page->file, "<tbody>\n<tr><td rowspan=\"%zu\">",
		disclosure->n_releases > 0 ? disclosure->n_releases : (size_t)1);
	print_period(page, disclosure);
	fputs("</td>", page->file);
	if (disclosure->n_releases == 0)
		fputs("<td colspan=\"3\"></td></tr>\n", page->file);
	for (size_t i = 0; i < disclosure->n_releases; i++) {
		const Needtoknow__V1__ReportedRelease *release = disclosure->releases[i];
		struct report_status status = report_status(disclosure, release, made_at);
		fprintf(page->file, "%s<td class=\"label\">", i > 0 ? "<tr>" : "");
		words_fields(page, release);
		fputs("</td><td>", page->file);
		print_deliveries(page, release);
		fputs("</td><td>", page->file);
		words_status(page, &status, false);
		fputs("</td></tr>\n", page->file);
	}
	fputs("</tbody>\n", page->file);
}

static void print_detail(
	const struct page *page, const Needtoknow__V1__GetSubjectReportResponse *message, int64_t made_at)
{
	static const enum phrase headings[] = { PHRASE_COLUMN_PERIOD, PHRASE_COLUMN_DATA, PHRASE_COLUMN_SENT,
		PHRASE_COLUMN_NOW };

	if (message->n_recipients == 0)
		return;
	html_element(page, "h2", PHRASE_DETAIL, NULL);
	for (size_t i = 0; i < message->n_recipients; i++) {
		const Needtoknow__V1__ReportedRecipient *recipient = message->recipients[i];
		fputs("<section>\n<h3>", page->file);
		words_who(page, recipient);
		fputs("</h3>\n", page->file);
		print_why(page, recipient);
		fputs("<table>\n<caption>", page->file);
		words_who_and_service(page, recipient);
		fputs("</caption>\n", page->file);
		page_headings(page, headings, sizeof headings / sizeof headings[0]);
		for (size_t k = 0; k < recipient->n_disclosures; k++)
			print_disclosure(page, recipient->disclosures[k], made_at);
		fputs("</table>\n</section>\n", page->file);
	}
}

void report_page_sections(struct page *page, const Needtoknow__V1__GetSubjectReportResponse *message, const char *vkey)
{
	struct report report;
	int64_t made_at = time_of(message->made_at);

	report_init(&report, message);
	page->report = &report;
	if (report.count > 0)
		qsort_r(report.fields, report.count, sizeof *report.fields, by_label, page);
	print_glance(page, &report, made_at);
	print_detail(page, message, made_at);
	report_rights_print(page, message);
	report_check_print(page, message, vkey);
	page->report = NULL;
	report_release(&report);
}

void report_page_print(
	FILE *file, enum language language, const Needtoknow__V1__GetSubjectReportResponse *message, const char *vkey)
{
	struct page page = { .file = file, .language = language };

	page_begin(&page, PHRASE_TITLE);
	print_introduction(&page, message, time_of(message->made_at));
	report_page_sections(&page, message, vkey);
	page_end(&page);
}
