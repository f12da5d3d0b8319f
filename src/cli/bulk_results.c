#include "cli/bulk_results.h"

#include "base/memory.h"
#include "cli/csv_read.h"
#include "cli/file.h"
#include "cli/private_file.h"
#include "pure/text_line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (256 * 1024 * 1024)
#define DONE "DONE"

static const char *const headings[] = { "line", "subject_id", "request_id", "outcome", "ledger_index", "reason",
	"message" };
#define HEADINGS (sizeof headings / sizeof headings[0])
enum {
	LINE,
	SUBJECT,
	REQUEST,
	OUTCOME,
	INDEX,
	REASON,
	MESSAGE
};

static int by_request(const void *left, const void *right)
{
	return strcmp((*(struct bulk_line *const *)left)->request_id, (*(struct bulk_line *const *)right)->request_id);
}

/* The lines that are requests of their own, by their ids. */
static size_t sort_lines(struct bulk_file *file, struct bulk_line **out)
{
	size_t count = 0;

	for (size_t i = 0; i < file->count; i++) {
		if (file->lines[i].same_as == 0)
			out[count++] = &file->lines[i];
	}
	qsort(out, count, sizeof *out, by_request);
	return count;
}

static struct bulk_line *find(struct bulk_line **sorted, size_t count, const char *request_id)
{
	struct bulk_line wanted, *key = &wanted;

	if (snprintf(wanted.request_id, sizeof wanted.request_id, "%s", request_id) != UUID_TEXT_LENGTH)
		return NULL;
	struct bulk_line **found = bsearch(&key, sorted, count, sizeof *sorted, by_request);
	return found != NULL ? *found : NULL;
}

/* A line of an earlier run, which was done: of the file as it is now, or of one that it had. */
static void keep(struct csv *csv, const struct csv_row *row, struct bulk_line *line, bool anew)
{
	uint64_t index = 0;

	if (line != NULL && (anew || line->done))
		return; /* it will stand there, or does already */
	if (line != NULL) {
		line->done = true;
		if (text_decimal(row->cells[INDEX], strlen(row->cells[INDEX]), &index) == 0)
			line->ledger_index = index;
	}
	for (size_t i = 0; i < HEADINGS; i++) {
		if (i == LINE || i == INDEX || i == OUTCOME)
			csv_word(csv, row->cells[i]);
		else
			csv_text(csv, row->cells[i]);
	}
	csv_end(csv);
}

/* The last line may have been cut off when a run was killed: then it was not done, or is asked again and repeated. */
static const char *keep_done(struct csv *csv, struct buffer *text, bool anew, struct bulk_file *file)
{
	struct bulk_line **sorted = mem_calloc(file->count + 1, sizeof(struct bulk_line *));
	size_t count = sort_lines(file, sorted), length = text->length;
	struct csv_reader reader;
	struct csv_row row;
	const char *wrong;

	while (length > 0 && text->data[length - 1] != '\n')
		length--;
	wrong = buffer_append_u8(text, 0) == 0 ? csv_reader_init(&reader, (char *)text->data, length) : "too large";
	if (wrong == NULL && length > 0)
		wrong = csv_read(&reader, &row);
	for (size_t i = 0; wrong == NULL && length > 0 && i < HEADINGS; i++) {
		if (row.count != HEADINGS || strcmp(row.cells[i], headings[i]) != 0)
			wrong = "it is there, and is no file of results; --results names another";
	}
	while (wrong == NULL && length > 0 && (wrong = csv_read(&reader, &row)) == NULL && row.count > 0) {
		if (row.count == HEADINGS && strcmp(row.cells[OUTCOME], DONE) == 0)
			keep(csv, &row, find(sorted, count, row.cells[REQUEST]), anew);
	}
	mem_free(sorted);
	return wrong;
}

static enum exit_code begin_anew(struct bulk_results *results, struct buffer *text, bool anew, struct bulk_file *file)
{
	struct private_file fresh;
	struct csv csv;

	if (private_file_open(&fresh, results->path) != 0)
		return EXIT_FAILED;
	csv_begin(&csv, fresh.file, headings, HEADINGS);
	const char *wrong = keep_done(&csv, text, anew, file);
	if (wrong != NULL) {
		private_file_abandon(&fresh);
		fprintf(stderr, "%s: %s\n", results->path, wrong);
		return EXIT_USAGE;
	}
	return private_file_keep(&fresh) == 0 ? EXIT_OK : EXIT_FAILED;
}

enum exit_code bulk_results_open(
	struct bulk_results *results, const char *path, const char *of, bool anew, struct bulk_file *file)
{
	struct buffer text;
	enum exit_code code = EXIT_FAILED;

	*results = (struct bulk_results){ 0 };
	if (snprintf(results->path, sizeof results->path, path != NULL ? "%s" : "%s.results.csv",
		    path != NULL ? path : of) >= (int)sizeof results->path) {
		fprintf(stderr, "%s: the name is too long\n", of);
		return EXIT_USAGE;
	}
	buffer_init(&text, FILE_MAX);
	if (file_read(results->path, &text) != FILE_FAILED)
		code = begin_anew(results, &text, anew, file);
	buffer_release(&text);
	if (code != EXIT_OK)
		return code;
	FILE *out = fopen(results->path, "ae");
	if (out == NULL) {
		fprintf(stderr, "%s: %s\n", results->path, strerror(errno));
		return EXIT_FAILED;
	}
	results->csv = (struct csv){ .file = out, .columns = HEADINGS };
	return EXIT_OK;
}

int bulk_results_add(struct bulk_results *results, const struct bulk_line *line, const struct bulk_result *result)
{
	struct csv *csv = &results->csv;

	csv_number(csv, line->number);
	csv_text(csv, line->cells[BULK_SUBJECT]);
	csv_text(csv, line->request_id);
	csv_word(csv, result->outcome);
	if (line->done)
		csv_number(csv, line->ledger_index);
	else
		csv_empty(csv, 1);
	csv_text(csv, result->reason);
	csv_text(csv, result->message);
	csv_end(csv);
	return fflush(csv->file) == 0 ? 0 : -1;
}

int bulk_results_close(struct bulk_results *results)
{
	FILE *file = results->csv.file;

	results->csv.file = NULL;
	if (file == NULL || (!ferror(file) && fclose(file) == 0))
		return 0;
	fprintf(stderr, "%s: could not be written\n", results->path);
	return -1;
}
