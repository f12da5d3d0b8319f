#include "cli/csv.h"

#include "cli/output.h"
#include "pure/time.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* What a spreadsheet may pass over before it looks for a formula: spaces, also of no width. */
static const char *const spaces[] = { " ", "\u00A0", "\u3000", "\uFEFF", "\u200B", "\u200C", "\u200D", "\u2060" };
/* With what a formula begins, or a cell that some spreadsheets take apart; the last four are full-width. */
static const char *const starts[] = { "=", "+", "-", "@", "\t", "\r", "\n", "\uFF1D", "\uFF0B", "\uFF0D", "\uFF20",
	"\u2212" };

/* The length of the one that `text` begins with, or 0. */
static size_t begins_with(const char *text, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(list[i]);
		if (strncmp(text, list[i], length) == 0)
			return length;
	}
	return 0;
}

/* The first text that is more than spaces decides. */
static int looks_like_formula(char *const *texts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *text = texts[i];
		size_t space;
		while ((space = begins_with(text, spaces, sizeof spaces / sizeof spaces[0])) != 0)
			text += space;
		if (*text != '\0')
			return begins_with(text, starts, sizeof starts / sizeof starts[0]) != 0;
	}
	return 0;
}

static void next(struct csv *csv)
{
	assert(csv->at < csv->columns);
	if (csv->at++ > 0)
		putc(',', csv->file);
}

static void inside_quotes(struct csv *csv, const char *text)
{
	while (*text != '\0') {
		size_t escaped = output_escape(csv->file, text);
		if (escaped == 0 && *text == '"')
			putc('"', csv->file);
		if (escaped == 0)
			putc(*text, csv->file);
		text += escaped != 0 ? escaped : 1;
	}
}

void csv_begin(struct csv *csv, FILE *file, const char *const *headings, size_t columns)
{
	*csv = (struct csv){ .file = file, .columns = columns };
	for (size_t i = 0; i < columns; i++)
		csv_word(csv, headings[i]);
	csv_end(csv);
}

void csv_texts(struct csv *csv, char *const *texts, size_t count)
{
	next(csv);
	if (count == 0 || (count == 1 && texts[0][0] == '\0'))
		return;
	putc('"', csv->file);
	if (looks_like_formula(texts, count))
		putc('\'', csv->file);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			putc(' ', csv->file);
		inside_quotes(csv, texts[i]);
	}
	putc('"', csv->file);
}

void csv_text(struct csv *csv, const char *text)
{
	char *one = (char *)(uintptr_t)(text != NULL ? text : "");

	csv_texts(csv, &one, 1);
}

void csv_word(struct csv *csv, const char *word)
{
	next(csv);
	fputs(word, csv->file);
}

void csv_number(struct csv *csv, uint64_t number)
{
	next(csv);
	fprintf(csv->file, "%" PRIu64, number);
}

void csv_time(struct csv *csv, const Google__Protobuf__Timestamp *time)
{
	char text[TIME_TEXT_MAX] = "";
	int64_t microseconds;

	next(csv);
	if (time != NULL && time_from_timestamp(time, &microseconds) == 0)
		time_format(microseconds, text);
	fputs(text, csv->file);
}

void csv_bytes(struct csv *csv, const uint8_t *bytes, size_t length)
{
	next(csv);
	output_hex(csv->file, bytes, length);
}

void csv_empty(struct csv *csv, size_t cells)
{
	while (cells-- > 0)
		next(csv);
}

void csv_end(struct csv *csv)
{
	assert(csv->at == csv->columns);
	csv->at = 0;
	fputs("\r\n", csv->file);
}
