#include "pure/protobuf.h"

#define VARINT_BYTES_MAX 10

static int read_varint(const uint8_t **at, const uint8_t *end, uint64_t *out)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < VARINT_BYTES_MAX && *at < end; i++) {
		uint8_t byte = *(*at)++;
		value |= (uint64_t)(byte & 0x7F) << (7 * i);
		if (byte < 0x80) {
			*out = value;
			return 0;
		}
	}
	return -1;
}

static int read_fixed(const uint8_t **at, const uint8_t *end, unsigned width, uint64_t *out)
{
	uint64_t value = 0;

	if ((size_t)(end - *at) < width)
		return -1;
	for (unsigned i = 0; i < width; i++)
		value |= (uint64_t)(*at)[i] << (8 * i);
	*at += width;
	*out = value;
	return 0;
}

static int read_bytes(const uint8_t **at, const uint8_t *end, struct protobuf_field *field)
{
	uint64_t length;

	if (read_varint(at, end, &length) != 0 || length > (uint64_t)(end - *at))
		return -1;
	field->bytes = *at;
	field->length = (size_t)length;
	*at += length;
	return 0;
}

int protobuf_next(const uint8_t **at, const uint8_t *end, struct protobuf_field *out)
{
	struct protobuf_field field = { 0 };
	uint64_t key;
	int result;

	if (*at == end)
		return 0;
	if (read_varint(at, end, &key) != 0 || key > UINT32_MAX || key >> 3 == 0)
		return -1;
	field.number = (uint32_t)(key >> 3);
	field.type = (enum protobuf_type)(key & 7);
	switch (field.type) {
	case PROTOBUF_VARINT:
		result = read_varint(at, end, &field.value);
		break;
	case PROTOBUF_FIXED64:
		result = read_fixed(at, end, 8, &field.value);
		break;
	case PROTOBUF_FIXED32:
		result = read_fixed(at, end, 4, &field.value);
		break;
	case PROTOBUF_BYTES:
		result = read_bytes(at, end, &field);
		break;
	default:
		return -1;
	}
	if (result != 0)
		return -1;
	*out = field;
	return 1;
}
