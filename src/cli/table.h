#ifndef NEEDTOKNOW_CLI_TABLE_H
#define NEEDTOKNOW_CLI_TABLE_H

#include <stddef.h>
#include <stdio.h>

/* Lines whose columns stand below one another. Cells are copied, and escaped as output_text() does when they are
 * printed. */
#define TABLE_COLUMNS_MAX 12

struct table;

/* Headings are string literals. */
struct table *table_new(const char *const *headings, size_t columns);
/* NULL is allowed. */
void table_free(struct table *table);

/* The next cell, from left to right, line after line. NULL and "" are shown as `-`. */
void table_cell(struct table *table, const char *text);
void table_cellf(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Since it was last printed. */
size_t table_rows(const struct table *table);
/* Prints these rows, the headings before the first of all, and forgets them: of a list that goes on, each part is
 * printed as it comes. Columns do not get narrower again. Nothing without rows. */
void table_print(struct table *table, FILE *file);

#endif
