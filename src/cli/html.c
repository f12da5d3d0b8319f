#include "cli/html.h"

#include "cli/output.h"
#include "pure/time.h"

#include <string.h>

static const char *entity(char letter)
{
	switch (letter) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

static void put_letter(FILE *file, char letter)
{
	const char *instead = entity(letter);

	if (instead != NULL)
		fputs(instead, file);
	else
		putc(letter, file);
}

void html_text(const struct page *page, const char *text)
{
	while (*text != '\0') {
		size_t escaped = output_escape(page->file, text);
		if (escaped == 0)
			put_letter(page->file, *text);
		text += escaped != 0 ? escaped : 1;
	}
}

static void put_time(const struct page *page, int64_t time)
{
	char exact[TIME_TEXT_MAX], words[PHRASE_TIME_MAX];

	if (time == TIME_NONE) {
		putc('-', page->file);
		return;
	}
	time_format(time - (time % TIME_SECOND + TIME_SECOND) % TIME_SECOND, exact);
	phrase_time(page->language, time, words);
	fprintf(page->file, "<time datetime=\"%s\">", exact);
	html_text(page, words);
	fputs("</time>", page->file);
}

void html_time(const struct page *page, const Google__Protobuf__Timestamp *time)
{
	int64_t microseconds;

	if (time != NULL && time_from_timestamp(time, &microseconds) == 0)
		put_time(page, microseconds);
	else
		putc('-', page->file);
}

static void put_said(const struct page *page, const struct said *said)
{
	if (said->text != NULL)
		html_text(page, said->text);
	else
		put_time(page, said->time);
}

/* A space that French never breaks: before a high sign, and within its quotation marks. */
static int is_narrow(const char *text)
{
	return *text == ' ' && text[1] != '\0' && (strchr(":;?!%", text[1]) != NULL || strncmp(text + 1, "»", 2) == 0);
}

void html_say(const struct page *page, enum phrase phrase, const struct said *said)
{
	const char *text = phrase_text(page->language, phrase);

	while (*text != '\0') {
		if (text[0] == '{' && text[1] >= '1' && text[1] <= '9' && text[2] == '}') {
			put_said(page, &said[text[1] - '1']);
			text += 3;
		} else if (page->language == LANGUAGE_FRENCH && is_narrow(text)) {
			fputs("&nbsp;", page->file);
			text++;
		} else if (strncmp(text, "« ", 3) == 0) {
			fputs("«&nbsp;", page->file);
			text += 3;
		} else {
			put_letter(page->file, *text++);
		}
	}
}

void html_element(const struct page *page, const char *element, enum phrase phrase, const struct said *said)
{
	fprintf(page->file, "<%s>", element);
	html_say(page, phrase, said);
	fprintf(page->file, "</%.*s>\n", (int)strcspn(element, " "), element);
}
