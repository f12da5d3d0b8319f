#ifndef NEEDTOKNOW_PURE_PROTOBUF_H
#define NEEDTOKNOW_PURE_PROTOBUF_H

#include <stddef.h>
#include <stdint.h>

/*
 * Walks the fields of a serialized message where they stand
 * (https://protobuf.dev/programming-guides/encoding). For readers of many messages that want a few fields of each:
 * nothing is copied, and nothing is checked but that the fields end where the message does.
 */
enum protobuf_type {
	PROTOBUF_VARINT = 0,
	PROTOBUF_FIXED64 = 1,
	PROTOBUF_BYTES = 2, /* bytes, a string, a message */
	PROTOBUF_FIXED32 = 5,
};

struct protobuf_field {
	uint32_t number;
	enum protobuf_type type;
	uint64_t value; /* of VARINT, FIXED64 and FIXED32 */
	const uint8_t *bytes; /* of BYTES; they point into the message */
	size_t length;
};

/* The field at *at, which is moved past it. 1; 0 at the end; -1: no message. */
int protobuf_next(const uint8_t **at, const uint8_t *end, struct protobuf_field *out);

#endif
