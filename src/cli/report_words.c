#include "cli/report_words.h"

#include "cli/labels.h"
#include "pure/time.h"

#include <stdbool.h>
#include <string.h>

static bool is_shared(const struct page *page, const char *field, const char *label)
{
	char other[LABEL_MAX];

	for (size_t i = 0; page->report != NULL && i < page->report->count; i++) {
		label_field(page->language, page->report->fields[i].name, other);
		if (strcmp(other, label) == 0 && strcmp(page->report->fields[i].name, field) != 0)
			return true;
	}
	return false;
}

void words_field(const struct page *page, const char *field)
{
	char label[LABEL_MAX], source[LABEL_MAX];

	label_field(page->language, field, label);
	html_text(page, label);
	if (!is_shared(page, field, label))
		return;
	snprintf(source, sizeof source, " (%.*s)", (int)strcspn(field, "."), field);
	html_text(page, source);
}

void words_fields(const struct page *page, const Needtoknow__V1__ReportedRelease *release)
{
	for (size_t i = 0; i < release->n_fields; i++) {
		if (i > 0)
			fputs(", ", page->file);
		words_field(page, release->fields[i]);
	}
}

static bool is_staff(const Needtoknow__V1__ReportedRecipient *recipient)
{
	return recipient->kind == NEEDTOKNOW__V1__RECIPIENT_KIND__RECIPIENT_KIND_STAFF;
}

static const char *name_of(const struct page *page, const Needtoknow__V1__ReportedRecipient *recipient)
{
	if (is_staff(recipient))
		return phrase_text(page->language, PHRASE_OUR_STAFF);
	return recipient->display_name[0] != '\0' ? recipient->display_name : recipient->recipient_id;
}

const char *words_service(const Needtoknow__V1__ReportedRecipient *recipient)
{
	return recipient->service_title[0] != '\0' ? recipient->service_title : recipient->service;
}

void words_who(const struct page *page, const Needtoknow__V1__ReportedRecipient *recipient)
{
	html_text(page, name_of(page, recipient));
}

void words_who_and_service(const struct page *page, const Needtoknow__V1__ReportedRecipient *recipient)
{
	html_say(page, PHRASE_AND_SERVICE,
		(struct said[]){ said_text(name_of(page, recipient)), said_text(words_service(recipient)) });
}

static const struct {
	const char *class;
	enum phrase answer, status;
} holdings[] = {
	[HOLDING_OVERDUE] = { "late", PHRASE_TODAY_TO_DELETE, PHRASE_UNTIL_OVERDUE },
	[HOLDING_ENDED] = { "open", PHRASE_TODAY_TO_DELETE, PHRASE_UNTIL_ENDED },
	[HOLDING_UNCONFIRMED] = { "open", PHRASE_TODAY_TO_DELETE, PHRASE_UNTIL_UNCONFIRMED },
	[HOLDING_HELD] = { "has", PHRASE_TODAY_HELD, PHRASE_UNTIL_HELD },
	[HOLDING_RESTRICTED] = { "has", PHRASE_TODAY_RESTRICTED, PHRASE_UNTIL_RESTRICTED },
	[HOLDING_RETAINED] = { "has", PHRASE_TODAY_RETAINED, PHRASE_UNTIL_RETAINED },
	[HOLDING_DUE] = { "not", PHRASE_TODAY_NOT_YET, PHRASE_UNTIL_DUE },
	[HOLDING_PLANNED] = { "not", PHRASE_TODAY_NOT_YET, PHRASE_UNTIL_PLANNED },
	[HOLDING_DELETED] = { "not", PHRASE_TODAY_DELETED, PHRASE_UNTIL_DELETED },
	[HOLDING_NEVER] = { "not", PHRASE_TODAY_NEVER, PHRASE_UNTIL_NEVER },
};
_Static_assert(sizeof holdings / sizeof holdings[0] == HOLDING_COUNT, "each has its words");

void words_answer(const struct page *page, const struct report_status *status, bool again)
{
	fprintf(page->file, "<strong class=\"%s\">", holdings[status->holding].class);
	html_say(page, again ? PHRASE_TODAY_AGAIN : holdings[status->holding].answer, NULL);
	fputs("</strong>", page->file);
}

void words_status(const struct page *page, const struct report_status *status, bool again)
{
	enum phrase phrase = holdings[status->holding].status;

	if (status->holding == HOLDING_RETAINED && status->time == TIME_NONE)
		phrase = PHRASE_UNTIL_RETAINED_ALWAYS;
	if (again)
		phrase = PHRASE_UNTIL_AGAIN;
	html_say(page, phrase, (struct said[]){ said_time(status->time), said_text(status->ground) });
}
