#include "service/column.h"

#include "pure/time.h"

#include <assert.h>
#include <string.h>

#define COLUMN_BYTES_MAX ((size_t)64 << 20)

struct cell cell_text(const char *text)
{
	return (struct cell){ .bytes = text, .length = text ? strlen(text) : 0 };
}

struct cell cell_bytes(const void *bytes, size_t length)
{
	return (struct cell){ .bytes = bytes, .length = length };
}

struct cell cell_number(int64_t number)
{
	return (struct cell){ .number = number };
}

void columns_init(struct columns *columns, const enum pg_type *types)
{
	memset(columns, 0, sizeof *columns);
	while (types[columns->count]) {
		assert(columns->count < COLUMNS_MAX);
		pg_array_init(&columns->arrays[columns->count], types[columns->count], COLUMN_BYTES_MAX);
		columns->count++;
	}
}

void columns_clear(struct columns *columns)
{
	for (size_t i = 0; i < columns->count; i++)
		pg_array_clear(&columns->arrays[i]);
	columns->rows = 0;
}

void columns_release(struct columns *columns)
{
	for (size_t i = 0; i < columns->count; i++)
		pg_array_release(&columns->arrays[i]);
	memset(columns, 0, sizeof *columns);
}

static int append_cell(struct pg_array *array, const struct cell *cell)
{
	switch (array->type) {
	case PG_TEXT:
	case PG_BYTEA:
	case PG_UUID:
		return cell->bytes ? pg_array_bytes(array, cell->bytes, cell->length) : pg_array_null(array);
	case PG_TIMESTAMPTZ:
		return cell->number == TIME_NONE ? pg_array_null(array) : pg_array_time(array, cell->number);
	case PG_BOOL:
	case PG_INT2:
	case PG_INT4:
	case PG_INT8:
		return pg_array_int(array, cell->number);
	}
	assert(!"a column has no type");
	return -1;
}

int columns_append(struct columns *columns, const struct cell *row)
{
	/* Rows stay whole: room is looked for before the first cell is appended. */
	for (size_t i = 0; i < columns->count; i++)
		if (columns->arrays[i].bytes.length + row[i].length + 64 > COLUMN_BYTES_MAX)
			return -1;
	for (size_t i = 0; i < columns->count; i++) {
		int failed = append_cell(&columns->arrays[i], &row[i]);
		assert(!failed);
		(void)failed;
	}
	columns->rows++;
	return 0;
}

void columns_add(const struct columns *columns, struct database *database, const struct statement *statement)
{
	struct parameter parameters[COLUMNS_MAX];
	assert((size_t)statement->parameters == columns->count);
	for (size_t i = 0; i < columns->count; i++)
		parameters[i] = (struct parameter){ columns->arrays[i].bytes.data, columns->arrays[i].bytes.length };
	database_add(database, statement, parameters);
}

/* An array's elements follow its 20-byte header, each behind its i32 length (-1: NULL); see array_send() of PostgreSQL.
 */
#define ARRAY_HEADER_LENGTH 20

static struct cell array_element(const struct pg_array *array, size_t row)
{
	const uint8_t *at = array->bytes.data + ARRAY_HEADER_LENGTH;
	int32_t length = 0;
	for (size_t i = 0;; i++) {
		length = (int32_t)((uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]);
		at += 4;
		if (i == row)
			break;
		at += length > 0 ? length : 0;
	}
	switch (array->type) {
	case PG_TEXT:
	case PG_BYTEA:
	case PG_UUID:
		return length < 0 ? cell_bytes(NULL, 0) : cell_bytes(at, (size_t)length);
	case PG_TIMESTAMPTZ:
		return cell_number(length < 0 ? TIME_NONE : pg_time((const char *)at, length));
	case PG_BOOL:
		return cell_number(pg_bool((const char *)at, length));
	case PG_INT2:
	case PG_INT4:
	case PG_INT8:
		break;
	}
	return cell_number(pg_int((const char *)at, length));
}

void columns_row(const struct columns *columns, size_t row, struct cell *out)
{
	assert(row < columns->rows);
	for (size_t i = 0; i < columns->count; i++)
		out[i] = array_element(&columns->arrays[i], row);
}
