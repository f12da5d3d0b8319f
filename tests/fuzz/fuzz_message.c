/* Protobuf messages of callers. The first byte chooses the type, the second how much memory there is. */
#include "pure/message.h"

#include <assert.h>
#include <google/rpc/status.pb-c.h>
#include <needtoknow/v1/audit.pb-c.h>
#include <needtoknow/v1/delivery.pb-c.h>
#include <needtoknow/v1/registry.pb-c.h>
#include <needtoknow/v1/sharing.pb-c.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *const types[] = {
	&needtoknow__v1__share_request__descriptor,
	&needtoknow__v1__revoke_request__descriptor,
	&needtoknow__v1__list_entries_request__descriptor,
	&needtoknow__v1__list_entries_response__descriptor,
	&needtoknow__v1__receive_response__descriptor,
	&needtoknow__v1__acknowledge_request__descriptor,
	&needtoknow__v1__confirm_deletion_request__descriptor,
	&needtoknow__v1__put_recipient_request__descriptor,
	&google__rpc__status__descriptor,
};

/* What was unpacked is whole, and packing it gives what unpacks again. */
static void check(const ProtobufCMessageDescriptor *type, const ProtobufCMessage *message, struct arena *arena)
{
	assert(protobuf_c_message_check(message));
	size_t length = protobuf_c_message_get_packed_size(message);
	uint8_t *packed = malloc(length + 1);
	assert(protobuf_c_message_pack(message, packed) == length);
	ProtobufCMessage *again;
	const char *field;
	enum message_result result = message_unpack(type, packed, length, arena, &again, &field);
	assert(result == MESSAGE_OK || result == MESSAGE_TOO_LARGE);
	if (result == MESSAGE_OK)
		assert(protobuf_c_message_get_packed_size(again) == length);
	free(packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	const ProtobufCMessageDescriptor *type = types[data[0] % (sizeof types / sizeof *types)];
	struct arena *arena = arena_new((size_t)data[1] * 256);
	ProtobufCMessage *message;
	const char *field = NULL;
	enum message_result result = message_unpack(type, data + 2, size - 2, arena, &message, &field);
	assert((result == MESSAGE_BAD_TEXT) == (field != NULL));
	if (result == MESSAGE_OK)
		check(type, message, arena);
	arena_free(arena);
	return 0;
}
