#include "pure/grpc.h"

#include "base/memory.h"

#include <assert.h>
#include <google/protobuf/any.pb-c.h>
#include <google/rpc/error_details.pb-c.h>
#include <google/rpc/status.pb-c.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum grpc_frame_result grpc_frame_parse(const uint8_t *bytes, size_t length, size_t maximum, const uint8_t **message,
	size_t *message_length, size_t *consumed)
{
	if (length == 0)
		return GRPC_FRAME_NONE;
	if (bytes[0] > 1)
		return GRPC_FRAME_BAD_FLAG;
	if (bytes[0] == 1)
		return GRPC_FRAME_COMPRESSED;
	if (length < GRPC_PREFIX_LENGTH)
		return GRPC_FRAME_NONE;

	size_t announced = (size_t)bytes[1] << 24 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 8 | bytes[4];
	if (announced > maximum)
		return GRPC_FRAME_TOO_LARGE;
	if (length - GRPC_PREFIX_LENGTH < announced)
		return GRPC_FRAME_NONE;
	*message = bytes + GRPC_PREFIX_LENGTH;
	*message_length = announced;
	*consumed = GRPC_PREFIX_LENGTH + announced;
	return GRPC_FRAME_MESSAGE;
}

void grpc_frame_prefix(uint8_t out[GRPC_PREFIX_LENGTH], uint32_t length)
{
	out[0] = 0;
	for (unsigned i = 0; i < 4; i++)
		out[1 + i] = (uint8_t)(length >> (24 - 8 * i));
}

int grpc_timeout_parse(const char *text, size_t length, int64_t *microseconds)
{
	static const struct {
		char unit;
		int64_t microseconds;
	} units[] = {
		{ 'H', INT64_C(3600000000) },
		{ 'M', INT64_C(60000000) },
		{ 'S', INT64_C(1000000) },
		{ 'm', INT64_C(1000) },
		{ 'u', INT64_C(1) },
	};
	if (length < 2 || length > 9)
		return -1;
	int64_t value = 0;
	for (size_t i = 0; i < length - 1; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}

	char unit = text[length - 1];
	if (unit == 'n') {
		value = (value + 999) / 1000; /* upwards: a deadline is not shortened */
	} else {
		size_t i = 0;
		while (i < sizeof units / sizeof *units && units[i].unit != unit)
			i++;
		if (i == sizeof units / sizeof *units)
			return -1;
		value *= units[i].microseconds; /* eight digits of hours are far from the end of an int64_t */
	}
	*microseconds = value > 0 ? value : 1;
	return 0;
}

int grpc_content_type_check(const char *text, size_t length)
{
	static const char type[] = "application/grpc";
	const size_t type_length = sizeof type - 1;
	if (length < type_length || strncasecmp(text, type, type_length) != 0)
		return -1;
	return length == type_length || text[type_length] == '+' || text[type_length] == ';' ? 0 : -1;
}

/* A space at either end would be no field value of HTTP/2 (RFC 9113 section 8.2.1). */
static bool needs_escape(const char *text, const char *at)
{
	unsigned char byte = (unsigned char)*at;
	if (byte == ' ')
		return at == text || at[1] == '\0';
	return byte < 0x20 || byte > 0x7e || byte == '%';
}

int grpc_message_encode(const char *text, struct buffer *out)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t length = 0;
	for (const char *at = text; *at != '\0'; at++)
		length += needs_escape(text, at) ? 3 : 1;
	uint8_t *end = buffer_reserve(out, length);
	if (end == NULL)
		return -1;
	for (const char *at = text; *at != '\0'; at++) {
		if (needs_escape(text, at)) {
			*end++ = '%';
			*end++ = (uint8_t)digits[(unsigned char)*at >> 4];
			*end++ = (uint8_t)digits[(unsigned char)*at & 15];
		} else {
			*end++ = (uint8_t)*at;
		}
	}
	buffer_commit(out, length);
	return 0;
}

/* Base64 without padding, as gRPC has it in headers whose name ends in -bin. */
static int append_base64(struct buffer *out, const uint8_t *bytes, size_t length)
{
	assert(length < INT32_MAX);
	size_t padded = (length + 2) / 3 * 4;
	uint8_t *end = buffer_reserve(out, padded + 1); /* and the NUL that OpenSSL adds */
	if (end == NULL)
		return -1;
	EVP_EncodeBlock(end, bytes, (int)length);
	buffer_commit(out, (length * 4 + 2) / 3);
	return 0;
}

/* protobuf-c never writes through the strings of a message that it packs. */
static char *unconst(const char *text)
{
	return (char *)(uintptr_t)text;
}

/* A packed ErrorInfo; freed by mem_free(). */
static ProtobufCBinaryData error_info_pack(const struct status *status)
{
	Google__Rpc__ErrorInfo__MetadataEntry entries[STATUS_METADATA_MAX];
	Google__Rpc__ErrorInfo__MetadataEntry *pointers[STATUS_METADATA_MAX];
	size_t count = 0;
	for (; count < STATUS_METADATA_MAX && status->metadata[count].key != NULL; count++) {
		google__rpc__error_info__metadata_entry__init(&entries[count]);
		entries[count].key = unconst(status->metadata[count].key);
		entries[count].value = unconst(status->metadata[count].value);
		pointers[count] = &entries[count];
	}
	Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
	info.reason = unconst(status->reason);
	info.domain = unconst("needtoknow");
	info.metadata = pointers;
	info.n_metadata = count;

	ProtobufCBinaryData packed = { .len = google__rpc__error_info__get_packed_size(&info) };
	packed.data = mem_alloc(packed.len);
	google__rpc__error_info__pack(&info, packed.data);
	return packed;
}

int grpc_status_details(const struct status *status, struct buffer *out)
{
	Google__Rpc__Status message = GOOGLE__RPC__STATUS__INIT;
	message.code = (int32_t)status->code;
	if (status->message != NULL)
		message.message = unconst(status->message);

	Google__Protobuf__Any detail = GOOGLE__PROTOBUF__ANY__INIT;
	Google__Protobuf__Any *details[] = { &detail };
	if (status->reason != NULL) {
		detail.type_url = unconst("type.googleapis.com/google.rpc.ErrorInfo");
		detail.value = error_info_pack(status);
		message.details = details;
		message.n_details = 1;
	}

	size_t length = google__rpc__status__get_packed_size(&message);
	uint8_t *packed = mem_alloc(length);
	google__rpc__status__pack(&message, packed);
	int result = append_base64(out, packed, length);
	mem_free(packed);
	mem_free(detail.value.data);
	return result;
}
