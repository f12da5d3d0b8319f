#include "cli/rights_values.h"

#include "base/memory.h"
#include "cli/csv_read.h"
#include "cli/file.h"

#include <stdio.h>
#include <string.h>

/* At most 64 values of 64 KiB (proto/needtoknow/v1/rights.proto), and quotes. */
#define FILE_MAX (16 * 1024 * 1024)
#define COLUMNS_MAX 64

static enum exit_code read_text(const char *path, struct buffer *out)
{
	buffer_init(out, FILE_MAX);
	switch (file_read(strcmp(path, "-") == 0 ? "/dev/stdin" : path, out)) {
	case FILE_ABSENT:
		fprintf(stderr, "%s: there is no such file\n", path);
		return EXIT_USAGE;
	case FILE_FAILED:
		return EXIT_USAGE;
	default:
		break;
	}
	if (buffer_append_u8(out, 0) == 0)
		return EXIT_OK;
	fprintf(stderr, "%s: it is too large\n", path);
	return EXIT_USAGE;
}

static void add(struct rights_values *values, const char *column, char *value)
{
	Needtoknow__V1__ColumnValue *item = &values->items[values->count];

	needtoknow__v1__column_value__init(item);
	item->column = (char *)(uintptr_t)column;
	item->is_null = value == NULL;
	if (value != NULL)
		item->value = value;
	values->pointers[values->count++] = item;
}

static const char *read_rows(struct csv_reader *csv, struct rights_values *values, struct csv_row *row)
{
	const char *wrong = csv_read(csv, row);

	if (wrong == NULL &&
		(row->count != 2 || strcmp(row->cells[0], "column") != 0 || strcmp(row->cells[1], "value") != 0))
		wrong = "the first line must be `column,value`";
	while (wrong == NULL && (wrong = csv_read(csv, row)) == NULL && row->count > 0) {
		if (row->count != 2)
			return "it has not two cells; a value with a comma stands in quotes";
		if (values->count == COLUMNS_MAX)
			return "these are too many columns";
		add(values, row->cells[0], row->cells[1][0] == '\0' && !row->quoted[1] ? NULL : row->cells[1]);
	}
	return wrong;
}

static void make_room(struct rights_values *values, size_t count)
{
	values->items = mem_calloc(count, sizeof *values->items);
	values->pointers = mem_calloc(count, sizeof(Needtoknow__V1__ColumnValue *));
}

enum exit_code rights_values_read(const char *path, struct rights_values *out)
{
	struct csv_reader csv;
	struct csv_row row = { .line = 1 };
	enum exit_code code;

	*out = (struct rights_values){ 0 };
	code = read_text(path, &out->text);
	if (code != EXIT_OK)
		goto fail;
	make_room(out, COLUMNS_MAX);
	const char *wrong = csv_reader_init(&csv, (char *)out->text.data, out->text.length - 1);
	if (wrong == NULL)
		wrong = read_rows(&csv, out, &row);
	if (wrong == NULL)
		return EXIT_OK;
	fprintf(stderr, "%s:%zu: %s\n", path, row.line, wrong);
	code = EXIT_USAGE;
fail:
	rights_values_release(out);
	return code;
}

enum exit_code rights_value_read(const char *path, const char *column, struct rights_values *out)
{
	enum exit_code code;

	*out = (struct rights_values){ 0 };
	code = read_text(path, &out->text);
	if (code != EXIT_OK) {
		rights_values_release(out);
		return code;
	}
	char *text = (char *)out->text.data;
	size_t length = out->text.length - 1;
	if (length > 0 && text[length - 1] == '\n')
		text[--length] = '\0';
	if (length > 0 && text[length - 1] == '\r')
		text[--length] = '\0';
	if (strlen(text) != length) {
		fprintf(stderr, "%s: it is no text: it holds a NUL\n", path);
		rights_values_release(out);
		return EXIT_USAGE;
	}
	make_room(out, 1);
	add(out, column, text);
	return EXIT_OK;
}

void rights_values_release(struct rights_values *values)
{
	buffer_release(&values->text);
	mem_free(values->items);
	mem_free(values->pointers);
	*values = (struct rights_values){ 0 };
}
