#include "rpc/request.h"

#include "pure/identifier.h"
#include "pure/secret.h"
#include "pure/time.h"
#include "service/service.h"

#include <stdio.h>
#include <string.h>

#define PAGE_DEFAULT 100
#define PAGE_MAX 1000

bool request_refuse(struct call *call, const char *reason, const char *field, const char *message)
{
	call_refuse(call,
		&(struct status){ .code = GRPC_INVALID_ARGUMENT,
			.reason = reason,
			.message = message,
			.metadata = { { field ? "field" : NULL, field } } });
	return false;
}

bool request_identifier(struct call *call, const char *field, const char *value)
{
	if (identifier_valid(value, strlen(value)))
		return true;
	call_refuse_identifier(call, field);
	return false;
}

bool request_uuid(struct call *call, const char *field, const char *value, uint8_t out[16])
{
	if (!request_identifier(call, field, value))
		return false;
	if (!uuid_parse(value, strlen(value), out))
		return true;
	/* A well-formed identifier that is nobody's: found nowhere, rather than malformed. */
	memset(out, 0, 16);
	return true;
}

bool request_time(struct call *call, const char *field, const Google__Protobuf__Timestamp *value, int64_t *out)
{
	if (!time_from_timestamp(value, out))
		return true;
	return request_refuse(call, "BAD_TIMESTAMP", field,
		"a time must lie between the years 1 and 9999, its nanoseconds between 0 and 999999999");
}

bool request_text(struct call *call, const char *field, const char *value, size_t maximum)
{
	size_t length = strlen(value);
	bool good = length <= maximum;
	for (size_t i = 0; good && i < length; i++)
		good = (unsigned char)value[i] >= ' ' ? value[i] != 0x7f : value[i] == '\n' || value[i] == '\t';
	if (good)
		return true;
	return request_refuse(call, "BAD_TEXT", field,
		arena_printf(
			call->arena, "%s is at most %zu bytes of UTF-8 without control characters", field, maximum));
}

bool request_page_size(struct call *call, int32_t value, int32_t *out)
{
	if (value < 0)
		return request_refuse(call, "BAD_PAGE_SIZE", "page_size",
			"page_size must not be negative; 0 takes the default of 100");
	*out = value == 0 ? PAGE_DEFAULT : value > PAGE_MAX ? PAGE_MAX : value;
	return true;
}

bool request_enum(struct call *call, const char *field, const ProtobufCEnumDescriptor *type, int value)
{
	if (value != 0 && protobuf_c_enum_descriptor_get_value(type, value))
		return true;
	return request_refuse(call, "BAD_ENUM", field,
		arena_printf(call->arena, "%s must be one of the values of %s", field, type->short_name));
}

/* The caller and the method are part of what a token is bound to. */
static size_t full_scope(struct call *call, const void *scope, size_t length, char **out)
{
	size_t actor = strlen(call->actor) + 1, path = strlen(call->method->path) + 1;
	char *full = call_alloc(call, actor + path + length);
	*out = full;
	if (!full)
		return 0;
	memcpy(full, call->actor, actor);
	memcpy(full + actor, call->method->path, path);
	memcpy(full + actor + path, scope, length);
	return actor + path + length;
}

bool request_page_token(struct call *call, const char *token, const void *scope, size_t scope_length, void *position,
	size_t length, bool *found)
{
	char *full;
	size_t found_length;
	*found = false;
	if (!*token)
		return true;
	size_t full_length = full_scope(call, scope, scope_length, &full);
	if (full_length &&
		!page_token_open(service_secret(call->service, SECRET_PAGE_TOKEN), full, full_length, token, position,
			length, &found_length) &&
		found_length == length) {
		*found = true;
		return true;
	}
	return request_refuse(call, "BAD_PAGE_TOKEN", "page_token",
		"the page token is not one that this listing gave to this caller; start without one");
}

char *reply_page_token(struct call *call, const void *scope, size_t scope_length, const void *position, size_t length)
{
	char token[PAGE_TOKEN_MAX], *full;
	size_t full_length = full_scope(call, scope, scope_length, &full);
	if (!full_length ||
		page_token_make(
			service_secret(call->service, SECRET_PAGE_TOKEN), full, full_length, position, length, token))
		return "";
	char *copy = arena_strdup(call->arena, token);
	return copy ? copy : "";
}
