#ifndef NEEDTOKNOW_PURE_MESSAGE_H
#define NEEDTOKNOW_PURE_MESSAGE_H

#include "base/arena.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Protobuf messages from outside. protobuf-c checks no UTF-8 and cuts a string at an embedded NUL, so every string is
 * looked at before it is unpacked.
 */
enum message_result {
	MESSAGE_OK,
	MESSAGE_MALFORMED, /* not a protobuf message of this type: INTERNAL */
	MESSAGE_BAD_TEXT, /* a string is not UTF-8 or has a NUL in it: INVALID_ARGUMENT, BAD_IDENTIFIER, *field names it
			   */
	MESSAGE_TOO_LARGE, /* needs more memory than the arena gives: RESOURCE_EXHAUSTED */
};

/* On success *out lives in the arena. *field (a dotted path, in the arena) is set with MESSAGE_BAD_TEXT alone. */
enum message_result message_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t length,
	struct arena *arena, ProtobufCMessage **out, const char **field);

/* Would it unpack? Costs no memory. */
bool message_well_formed(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t length);

#endif
