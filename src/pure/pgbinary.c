#include "pure/pgbinary.h"

#include <assert.h>
#include <string.h>

/* Microseconds from 1970-01-01 to 2000-01-01, where PostgreSQL's times begin. */
#define POSTGRES_EPOCH INT64_C(946684800000000)

/* array_send(): dimensions, flags, element type, then per dimension its size and lower bound. */
enum {
	FLAGS_AT = 4,
	COUNT_AT = 12,
	HEADER_LENGTH = 20
};

static void put_u32(uint8_t *out, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		out[i] = (uint8_t)(value >> (24 - 8 * i));
}

void pg_array_init(struct pg_array *array, enum pg_type type, size_t maximum)
{
	assert(maximum >= HEADER_LENGTH);
	*array = (struct pg_array){ .type = type };
	buffer_init(&array->bytes, maximum);
	pg_array_clear(array);
}

void pg_array_clear(struct pg_array *array)
{
	buffer_clear(&array->bytes);
	array->count = 0;
	array->has_null = false;
	const uint32_t header[] = { 1, 0, array->type, 0, 1 };
	for (size_t i = 0; i < sizeof header / sizeof *header; i++) {
		int appended = buffer_append_u32(&array->bytes, header[i]);
		assert(appended == 0);
	}
}

void pg_array_release(struct pg_array *array)
{
	buffer_release(&array->bytes);
	array->count = 0;
	array->has_null = false;
}

/* One more element: its length word and room for its bytes, or NULL. */
static uint8_t *array_grow(struct pg_array *array, uint32_t length_word, size_t length)
{
	if (length > INT32_MAX || array->count == INT32_MAX)
		return NULL;
	uint8_t *end = buffer_reserve(&array->bytes, 4 + length);
	if (end == NULL)
		return NULL;
	put_u32(end, length_word);
	buffer_commit(&array->bytes, 4 + length);
	put_u32(array->bytes.data + COUNT_AT, ++array->count);
	return end + 4;
}

int pg_array_null(struct pg_array *array)
{
	if (array_grow(array, UINT32_MAX, 0) == NULL)
		return -1;
	array->has_null = true;
	put_u32(array->bytes.data + FLAGS_AT, 1);
	return 0;
}

static int array_put(struct pg_array *array, const void *bytes, size_t length)
{
	uint8_t *element = array_grow(array, (uint32_t)length, length);
	if (element == NULL)
		return -1;
	if (length > 0)
		memcpy(element, bytes, length);
	return 0;
}

int pg_array_bytes(struct pg_array *array, const void *bytes, size_t length)
{
	assert(array->type == PG_TEXT || array->type == PG_BYTEA || (array->type == PG_UUID && length == 16));
	return array_put(array, bytes, length);
}

int pg_array_text(struct pg_array *array, const char *text)
{
	assert(array->type == PG_TEXT);
	return text == NULL ? pg_array_null(array) : array_put(array, text, strlen(text));
}

int pg_array_int(struct pg_array *array, int64_t value)
{
	uint8_t bytes[8];
	pg_put_int8(bytes, value);
	switch (array->type) {
	case PG_BOOL:
		assert(value == 0 || value == 1);
		return array_put(array, bytes + 7, 1);
	case PG_INT2:
		assert(value >= INT16_MIN && value <= INT16_MAX);
		return array_put(array, bytes + 6, 2);
	case PG_INT4:
		assert(value >= INT32_MIN && value <= INT32_MAX);
		return array_put(array, bytes + 4, 4);
	default:
		assert(array->type == PG_INT8);
		return array_put(array, bytes, 8);
	}
}

int pg_array_time(struct pg_array *array, int64_t microseconds)
{
	assert(array->type == PG_TIMESTAMPTZ);
	uint8_t bytes[8];
	pg_put_time(bytes, microseconds);
	return array_put(array, bytes, sizeof bytes);
}

bool pg_bool(const char *value, int length)
{
	assert(length == 1);
	return value[0] != 0;
}

int64_t pg_int(const char *value, int length)
{
	assert(length == 2 || length == 4 || length == 8);
	const uint8_t *bytes = (const uint8_t *)value;
	uint64_t number = bytes[0] & 0x80 ? UINT64_MAX : 0; /* the sign, upwards */
	for (int i = 0; i < length; i++)
		number = number << 8 | bytes[i];
	return (int64_t)number;
}

int64_t pg_time(const char *value, int length)
{
	assert(length == 8);
	int64_t since_2000 = pg_int(value, length);
	if (since_2000 == INT64_MIN)
		return INT64_MIN;
	int64_t since_1970;
	if (__builtin_add_overflow(since_2000, POSTGRES_EPOCH, &since_1970))
		return INT64_MAX;
	return since_1970;
}

void pg_put_int8(uint8_t out[8], int64_t value)
{
	put_u32(out, (uint32_t)((uint64_t)value >> 32));
	put_u32(out + 4, (uint32_t)(uint64_t)value);
}

void pg_put_time(uint8_t out[8], int64_t microseconds)
{
	int64_t since_2000;
	if (microseconds == INT64_MAX)
		since_2000 = INT64_MAX;
	else if (__builtin_sub_overflow(microseconds, POSTGRES_EPOCH, &since_2000))
		since_2000 = INT64_MIN;
	pg_put_int8(out, since_2000);
}
