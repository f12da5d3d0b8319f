#ifndef NEEDTOKNOW_BASE_BUFFER_H
#define NEEDTOKNOW_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

/*
 * A growable run of bytes with its maximum given at birth. Bytes are appended at the end and consumed at the front.
 * What is consumed, cleared, moved or released is wiped.
 */
struct buffer {
	uint8_t *data; /* the first unread byte; NULL while nothing was ever appended */
	size_t length; /* unread bytes */
	size_t maximum; /* unread bytes that it will ever hold */
	uint8_t *memory; /* the block; data points into it */
	size_t capacity;
};

void buffer_init(struct buffer *buffer, size_t maximum);
/* Wipes and frees the block; the buffer may be used again as after buffer_init(). */
void buffer_release(struct buffer *buffer);
/* Wipes the bytes, keeps the block. */
void buffer_clear(struct buffer *buffer);

/* 0, or -1 when it would hold more than its maximum (then nothing was appended). */
int buffer_append(struct buffer *buffer, const void *bytes, size_t length);
int buffer_append_u8(struct buffer *buffer, uint8_t value);
/* Big-endian. */
int buffer_append_u16(struct buffer *buffer, uint16_t value);
int buffer_append_u32(struct buffer *buffer, uint32_t value);
int buffer_append_u64(struct buffer *buffer, uint64_t value);

/* Room for `length` bytes at the end, to be filled by the caller and then counted with buffer_commit(). NULL: too much.
 */
uint8_t *buffer_reserve(struct buffer *buffer, size_t length);
void buffer_commit(struct buffer *buffer, size_t length);

/* Drops and wipes the first `length` bytes (at most buffer->length). */
void buffer_consume(struct buffer *buffer, size_t length);

#endif
