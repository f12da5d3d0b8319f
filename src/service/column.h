#ifndef NEEDTOKNOW_SERVICE_COLUMN_H
#define NEEDTOKNOW_SERVICE_COLUMN_H

#include "io/database.h"
#include "pure/pgbinary.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Many calls' rows for one statement: a column is an array parameter, `unnest($1, $2, ...) WITH ORDINALITY` makes rows
 * of them again. Reads (batch.h) and writes (train.h) are both given as rows of cells.
 */
#define COLUMNS_MAX 16

/* One value of a row; which member counts is told by the column's type. Nothing is copied until it is appended. */
struct cell {
	const void *bytes; /* PG_TEXT, PG_BYTEA, PG_UUID; NULL is SQL's NULL */
	size_t length;
	int64_t number; /* PG_BOOL, PG_INT*, PG_TIMESTAMPTZ (INT64_MAX: infinity; TIME_NONE: NULL) */
};

struct cell cell_text(const char *text);
struct cell cell_bytes(const void *bytes, size_t length);
struct cell cell_number(int64_t number);

struct columns {
	size_t count;
	size_t rows;
	struct pg_array arrays[COLUMNS_MAX];
};

/* `types` ends with 0. */
void columns_init(struct columns *columns, const enum pg_type *types);
/* Wiped, and ready for the next rows; memory is kept. */
void columns_clear(struct columns *columns);
void columns_release(struct columns *columns);
/* 0, or -1 when a maximum (of 64 MiB a column) is reached; then the row was not added to any column. */
int columns_append(struct columns *columns, const struct cell *row);
/* One row as it was appended; the cells point into the columns. */
void columns_row(const struct columns *columns, size_t row, struct cell *out);
/* Adds `statement` with the columns as its parameters to the database's open segment. */
void columns_add(const struct columns *columns, struct database *database, const struct statement *statement);

#endif
