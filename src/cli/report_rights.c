#include "cli/report_rights.h"

#include "cli/labels.h"
#include "cli/report_words.h"
#include "pure/time.h"

#include <stdbool.h>

/* ---- what is kept ---- */

static const Needtoknow__V1__ReportedDeletion *retained(const Needtoknow__V1__ReportedDisclosure *disclosure)
{
	for (size_t i = 0; i < disclosure->n_deletions; i++) {
		if (disclosure->deletions[i]->outcome == NEEDTOKNOW__V1__DELETION_OUTCOME__DELETION_OUTCOME_RETAINED)
			return disclosure->deletions[i];
	}
	return NULL;
}

static bool anything_retained(const Needtoknow__V1__GetSubjectReportResponse *message)
{
	for (size_t i = 0; i < message->n_recipients; i++) {
		for (size_t k = 0; k < message->recipients[i]->n_disclosures; k++) {
			if (retained(message->recipients[i]->disclosures[k]) != NULL)
				return true;
		}
	}
	return false;
}

static void print_sent_fields(const struct page *page, const Needtoknow__V1__ReportedDisclosure *disclosure)
{
	bool first = true;

	for (size_t i = 0; i < disclosure->n_releases; i++) {
		if (disclosure->releases[i]->n_deliveries == 0)
			continue;
		if (!first)
			fputs(", ", page->file);
		words_fields(page, disclosure->releases[i]);
		first = false;
	}
}

static void print_retained(const struct page *page, const Needtoknow__V1__ReportedRecipient *recipient)
{
	for (size_t i = 0; i < recipient->n_disclosures; i++) {
		for (size_t k = 0; k < recipient->disclosures[i]->n_deletions; k++) {
			const Needtoknow__V1__ReportedDeletion *deletion = recipient->disclosures[i]->deletions[k];
			if (deletion->outcome != NEEDTOKNOW__V1__DELETION_OUTCOME__DELETION_OUTCOME_RETAINED)
				continue;
			fputs("<tr><td>", page->file);
			words_who_and_service(page, recipient);
			fputs("</td><td class=\"label\">", page->file);
			print_sent_fields(page, recipient->disclosures[i]);
			fputs("</td><td>", page->file);
			html_text(page, deletion->ground);
			fputs("</td><td>", page->file);
			html_time(page, deletion->retained_until);
			fputs("</td></tr>\n", page->file);
		}
	}
}

static void print_kept(const struct page *page, const Needtoknow__V1__GetSubjectReportResponse *message)
{
	static const enum phrase headings[] = { PHRASE_KEPT_BY, PHRASE_COLUMN_DATA, PHRASE_KEPT_GROUND,
		PHRASE_COLUMN_UNTIL };
	char backups[PHRASE_TIME_MAX];

	html_element(page, "h2", PHRASE_KEPT, NULL);
	html_element(page, "p", PHRASE_KEPT_RULE, NULL);
	if (!anything_retained(message)) {
		html_element(page, "p", PHRASE_KEPT_NOTHING, NULL);
	} else {
		fputs("<table>\n", page->file);
		html_element(page, "caption", PHRASE_KEPT_CAPTION, NULL);
		fputs("<thead><tr>", page->file);
		for (size_t i = 0; i < sizeof headings / sizeof headings[0]; i++)
			html_element(page, "th scope=\"col\"", headings[i], NULL);
		fputs("</tr></thead>\n<tbody>\n", page->file);
		for (size_t i = 0; i < message->n_recipients; i++)
			print_retained(page, message->recipients[i]);
		fputs("</tbody></table>\n", page->file);
	}
	if (message->backups_keep[0] == '\0')
		return;
	phrase_duration(page->language, message->backups_keep, backups);
	html_element(page, "p", PHRASE_KEPT_BACKUPS, (struct said[]){ said_text(backups) });
}

/* ---- what was asked ---- */

static void print_asked(const struct page *page, const Needtoknow__V1__ReportedRight *right)
{
	char purpose[LABEL_MAX];
	bool of_all = right->purpose[0] == '\0';
	int64_t raised_at = TIME_NONE;
	enum phrase phrase;

	switch (right->kind) {
	case NEEDTOKNOW__V1__RIGHT_KIND__RIGHT_KIND_ERASURE:
		phrase = PHRASE_ASKED_ERASURE;
		break;
	case NEEDTOKNOW__V1__RIGHT_KIND__RIGHT_KIND_RESTRICTION:
		phrase = PHRASE_ASKED_RESTRICTION;
		break;
	case NEEDTOKNOW__V1__RIGHT_KIND__RIGHT_KIND_OBJECTION:
		phrase = of_all ? PHRASE_ASKED_OBJECTION_ALL : PHRASE_ASKED_OBJECTION;
		break;
	case NEEDTOKNOW__V1__RIGHT_KIND__RIGHT_KIND_CONSENT_WITHDRAWN:
		phrase = of_all ? PHRASE_ASKED_CONSENT_ALL : PHRASE_ASKED_CONSENT;
		break;
	default:
		return;
	}
	if (right->raised_at != NULL && time_from_timestamp(right->raised_at, &raised_at) != 0)
		raised_at = TIME_NONE;
	label_purpose(page->language, right->purpose, purpose);
	html_element(page, "li", phrase, (struct said[]){ said_time(raised_at), said_text(purpose) });
}

/* ---- what may be asked ---- */

void report_rights_list(const struct page *page, const char *controller, const char *officer)
{
	static const enum phrase rights[] = { PHRASE_RIGHT_ACCESS, PHRASE_RIGHT_RECTIFICATION, PHRASE_RIGHT_ERASURE,
		PHRASE_RIGHT_RESTRICTION, PHRASE_RIGHT_PORTABILITY, PHRASE_RIGHT_OBJECTION, PHRASE_RIGHT_CONSENT };

	html_element(page, "h2", PHRASE_RIGHTS, NULL);
	html_element(page, "p", PHRASE_RIGHTS_INTRODUCTION, NULL);
	fputs("<ul>\n", page->file);
	for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++)
		html_element(page, "li", rights[i], NULL);
	fputs("</ul>\n", page->file);
	html_element(page, "p", PHRASE_RIGHTS_WRITE, (struct said[]){ said_text(controller), said_text(officer) });
	html_element(page, "p", PHRASE_RIGHT_COMPLAINT, NULL);
}

void report_rights_print(const struct page *page, const Needtoknow__V1__GetSubjectReportResponse *message)
{
	print_kept(page, message);
	if (message->n_rights > 0) {
		html_element(page, "h2", PHRASE_ASKED, NULL);
		fputs("<ul>\n", page->file);
		for (size_t i = 0; i < message->n_rights; i++)
			print_asked(page, message->rights[i]);
		fputs("</ul>\n", page->file);
	}
	report_rights_list(page, message->controller, message->data_protection_officer);
}
