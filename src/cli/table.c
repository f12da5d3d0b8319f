#include "cli/table.h"

#include "base/memory.h"
#include "cli/output.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

struct table {
	const char *const *headings;
	size_t columns;
	char **cells;
	size_t count, capacity;
};

struct table *table_new(const char *const *headings, size_t columns)
{
	struct table *table = mem_calloc(1, sizeof *table);

	assert(columns > 0 && columns <= TABLE_COLUMNS_MAX);
	table->headings = headings;
	table->columns = columns;
	return table;
}

void table_free(struct table *table)
{
	if (table == NULL)
		return;
	for (size_t i = 0; i < table->count; i++)
		mem_free(table->cells[i]);
	mem_free(table->cells);
	mem_free(table);
}

void table_cell(struct table *table, const char *text)
{
	if (table->count == table->capacity) {
		table->capacity = table->capacity != 0 ? table->capacity * 2 : 64;
		table->cells = mem_realloc(table->cells, table->capacity * sizeof *table->cells);
	}
	table->cells[table->count++] = mem_strdup(text != NULL && text[0] != '\0' ? text : "-");
}

void table_cellf(struct table *table, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	table_cell(table, text);
}

size_t table_rows(const struct table *table)
{
	assert(table->columns > 0);
	return table->count / table->columns;
}

/* Characters, not bytes. */
static size_t width(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += ((unsigned char)*text & 0xC0) != 0x80;
	return count;
}

static void print_row(const char *const *cells, const size_t *widths, size_t columns, FILE *file)
{
	for (size_t i = 0; i < columns; i++) {
		output_text(file, cells[i]);
		if (i + 1 == columns)
			break;
		fprintf(file, "%*s", (int)(widths[i] - width(cells[i]) + 2), "");
	}
}

void table_print(const struct table *table, FILE *file)
{
	size_t widths[TABLE_COLUMNS_MAX] = { 0 };

	assert(table->columns > 0 && table->columns <= TABLE_COLUMNS_MAX);
	for (size_t i = 0; i < table->columns; i++)
		widths[i] = width(table->headings[i]);
	for (size_t i = 0; i < table->count; i++) {
		size_t cell = width(table->cells[i]);
		if (cell > widths[i % table->columns])
			widths[i % table->columns] = cell;
	}
	fputs(output_style(file, STYLE_BOLD), file);
	print_row(table->headings, widths, table->columns, file);
	fprintf(file, "%s\n", output_style(file, STYLE_PLAIN));
	for (size_t row = 0; row < table_rows(table); row++) {
		print_row((const char *const *)table->cells + row * table->columns, widths, table->columns, file);
		putc('\n', file);
	}
}
