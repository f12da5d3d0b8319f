/* What a peer puts into a gRPC frame and its headers. */
#include "pure/grpc.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void frames(const uint8_t *data, size_t size)
{
	enum {
		MAXIMUM = 1000
	};
	while (size > 0) {
		const uint8_t *message;
		size_t length, consumed;
		if (grpc_frame_parse(data, size, MAXIMUM, &message, &length, &consumed) != GRPC_FRAME_MESSAGE)
			return;
		assert(message == data + GRPC_PREFIX_LENGTH && length <= MAXIMUM &&
			consumed == GRPC_PREFIX_LENGTH + length && consumed <= size);
		uint8_t prefix[GRPC_PREFIX_LENGTH];
		grpc_frame_prefix(prefix, (uint32_t)length);
		assert(memcmp(prefix, data, sizeof prefix) == 0);
		data += consumed;
		size -= consumed;
	}
}

static uint8_t from_percent(const uint8_t *digits)
{
	return (uint8_t)strtoul((const char[]){ (char)digits[0], (char)digits[1], '\0' }, NULL, 16);
}

/* Printable, and what it stands for is what was given. */
static void message_text(const char *text)
{
	struct buffer out;
	buffer_init(&out, 1 << 20);
	assert(grpc_message_encode(text, &out) == 0);
	size_t at = 0;
	for (; *text != '\0'; text++) {
		assert(out.data[at] >= 0x20 && out.data[at] <= 0x7e);
		bool escaped = out.data[at] == '%';
		assert((uint8_t)*text == (escaped ? from_percent(out.data + at + 1) : out.data[at]));
		at += escaped ? 3 : 1;
	}
	assert(at == out.length);

	const struct status status = {
		.code = GRPC_INTERNAL, .message = text, .reason = text, .metadata = { { "field", text } }
	};
	buffer_clear(&out);
	assert(grpc_status_details(&status, &out) == 0);
	buffer_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	frames(data, size);
	int64_t microseconds;
	if (grpc_timeout_parse((const char *)data, size, &microseconds) == 0)
		assert(microseconds >= 1);
	grpc_content_type_check((const char *)data, size);

	char *text = malloc(size + 1);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	message_text(text);
	free(text);
	return 0;
}
