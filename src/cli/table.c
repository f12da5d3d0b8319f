#include "cli/table.h"

#include "base/memory.h"
#include "cli/output.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

struct table {
	const char *const *headings;
	size_t columns;
	char **cells;
	size_t count, capacity;
	size_t widths[TABLE_COLUMNS_MAX];
	bool begun; /* the headings stand above */
};

struct table *table_new(const char *const *headings, size_t columns)
{
	struct table *table = mem_calloc(1, sizeof *table);

	assert(columns > 0 && columns <= TABLE_COLUMNS_MAX);
	table->headings = headings;
	table->columns = columns;
	return table;
}

static void forget(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		mem_free(table->cells[i]);
	table->count = 0;
}

void table_free(struct table *table)
{
	if (table == NULL)
		return;
	forget(table);
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

static void print_headings(struct table *table, FILE *file)
{
	fputs(output_style(file, STYLE_BOLD), file);
	print_row(table->headings, table->widths, table->columns, file);
	fprintf(file, "%s\n", output_style(file, STYLE_PLAIN));
	table->begun = true;
}

void table_print(struct table *table, FILE *file)
{
	assert(table->columns > 0 && table->columns <= TABLE_COLUMNS_MAX);
	if (table_rows(table) == 0)
		return;
	for (size_t i = 0; i < table->columns; i++) {
		size_t heading = width(table->headings[i]);
		if (heading > table->widths[i])
			table->widths[i] = heading;
	}
	for (size_t i = 0; i < table->count; i++) {
		size_t cell = width(table->cells[i]);
		if (cell > table->widths[i % table->columns])
			table->widths[i % table->columns] = cell;
	}
	if (!table->begun)
		print_headings(table, file);
	for (size_t row = 0; row < table_rows(table); row++) {
		print_row(
			(const char *const *)table->cells + row * table->columns, table->widths, table->columns, file);
		putc('\n', file);
	}
	forget(table);
}
