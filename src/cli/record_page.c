#include "cli/record_page.h"

#include "cli/labels.h"
#include "cli/page_parts.h"
#include "cli/report_page.h"
#include "cli/report_rights.h"
#include "pure/time.h"

#include <stdbool.h>
#include <string.h>

typedef Needtoknow__V1__GetSubjectRecordResponse Record;

static int64_t time_of(const Google__Protobuf__Timestamp *timestamp)
{
	int64_t time;

	return timestamp != NULL && time_from_timestamp(timestamp, &time) == 0 ? time : TIME_NONE;
}

/* When the ledger had it. */
static int64_t made_at(const Record *message)
{
	return message->receipt != NULL ? time_of(message->receipt->recorded_at) : TIME_NONE;
}

static void print_introduction(const struct page *page, const char *subject_id, const Record *message)
{
	char zone[PHRASE_TIME_MAX];

	html_element(page, "p", PHRASE_RECORD_INTRODUCTION, (struct said[]){ said_time(made_at(message)) });
	html_element(page, "p", PHRASE_RECORD_LAW, NULL);
	fputs("<dl>\n", page->file);
	page_fact(page, PHRASE_CLIENT_NUMBER, subject_id);
	page_fact(page, PHRASE_CONTROLLER, message->controller);
	page_fact(page, PHRASE_OFFICER, message->data_protection_officer);
	fputs("</dl>\n", page->file);
	phrase_zone(made_at(message), zone);
	html_element(page, "p class=\"small\"", PHRASE_TIMES, (struct said[]){ said_text(zone) });
}

/* ---- the data ---- */

/* `phone number (booking)` where another source has a phone number too. */
static void print_name(const struct page *page, const Record *message, const char *column)
{
	char label[LABEL_MAX], other[LABEL_MAX], source[LABEL_MAX];
	bool shared = false;

	label_field(page->language, column, label);
	for (size_t i = 0; i < message->n_columns; i++) {
		label_field(page->language, message->columns[i]->column, other);
		shared |= strcmp(label, other) == 0 && strcmp(column, message->columns[i]->column) != 0;
	}
	html_text(page, label);
	if (!shared || strchr(column, '.') == NULL)
		return;
	snprintf(source, sizeof source, " (%.*s)", (int)strcspn(column, "."), column);
	html_text(page, source);
}

static void print_origin(const struct page *page, const Needtoknow__V1__RecordColumn *column)
{
	enum phrase phrase = PHRASE_RECORD_UNKNOWN_ORIGIN;

	if (column->origin == NEEDTOKNOW__V1__ORIGIN__ORIGIN_DIRECT)
		phrase = PHRASE_RECORD_DIRECT;
	if (column->origin == NEEDTOKNOW__V1__ORIGIN__ORIGIN_WEBSITE)
		phrase = PHRASE_RECORD_WEBSITE;
	html_say(page, phrase, (struct said[]){ said_time(time_of(column->collected_at)) });
}

static void print_kept(const struct page *page, const Needtoknow__V1__RecordColumn *column)
{
	int64_t until = time_of(column->keep_until);

	html_element(page, "p", until != TIME_NONE ? PHRASE_RECORD_UNTIL : PHRASE_RECORD_CONTRACT,
		(struct said[]){ said_time(until) });
	if (column->keep_because[0] != '\0') {
		fputs("<p class=\"small\">", page->file);
		html_text(page, column->keep_because);
		fputs("</p>\n", page->file);
	}
	if (column->held)
		html_element(page, "p", PHRASE_RECORD_HELD, NULL);
}

static void print_column(const struct page *page, const Record *message, const Needtoknow__V1__RecordColumn *column)
{
	fputs("<tr><th scope=\"row\">", page->file);
	print_name(page, message, column->column);
	fputs("</th><td>", page->file);
	if (column->is_null)
		html_element(page, "p class=\"small\"", PHRASE_RECORD_NO_VALUE, NULL);
	else
		html_text(page, column->value);
	fputs("</td><td>", page->file);
	print_origin(page, column);
	fputs("</td><td>", page->file);
	print_kept(page, column);
	fputs("</td></tr>\n", page->file);
}

static void print_data(const struct page *page, const Record *message)
{
	static const enum phrase headings[] = { PHRASE_COLUMN_DATA, PHRASE_RECORD_VALUE, PHRASE_RECORD_ORIGIN,
		PHRASE_RECORD_KEPT };

	html_element(page, "h2", PHRASE_RECORD_DATA, NULL);
	if (message->n_columns == 0) {
		html_element(page, "p", PHRASE_RECORD_NOTHING, NULL);
		return;
	}
	fputs("<table>\n", page->file);
	html_element(page, "caption", PHRASE_RECORD_CAPTION, (struct said[]){ said_time(made_at(message)) });
	page_headings(page, headings, sizeof headings / sizeof headings[0]);
	fputs("<tbody>\n", page->file);
	for (size_t i = 0; i < message->n_columns; i++)
		print_column(page, message, message->columns[i]);
	fputs("</tbody></table>\n", page->file);
}

/* ---- who was told ---- */

static enum phrase phrase_of_kind(Needtoknow__V1__NotificationKind kind)
{
	switch (kind) {
	case NEEDTOKNOW__V1__NOTIFICATION_KIND__NOTIFICATION_KIND_CORRECTION:
		return PHRASE_TOLD_CORRECTION;
	case NEEDTOKNOW__V1__NOTIFICATION_KIND__NOTIFICATION_KIND_DELETION:
		return PHRASE_TOLD_DELETION;
	case NEEDTOKNOW__V1__NOTIFICATION_KIND__NOTIFICATION_KIND_RESTRICTION:
		return PHRASE_TOLD_RESTRICTION;
	default:
		return PHRASE_TOLD_LIFTED;
	}
}

static void print_answer(const struct page *page, const Needtoknow__V1__RecipientNotification *told)
{
	enum phrase phrase = PHRASE_ANSWER_NONE;
	const Google__Protobuf__Timestamp *time = told->answered_at;

	if (told->answer == NEEDTOKNOW__V1__NOTIFICATION_ANSWER__NOTIFICATION_ANSWER_ACKNOWLEDGED)
		phrase = PHRASE_ANSWER_ACKNOWLEDGED;
	if (told->answer == NEEDTOKNOW__V1__NOTIFICATION_ANSWER__NOTIFICATION_ANSWER_DELETED)
		phrase = PHRASE_ANSWER_DELETED;
	if (told->answer == NEEDTOKNOW__V1__NOTIFICATION_ANSWER__NOTIFICATION_ANSWER_RETAINED) {
		phrase = PHRASE_ANSWER_RETAINED;
		time = told->until;
	}
	html_say(page, phrase, (struct said[]){ said_time(time_of(time)), said_text(told->ground) });
}

static void print_notification(const struct page *page, const Needtoknow__V1__RecipientNotification *told)
{
	fputs("<tr><td>", page->file);
	html_say(page, PHRASE_AND_SERVICE,
		(struct said[]){
			said_text(told->staff ? phrase_text(page->language, PHRASE_OUR_STAFF) : told->recipient),
			said_text(told->service) });
	fputs("</td><td>", page->file);
	html_say(page, phrase_of_kind(told->kind), NULL);
	fputs("</td><td>", page->file);
	if (told->told_at != NULL)
		html_time(page, told->told_at);
	else
		html_say(page, PHRASE_TOLD_NOT_YET, NULL);
	fputs("</td><td>", page->file);
	print_answer(page, told);
	fputs("</td></tr>\n", page->file);
}

static void print_notifications(const struct page *page, const Record *message)
{
	static const enum phrase headings[] = { PHRASE_COLUMN_RECIPIENT, PHRASE_TOLD_WHAT, PHRASE_COLUMN_WHEN,
		PHRASE_TOLD_ANSWER };

	if (message->n_notifications == 0)
		return;
	html_element(page, "h2", PHRASE_TOLD, NULL);
	html_element(page, "p", PHRASE_TOLD_LAW, NULL);
	fputs("<table>\n", page->file);
	html_element(page, "caption", PHRASE_TOLD_CAPTION, NULL);
	page_headings(page, headings, sizeof headings / sizeof headings[0]);
	fputs("<tbody>\n", page->file);
	for (size_t i = 0; i < message->n_notifications; i++)
		print_notification(page, message->notifications[i]);
	fputs("</tbody></table>\n", page->file);
}

static void print_notice(const struct page *page, const Needtoknow__V1__Notice *notice)
{
	if (notice == NULL || notice->version[0] == '\0')
		return;
	html_element(page, "h2", PHRASE_NOTICE, NULL);
	html_element(page, "p", PHRASE_NOTICE_WHERE,
		(struct said[]){ said_text(notice->version), said_time(time_of(notice->in_force_since)),
			said_text(notice->location) });
}

void record_page_print(
	FILE *file, enum language language, const char *subject_id, const Record *message, const char *vkey)
{
	struct page page = { .file = file, .language = language };

	page_begin(&page, PHRASE_RECORD_TITLE);
	print_introduction(&page, subject_id, message);
	print_data(&page, message);
	print_notifications(&page, message);
	print_notice(&page, message->notice);
	if (message->report != NULL) {
		report_page_sections(&page, message->report, vkey);
	} else {
		html_element(&page, "h2", PHRASE_GLANCE, NULL);
		html_element(&page, "p", PHRASE_NOTHING, NULL);
		report_rights_list(&page, message->controller, message->data_protection_officer);
	}
	page_end(&page);
}
