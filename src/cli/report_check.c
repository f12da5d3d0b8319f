#include "cli/report_check.h"

#include "base/memory.h"
#include "cli/output.h"
#include "cli/report_words.h"

#include <inttypes.h>
#include <stdlib.h>

/* A line of the ledger. */
struct line {
	uint64_t index;
	const Google__Protobuf__Timestamp *time;
	const Needtoknow__V1__ReportedRecipient *recipient;
	const Needtoknow__V1__ReportedRelease *release; /* of a sending */
	enum phrase what;
};

struct lines {
	struct line *items;
	size_t count, capacity;
};

static void add(struct lines *lines, struct line line)
{
	if (lines->count == lines->capacity) {
		lines->capacity = lines->capacity != 0 ? lines->capacity * 2 : 64;
		lines->items = mem_realloc(lines->items, lines->capacity * sizeof *lines->items);
	}
	lines->items[lines->count++] = line;
}

static void add_disclosure(struct lines *lines, const Needtoknow__V1__ReportedRecipient *recipient,
	const Needtoknow__V1__ReportedDisclosure *disclosure)
{
	add(lines,
		(struct line){
			disclosure->shared_index, disclosure->shared_at, recipient, NULL, PHRASE_LINE_PERMITTED });
	for (size_t i = 0; i < disclosure->n_releases; i++) {
		const Needtoknow__V1__ReportedRelease *release = disclosure->releases[i];
		for (size_t k = 0; k < release->n_deliveries; k++)
			add(lines,
				(struct line){ release->deliveries[k]->ledger_index, release->deliveries[k]->sent_at,
					recipient, release, PHRASE_LINE_SENT });
	}
	for (size_t i = 0; i < disclosure->n_deletions; i++) {
		const Needtoknow__V1__ReportedDeletion *deletion = disclosure->deletions[i];
		add(lines,
			(struct line){
				deletion->ledger_index, deletion->ordered_at, recipient, NULL, PHRASE_LINE_DELETION });
	}
}

static int by_index(const void *left, const void *right)
{
	const struct line *a = left, *b = right;

	return a->index < b->index ? -1 : a->index > b->index;
}

static void print_line(const struct page *page, const struct line *line)
{
	fprintf(page->file, "<tr><th scope=\"row\">%" PRIu64 "</th><td>", line->index);
	html_time(page, line->time);
	fputs("</td><td>", page->file);
	html_say(page, line->what, NULL);
	if (line->release != NULL) {
		putc(' ', page->file);
		words_fields(page, line->release);
	}
	fputs("</td><td>", page->file);
	words_who_and_service(page, line->recipient);
	fputs("</td></tr>\n", page->file);
}

static void print_lines(const struct page *page, const struct lines *lines)
{
	static const enum phrase headings[] = { PHRASE_COLUMN_LINE, PHRASE_COLUMN_WHEN, PHRASE_COLUMN_WHAT,
		PHRASE_COLUMN_RECIPIENT };

	fputs("<table>\n", page->file);
	html_element(page, "caption", PHRASE_CHECK_CAPTION, NULL);
	fputs("<thead><tr>", page->file);
	for (size_t i = 0; i < sizeof headings / sizeof headings[0]; i++)
		html_element(page, "th scope=\"col\"", headings[i], NULL);
	fputs("</tr></thead>\n<tbody>\n", page->file);
	for (size_t i = 0; i < lines->count; i++) {
		/* A line that ends it for several devices is one line. */
		if (i == 0 || lines->items[i].index != lines->items[i - 1].index)
			print_line(page, &lines->items[i]);
	}
	fputs("</tbody></table>\n", page->file);
}

static void print_command(const struct page *page, uint64_t index, const char *vkey)
{
	char number[24];

	snprintf(number, sizeof number, "%" PRIu64, index);
	html_element(page, vkey != NULL ? "p" : "p class=\"nokey\"",
		vkey != NULL ? PHRASE_CHECK_KEY : PHRASE_CHECK_NO_KEY, NULL);
	if (vkey != NULL) {
		fputs("<pre>", page->file);
		html_text(page, vkey);
		fputs("</pre>\n", page->file);
	}
	html_element(page, "p", PHRASE_CHECK_COMMAND, (struct said[]){ said_text(number) });
	fprintf(page->file, "<pre>needtoknow audit verify --proof %s.tlog-proof --entry %s.entry --vkey ", number,
		number);
	if (vkey != NULL)
		fputs("&#39;", page->file);
	html_text(page, vkey != NULL ? vkey : phrase_text(page->language, PHRASE_CHECK_KEY_NAME));
	fprintf(page->file, "%s</pre>\n", vkey != NULL ? "&#39;" : "");
}

void report_check_print(
	const struct page *page, const Needtoknow__V1__GetSubjectReportResponse *message, const char *vkey)
{
	struct lines lines = { 0 };

	for (size_t i = 0; i < message->n_recipients; i++) {
		for (size_t k = 0; k < message->recipients[i]->n_disclosures; k++)
			add_disclosure(&lines, message->recipients[i], message->recipients[i]->disclosures[k]);
	}
	if (lines.count == 0)
		return;
	qsort(lines.items, lines.count, sizeof *lines.items, by_index);
	html_element(page, "h2", PHRASE_CHECK, NULL);
	html_element(page, "p", PHRASE_CHECK_WHY, NULL);
	print_lines(page, &lines);
	html_element(page, "p", PHRASE_CHECK_PSEUDONYM, NULL);
	fputs("<pre>", page->file);
	output_hex(page->file, message->subject_pseudonym.data, message->subject_pseudonym.len);
	fputs("</pre>\n", page->file);
	print_command(page, lines.items[0].index, vkey);
	mem_free(lines.items);
}
