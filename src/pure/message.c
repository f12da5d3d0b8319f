#include "pure/message.h"

#include "pure/identifier.h"

#include <stdbool.h>
#include <string.h>

/* protobuf-c recurses as deep as the bytes nest; no message of ours is deeper than a few. */
#define DEPTH_MAX 32

/* https://protobuf.dev/programming-guides/encoding: 3 and 4 are groups, which proto3 does not have. */
enum wire_type {
	WIRE_VARINT = 0,
	WIRE_64 = 1,
	WIRE_LENGTH = 2,
	WIRE_32 = 5
};

struct reader {
	const uint8_t *at, *end;
};

/* Where in a message we are. */
struct path {
	const struct path *parent;
	const char *name;
	unsigned depth;
};

struct check {
	struct arena *arena; /* NULL: nobody asks which field */
	const char *field; /* what is wrong with MESSAGE_BAD_TEXT */
};

static enum message_result check_message(
	struct check *check, const ProtobufCMessageDescriptor *type, struct reader reader, const struct path *path);

static bool read_varint(struct reader *reader, uint64_t *out)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 70; shift += 7) {
		if (reader->at == reader->end)
			return false;
		uint8_t byte = *reader->at++;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*out = value;
			return true;
		}
	}
	return false;
}

/* Cuts the next `length` bytes off into *inside. */
static bool read_bytes(struct reader *reader, uint64_t length, struct reader *inside)
{
	if (length > (uint64_t)(reader->end - reader->at))
		return false;
	*inside = (struct reader){ reader->at, reader->at + length };
	reader->at = inside->end;
	return true;
}

/* Cuts one value off; *inside is what a WIRE_LENGTH holds. */
static bool read_value(struct reader *reader, enum wire_type wire, struct reader *inside)
{
	uint64_t number;
	switch (wire) {
	case WIRE_VARINT:
		return read_varint(reader, &number);
	case WIRE_64:
		return read_bytes(reader, 8, inside);
	case WIRE_32:
		return read_bytes(reader, 4, inside);
	case WIRE_LENGTH:
		return read_varint(reader, &number) && read_bytes(reader, number, inside);
	}
	return false;
}

static enum wire_type wire_type_of(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		return WIRE_32;
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return WIRE_64;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_MESSAGE:
		return WIRE_LENGTH;
	default:
		return WIRE_VARINT;
	}
}

static const char *path_text(struct arena *arena, const struct path *path)
{
	if (path->parent == NULL)
		return arena_strdup(arena, path->name);
	const char *parent = path_text(arena, path->parent);
	return parent != NULL ? arena_printf(arena, "%s.%s", parent, path->name) : NULL;
}

static enum message_result check_text(struct check *check, struct reader text, const struct path *path)
{
	size_t length = (size_t)(text.end - text.at);
	if (length == 0 || (utf8_valid(text.at, length) && memchr(text.at, '\0', length) == NULL))
		return MESSAGE_OK;
	if (check->arena == NULL)
		return MESSAGE_BAD_TEXT;
	check->field = path_text(check->arena, path);
	return check->field != NULL ? MESSAGE_BAD_TEXT : MESSAGE_TOO_LARGE;
}

/* Numbers of a repeated field, one after the other in one value. */
static enum message_result check_packed(struct reader numbers, enum wire_type wire)
{
	struct reader ignored;
	while (numbers.at < numbers.end)
		if (!read_value(&numbers, wire, &ignored))
			return MESSAGE_MALFORMED;
	return MESSAGE_OK;
}

static enum message_result check_field(struct check *check, const ProtobufCFieldDescriptor *field, enum wire_type wire,
	struct reader inside, const struct path *parent)
{
	const struct path path = { parent, field->name, parent != NULL ? parent->depth + 1 : 1 };
	enum wire_type expected = wire_type_of(field);
	if (wire == expected) {
		if (field->type == PROTOBUF_C_TYPE_STRING)
			return check_text(check, inside, &path);
		if (field->type == PROTOBUF_C_TYPE_MESSAGE)
			return check_message(check, field->descriptor, inside, &path);
		return MESSAGE_OK;
	}
	if (wire == WIRE_LENGTH && field->label == PROTOBUF_C_LABEL_REPEATED)
		return check_packed(inside, expected);
	return MESSAGE_MALFORMED;
}

static enum message_result check_message(
	struct check *check, const ProtobufCMessageDescriptor *type, struct reader reader, const struct path *path)
{
	if (path != NULL && path->depth > DEPTH_MAX)
		return MESSAGE_MALFORMED;
	while (reader.at < reader.end) {
		uint64_t tag;
		if (!read_varint(&reader, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
			return MESSAGE_MALFORMED;
		enum wire_type wire = (enum wire_type)(tag & 7);
		struct reader inside = { 0 };
		if (!read_value(&reader, wire, &inside))
			return MESSAGE_MALFORMED;
		const ProtobufCFieldDescriptor *field =
			protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
		if (field == NULL)
			continue;
		enum message_result result = check_field(check, field, wire, inside, path);
		if (result != MESSAGE_OK)
			return result;
	}
	return MESSAGE_OK;
}

bool message_well_formed(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t length)
{
	struct check check = { 0 };
	struct reader reader = { 0 };
	if (length > 0)
		reader = (struct reader){ bytes, bytes + length };
	return check_message(&check, type, reader, NULL) == MESSAGE_OK;
}

struct allocation {
	struct arena *arena;
	bool refused;
};

static void *allocate(void *data, size_t size)
{
	struct allocation *allocation = data;
	void *memory = arena_alloc(allocation->arena, size);
	if (memory == NULL)
		allocation->refused = true;
	return memory;
}

/* All of it goes with the arena. */
static void release(void *data, void *memory)
{
	(void)data;
	(void)memory;
}

enum message_result message_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t length,
	struct arena *arena, ProtobufCMessage **out, const char **field)
{
	struct check check = { .arena = arena };
	struct reader reader = { 0 };
	if (length > 0)
		reader = (struct reader){ bytes, bytes + length };
	enum message_result result = check_message(&check, type, reader, NULL);
	if (result == MESSAGE_BAD_TEXT)
		*field = check.field;
	if (result != MESSAGE_OK)
		return result;

	struct allocation allocation = { .arena = arena };
	ProtobufCAllocator allocator = { .alloc = allocate, .free = release, .allocator_data = &allocation };
	ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, length, bytes);
	if (message == NULL)
		return allocation.refused ? MESSAGE_TOO_LARGE : MESSAGE_MALFORMED;
	*out = message;
	return MESSAGE_OK;
}
