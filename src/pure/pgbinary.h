#ifndef NEEDTOKNOW_PURE_PGBINARY_H
#define NEEDTOKNOW_PURE_PGBINARY_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* PostgreSQL's binary formats of parameters and results (its backend's *_send and *_recv functions). Times are
 * microseconds since 1970. */

enum pg_type { /* object ids of pg_type.dat */
	PG_BOOL = 16,
	PG_BYTEA = 17,
	PG_INT8 = 20,
	PG_INT2 = 21,
	PG_INT4 = 23,
	PG_TEXT = 25,
	PG_TIMESTAMPTZ = 1184,
	PG_UUID = 2950,
};

/*
 * A one-dimensional array that grows an element at a time, for unnest($1, $2, ...): one column of many calls' rows.
 * Its maximum is that of the buffer; an append past it returns -1 and leaves the array as it was.
 */
struct pg_array {
	enum pg_type type;
	uint32_t count;
	bool has_null;
	struct buffer bytes; /* the whole binary value, its header kept up to date */
};

void pg_array_init(struct pg_array *array, enum pg_type type, size_t maximum);
void pg_array_clear(struct pg_array *array);
void pg_array_release(struct pg_array *array);
int pg_array_null(struct pg_array *array);
int pg_array_bytes(
	struct pg_array *array, const void *bytes, size_t length); /* PG_TEXT, PG_BYTEA, PG_UUID (16 bytes) */
int pg_array_text(struct pg_array *array, const char *text); /* NULL is SQL's NULL */
int pg_array_int(struct pg_array *array, int64_t value); /* PG_BOOL, PG_INT2, PG_INT4, PG_INT8: in its width */
int pg_array_time(
	struct pg_array *array, int64_t microseconds); /* PG_TIMESTAMPTZ; INT64_MAX is infinity, INT64_MIN -infinity */

/* One value of a result. The length must be the type's; else the process ends, since the statement and its reader
 * disagree. */
bool pg_bool(const char *value, int length);
int64_t pg_int(const char *value, int length); /* int2, int4 or int8, by length */
int64_t pg_time(
	const char *value, int length); /* microseconds since 1970; infinity is INT64_MAX, -infinity INT64_MIN */

/* And one parameter. */
void pg_put_int8(uint8_t out[8], int64_t value);
void pg_put_time(uint8_t out[8], int64_t microseconds);

#endif
