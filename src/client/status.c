#include "client/status.h"

#include "base/arena.h"
#include "base/memory.h"
#include "pure/identifier.h"
#include "pure/message.h"
#include "pure/status.h"

#include <google/rpc/error_details.pb-c.h>
#include <google/rpc/status.pb-c.h>
#include <nghttp2/nghttp2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Room for what 8 KiB of headers can hold once decoded. */
#define DETAILS_MEMORY 65536

const char *needtoknow_status_name(int code)
{
	return grpc_code_name(code);
}

const char *needtoknow_status_metadata(const struct needtoknow_status *status, const char *key)
{
	for (size_t i = 0; i < status->metadata_count; i++) {
		if (strcmp(status->metadata[i].key, key) == 0)
			return status->metadata[i].value;
	}
	return NULL;
}

int needtoknow_status_transient(const struct needtoknow_status *status)
{
	switch (status->code) {
	case NEEDTOKNOW_CANCELLED:
	case NEEDTOKNOW_UNKNOWN:
	case NEEDTOKNOW_DEADLINE_EXCEEDED:
	case NEEDTOKNOW_RESOURCE_EXHAUSTED:
	case NEEDTOKNOW_ABORTED:
	case NEEDTOKNOW_UNAVAILABLE:
		return 1;
	case NEEDTOKNOW_INTERNAL: /* a stream that was cut in the middle looks so; an answer that is none of ours does
				     not mend */
		return strcmp(status->reason, NEEDTOKNOW_REASON_BAD_ANSWER) != 0;
	default:
		return 0;
	}
}

void client_status_clear(struct needtoknow_status *status)
{
	status->code = NEEDTOKNOW_OK;
	status->message[0] = '\0';
	status->reason[0] = '\0';
	status->metadata_count = 0;
}

/* Copies as much as fits, cut where a character starts. */
static void copy_text(char *out, size_t size, const char *text, size_t length)
{
	if (length >= size) {
		length = size - 1;
		while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
			length--;
	}
	memcpy(out, text, length);
	out[length] = '\0';
}

void client_status_set(struct needtoknow_status *status, int code, const char *reason, const char *format, ...)
{
	char text[sizeof status->message * 2];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	client_status_clear(status);
	status->code = code;
	copy_text(status->message, sizeof status->message, text, strlen(text));
	if (reason != NULL)
		copy_text(status->reason, sizeof status->reason, reason, strlen(reason));
}

int client_status_code(const char *text, size_t length)
{
	int code = 0;

	if (length == 0 || length > 2)
		return GRPC_UNKNOWN;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return GRPC_UNKNOWN;
		code = code * 10 + (text[i] - '0');
	}
	return code <= GRPC_UNAUTHENTICATED ? code : GRPC_UNKNOWN;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

void client_status_message(struct needtoknow_status *status, const char *text, size_t length)
{
	char decoded[sizeof status->message * 2];
	size_t count = 0;

	for (size_t i = 0; i < length && count < sizeof decoded; i++) {
		int high = text[i] == '%' && i + 2 < length ? hex_digit(text[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
		char c = text[i];
		if (low >= 0) {
			c = (char)(high << 4 | low);
			i += 2;
		}
		decoded[count++] = c == '\0' ? '?' : c;
	}
	copy_text(status->message, sizeof status->message, decoded, count);
	if (!utf8_valid(status->message, strlen(status->message))) {
		for (char *c = status->message; *c != '\0'; c++) {
			if ((unsigned char)*c >= 0x80)
				*c = '?';
		}
	}
}

static int base64_digit(char c)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = c == '\0' ? NULL : strchr(alphabet, c);

	return found != NULL ? (int)(found - alphabet) : -1;
}

/* `out` has room for length * 3 / 4 bytes. 0 or -1. */
static int base64_decode(const char *text, size_t length, uint8_t *out, size_t *out_length)
{
	uint32_t bits = 0;
	unsigned count = 0;
	size_t written = 0;

	while (length > 0 && text[length - 1] == '=')
		length--;
	if (length % 4 == 1)
		return -1;
	for (size_t i = 0; i < length; i++) {
		int digit = base64_digit(text[i]);
		if (digit < 0)
			return -1;
		bits = bits << 6 | (uint32_t)digit;
		count += 6;
		if (count >= 8) {
			count -= 8;
			out[written++] = (uint8_t)(bits >> count);
		}
	}
	*out_length = written;
	return 0;
}

static void take_error_info(struct needtoknow_status *status, const Google__Rpc__ErrorInfo *info)
{
	copy_text(status->reason, sizeof status->reason, info->reason, strlen(info->reason));
	status->metadata_count = 0;
	for (size_t i = 0; i < info->n_metadata && i < NEEDTOKNOW_METADATA_MAX; i++) {
		struct needtoknow_metadata *to = &status->metadata[status->metadata_count++];
		copy_text(to->key, sizeof to->key, info->metadata[i]->key, strlen(info->metadata[i]->key));
		copy_text(to->value, sizeof to->value, info->metadata[i]->value, strlen(info->metadata[i]->value));
	}
}

void client_status_details(struct needtoknow_status *status, const char *text, size_t length)
{
	static const char error_info_type[] = "/google.rpc.ErrorInfo";
	struct arena *arena = arena_new(DETAILS_MEMORY);
	ProtobufCMessage *message;
	const char *field;
	size_t byte_count;
	uint8_t *bytes = length > 0 ? arena_alloc(arena, length) : NULL;

	if (bytes == NULL || base64_decode(text, length, bytes, &byte_count) != 0)
		goto out;
	if (message_unpack(&google__rpc__status__descriptor, bytes, byte_count, arena, &message, &field) != MESSAGE_OK)
		goto out;
	const Google__Rpc__Status *details = (const Google__Rpc__Status *)message;
	for (size_t i = 0; i < details->n_details; i++) {
		const Google__Protobuf__Any *any = details->details[i];
		const char *slash = strrchr(any->type_url, '/');
		if (slash == NULL || strcmp(slash, error_info_type) != 0)
			continue;
		if (message_unpack(&google__rpc__error_info__descriptor, any->value.data, any->value.len, arena,
			    &message, &field) == MESSAGE_OK)
			take_error_info(status, (const Google__Rpc__ErrorInfo *)message);
		break;
	}
out:
	arena_free(arena);
}

int client_status_from_http(int http_status)
{
	switch (http_status) {
	case 400:
		return GRPC_INTERNAL;
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_UNKNOWN;
	}
}

int client_status_from_reset(uint32_t http2_error)
{
	switch (http2_error) {
	case NGHTTP2_REFUSED_STREAM:
		return GRPC_UNAVAILABLE;
	case NGHTTP2_CANCEL:
		return GRPC_CANCELLED;
	case NGHTTP2_ENHANCE_YOUR_CALM:
		return GRPC_RESOURCE_EXHAUSTED;
	case NGHTTP2_INADEQUATE_SECURITY:
		return GRPC_PERMISSION_DENIED;
	default:
		return GRPC_INTERNAL;
	}
}
