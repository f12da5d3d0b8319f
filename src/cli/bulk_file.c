#include "cli/bulk_file.h"

#include "base/memory.h"
#include "cli/csv_read.h"
#include "cli/file.h"
#include "cli/options.h"
#include "cli/rights_request.h"
#include "pure/nearest.h"
#include "pure/sha256.h"
#include "pure/time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (256 * 1024 * 1024)

/* A heading, and the flag that says the same for all lines. */
static const struct {
	const char *heading, *flag;
} columns[BULK_COLUMNS] = {
	[BULK_SUBJECT] = { "subject", NULL },
	[BULK_CHANNEL] = { "channel", "channel" },
	[BULK_RECEIVED] = { "received", "received" },
	[BULK_PURPOSE] = { "purpose", "purpose" },
	[BULK_REASON] = { "reason", "reason" },
	[BULK_COLUMN] = { "column", "column" },
	[BULK_VALUE] = { "value", NULL },
};
#define EVERY_KIND (BULK_HAS(BULK_SUBJECT) | BULK_HAS(BULK_CHANNEL) | BULK_HAS(BULK_RECEIVED))

/* The file while it is read. */
struct reading {
	const struct invocation *invocation;
	const struct bulk_shape *shape;
	const char *path;
	size_t cell_of[BULK_COLUMNS]; /* from 1; 0: the file has no such column */
	size_t cells; /* of each line */
	struct bulk_file *file;
	size_t capacity;
};

static enum exit_code wrong_line(const struct reading *reading, size_t line, const char *why)
{
	fprintf(stderr, "%s:%zu: %s\n", reading->path, line, why);
	return EXIT_USAGE;
}

static bool has(const struct reading *reading, int column)
{
	return ((EVERY_KIND | reading->shape->columns) & BULK_HAS(column)) != 0;
}

/* ---- headings ---- */

static enum exit_code read_heading(struct reading *reading, const struct csv_row *row, size_t cell)
{
	struct nearest nearest;

	nearest_init(&nearest, row->cells[cell]);
	for (int i = 0; i < BULK_COLUMNS; i++) {
		if (!has(reading, i))
			continue;
		nearest_try(&nearest, columns[i].heading);
		if (strcmp(columns[i].heading, row->cells[cell]) != 0)
			continue;
		if (reading->cell_of[i] != 0)
			return wrong_line(reading, row->line, "two columns have the same heading");
		reading->cell_of[i] = cell + 1;
		return EXIT_OK;
	}
	fprintf(stderr, "%s:%zu: there is no column `%s`", reading->path, row->line, row->cells[cell]);
	options_suggest(&nearest, "", stderr);
	fputs("\n  the first line names the columns:", stderr);
	for (int i = 0; i < BULK_COLUMNS; i++)
		fprintf(stderr, "%s%s", has(reading, i) ? " " : "", has(reading, i) ? columns[i].heading : "");
	putc('\n', stderr);
	return EXIT_USAGE;
}

/* Each is either a column or a flag. */
static enum exit_code check_columns(const struct reading *reading, size_t line)
{
	unsigned needed = EVERY_KIND | reading->shape->needed;

	for (int i = 0; i < BULK_COLUMNS; i++) {
		const char *flag = has(reading, i) ? columns[i].flag : NULL;
		const char *given = flag != NULL ? flag_value(reading->invocation, flag) : NULL;
		if (reading->cell_of[i] != 0 && given != NULL) {
			fprintf(stderr, "%s:%zu: the file has a column `%s`: leave out --%s\n", reading->path, line,
				columns[i].heading, flag);
			return EXIT_USAGE;
		}
		if ((needed & BULK_HAS(i)) == 0 || reading->cell_of[i] != 0 || given != NULL)
			continue;
		fprintf(stderr, "%s:%zu: there is no column `%s`%s%s\n", reading->path, line, columns[i].heading,
			flag != NULL ? ", and no --" : "", flag != NULL ? flag : "");
		return EXIT_USAGE;
	}
	return EXIT_OK;
}

static enum exit_code read_headings(struct reading *reading, struct csv_reader *csv)
{
	struct csv_row row;
	const char *wrong = csv_read(csv, &row);

	if (wrong == NULL && row.count == 0)
		wrong = "it is empty: the first line names the columns";
	if (wrong != NULL)
		return wrong_line(reading, row.line, wrong);
	reading->cells = row.count;
	for (size_t i = 0; i < row.count; i++) {
		enum exit_code code = read_heading(reading, &row, i);
		if (code != EXIT_OK)
			return code;
	}
	return check_columns(reading, row.line);
}

/* ---- lines ---- */

static char *cell_of(const struct reading *reading, const struct csv_row *row, int column)
{
	size_t cell = reading->cell_of[column];

	if (cell == 0)
		return has(reading, column) && columns[column].flag != NULL
			? flag_text(reading->invocation, columns[column].flag)
			: NULL;
	cell--;
	return row->cells[cell][0] == '\0' && !row->quoted[cell] ? NULL : row->cells[cell];
}

static const char *understand(const struct reading *reading, struct bulk_line *line)
{
	unsigned needed = (EVERY_KIND | reading->shape->needed) & ~BULK_HAS(BULK_VALUE); /* which may be absent */
	int64_t received;

	for (int i = 0; i < BULK_COLUMNS; i++) {
		if ((needed & BULK_HAS(i)) != 0 && (line->cells[i] == NULL || line->cells[i][0] == '\0'))
			return "a cell is empty that each line needs";
	}
	if (!identifier_valid(line->cells[BULK_SUBJECT], strlen(line->cells[BULK_SUBJECT])))
		return "the subject is no identifier: 1 to 128 bytes without control characters";
	if (rights_channel_parse(line->cells[BULK_CHANNEL], &line->channel) != 0)
		return "the channel is none of account, email, phone, letter and in-person";
	if (time_parse(line->cells[BULK_RECEIVED], &received) != 0)
		return "received is no time as 2026-11-23T09:00:00+01:00; `now` and the like would be another one when "
		       "the file is run again";
	time_to_timestamp(received, &line->received_at);
	return NULL;
}

static void hash_text(struct sha256 *hash, const char *text)
{
	/* With its NUL: no two rows of texts are the same bytes. */
	sha256_update(hash, text != NULL ? text : "", text != NULL ? strlen(text) + 1 : 1);
}

static void name_line(const struct reading *reading, struct bulk_line *line)
{
	static const enum bulk_column said[] = { BULK_SUBJECT, BULK_PURPOSE, BULK_COLUMN };
	uint8_t digest[SHA256_SIZE];
	struct sha256 hash;
	char moment[64];

	sha256_init(&hash);
	hash_text(&hash, reading->shape->method);
	snprintf(moment, sizeof moment, "%d %lld %d", (int)line->channel, (long long)line->received_at.seconds,
		(int)line->received_at.nanos);
	hash_text(&hash, moment);
	for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
		hash_text(&hash, line->cells[said[i]]);
	for (const char *const *name = reading->shape->switches; name != NULL && *name != NULL; name++)
		hash_text(&hash, flag_given(reading->invocation, *name) ? *name : NULL);
	sha256_final(&hash, digest);
	digest[6] = (uint8_t)((digest[6] & 0x0F) | 0x80); /* RFC 9562, version 8 */
	digest[8] = (uint8_t)((digest[8] & 0x3F) | 0x80);
	uuid_format(digest, line->request_id);
}

static enum exit_code read_line(struct reading *reading, const struct csv_row *row)
{
	struct bulk_file *file = reading->file;

	if (row->count != reading->cells)
		return wrong_line(reading, row->line, "it has not as many cells as the first line");
	if (file->count == reading->capacity) {
		reading->capacity = reading->capacity != 0 ? reading->capacity * 2 : 256;
		file->lines = mem_realloc(file->lines, reading->capacity * sizeof *file->lines);
	}
	struct bulk_line *line = &file->lines[file->count];
	*line = (struct bulk_line){ .number = row->line };
	for (int i = 0; i < BULK_COLUMNS; i++)
		line->cells[i] = cell_of(reading, row, i);
	const char *wrong = understand(reading, line);
	if (wrong != NULL)
		return wrong_line(reading, row->line, wrong);
	name_line(reading, line);
	file->count++;
	return EXIT_OK;
}

/* ---- lines that ask the same ---- */

static int by_request(const void *left, const void *right)
{
	const struct bulk_line *a = *(struct bulk_line *const *)left, *b = *(struct bulk_line *const *)right;
	int order = strcmp(a->request_id, b->request_id);

	return order != 0 ? order : a->number < b->number ? -1 : a->number > b->number;
}

static bool same_text(const char *left, const char *right)
{
	return left == NULL || right == NULL ? left == right : strcmp(left, right) == 0;
}

static enum exit_code find_repeats(const struct reading *reading)
{
	struct bulk_file *file = reading->file;
	struct bulk_line **sorted = mem_calloc(file->count + 1, sizeof(struct bulk_line *));
	enum exit_code code = EXIT_OK;

	for (size_t i = 0; i < file->count; i++)
		sorted[i] = &file->lines[i];
	qsort(sorted, file->count, sizeof *sorted, by_request);
	for (size_t i = 1; i < file->count; i++) {
		const struct bulk_line *before = sorted[i - 1];
		struct bulk_line *line = sorted[i];
		if (strcmp(before->request_id, line->request_id) != 0)
			continue;
		line->same_as = before->same_as != 0 ? before->same_as : before->number;
		if (same_text(before->cells[BULK_VALUE], line->cells[BULK_VALUE]) &&
			same_text(before->cells[BULK_REASON], line->cells[BULK_REASON]))
			continue;
		fprintf(stderr, "%s:%zu: asks otherwise for the same as line %zu: which holds?\n", reading->path,
			line->number, line->same_as);
		code = EXIT_USAGE;
	}
	mem_free(sorted);
	return code;
}

static enum exit_code read_all(struct reading *reading)
{
	struct bulk_file *file = reading->file;
	struct csv_reader csv;
	struct csv_row row;
	const char *wrong;

	if (buffer_append_u8(&file->text, 0) != 0)
		return wrong_line(reading, 1, "it is too large");
	wrong = csv_reader_init(&csv, (char *)file->text.data, file->text.length - 1);
	if (wrong != NULL)
		return wrong_line(reading, 1, wrong);
	enum exit_code code = read_headings(reading, &csv);
	while (code == EXIT_OK) {
		wrong = csv_read(&csv, &row);
		if (wrong != NULL)
			return wrong_line(reading, row.line, wrong);
		if (row.count == 0)
			return find_repeats(reading);
		code = read_line(reading, &row);
	}
	return code;
}

enum exit_code bulk_file_read(
	const struct invocation *invocation, const struct bulk_shape *shape, const char *path, struct bulk_file *out)
{
	struct reading reading = { .invocation = invocation, .shape = shape, .path = path, .file = out };
	enum exit_code code = EXIT_USAGE;

	*out = (struct bulk_file){ 0 };
	buffer_init(&out->text, FILE_MAX);
	switch (file_read(path, &out->text)) {
	case FILE_ABSENT:
		fprintf(stderr, "%s: there is no such file\n", path);
		break;
	case FILE_FAILED:
		break;
	default:
		code = read_all(&reading);
	}
	if (code != EXIT_OK)
		bulk_file_release(out);
	return code;
}

void bulk_file_release(struct bulk_file *file)
{
	buffer_release(&file->text);
	mem_free(file->lines);
	file->lines = NULL;
	file->count = 0;
}
