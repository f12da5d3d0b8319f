#include "base/buffer.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

#define FIRST_CAPACITY 256

void buffer_init(struct buffer *buffer, size_t maximum)
{
	*buffer = (struct buffer){ .maximum = maximum };
}

void buffer_release(struct buffer *buffer)
{
	mem_free(buffer->memory);
	buffer_init(buffer, buffer->maximum);
}

void buffer_clear(struct buffer *buffer)
{
	buffer_consume(buffer, buffer->length);
}

/* Bytes free behind the unread ones. */
static size_t tail_room(const struct buffer *buffer)
{
	if (buffer->memory == NULL)
		return 0;
	return buffer->capacity - (size_t)(buffer->data - buffer->memory) - buffer->length;
}

static void move_to_front(struct buffer *buffer)
{
	memcpy(buffer->memory, buffer->data, buffer->length);
	mem_wipe(buffer->data, buffer->length);
	buffer->data = buffer->memory;
}

static int grow(struct buffer *buffer, size_t needed)
{
	size_t capacity = buffer->capacity < FIRST_CAPACITY ? FIRST_CAPACITY : buffer->capacity * 2;
	if (capacity / 2 > buffer->maximum)
		capacity = buffer->maximum * 2; /* more is never needed, see buffer_reserve() */
	if (capacity < needed)
		capacity = needed;
	uint8_t *memory = mem_try_alloc(capacity);
	if (memory == NULL)
		return -1;
	if (buffer->length > 0)
		memcpy(memory, buffer->data, buffer->length);
	mem_free(buffer->memory);
	buffer->memory = memory;
	buffer->data = memory;
	buffer->capacity = capacity;
	return 0;
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t length)
{
	if (length > buffer->maximum - buffer->length)
		return NULL;
	if (buffer->memory == NULL || tail_room(buffer) < length) {
		/* Moving no more than was consumed keeps the cost of a byte constant; so a block may be twice the
		 * maximum. */
		size_t consumed = (size_t)(buffer->data - buffer->memory);
		if (buffer->memory != NULL && consumed >= buffer->length && buffer->capacity - buffer->length >= length)
			move_to_front(buffer);
		else if (grow(buffer, buffer->length + length) < 0)
			return NULL;
	}
	return buffer->data + buffer->length;
}

void buffer_commit(struct buffer *buffer, size_t length)
{
	assert(length <= tail_room(buffer) && length <= buffer->maximum - buffer->length);
	buffer->length += length;
}

int buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
	if (length == 0)
		return 0;
	uint8_t *end = buffer_reserve(buffer, length);
	if (end == NULL)
		return -1;
	memcpy(end, bytes, length);
	buffer->length += length;
	return 0;
}

int buffer_append_u8(struct buffer *buffer, uint8_t value)
{
	return buffer_append(buffer, &value, sizeof value);
}

int buffer_append_u16(struct buffer *buffer, uint16_t value)
{
	uint8_t bytes[] = { (uint8_t)(value >> 8), (uint8_t)value };
	return buffer_append(buffer, bytes, sizeof bytes);
}

int buffer_append_u32(struct buffer *buffer, uint32_t value)
{
	uint8_t bytes[4];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(value >> (24 - 8 * i));
	return buffer_append(buffer, bytes, sizeof bytes);
}

int buffer_append_u64(struct buffer *buffer, uint64_t value)
{
	uint8_t bytes[8];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(value >> (56 - 8 * i));
	return buffer_append(buffer, bytes, sizeof bytes);
}

void buffer_consume(struct buffer *buffer, size_t length)
{
	assert(length <= buffer->length);
	mem_wipe(buffer->data, length);
	buffer->length -= length;
	buffer->data = buffer->length > 0 ? buffer->data + length : buffer->memory;
}
