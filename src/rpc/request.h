#ifndef NEEDTOKNOW_RPC_REQUEST_H
#define NEEDTOKNOW_RPC_REQUEST_H

#include "service/call.h"

#include <google/protobuf/timestamp.pb-c.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What every method looks at first. Each returns true when it is good; else the call has been answered INVALID_ARGUMENT
 * and the step returns STEP_DONE.
 */

/* 1 to 128 bytes of UTF-8 without control characters (BAD_IDENTIFIER). */
bool request_identifier(struct call *call, const char *field, const char *value);
/* A disclosure's id in its one form (BAD_IDENTIFIER). */
bool request_uuid(struct call *call, const char *field, const char *value, uint8_t out[16]);
/* Any time that RFC 3339 can write; absent is TIME_NONE (BAD_TIMESTAMP). */
bool request_time(struct call *call, const char *field, const Google__Protobuf__Timestamp *value, int64_t *out);
/* Text for people: UTF-8 was looked at, at most `maximum` bytes, no control characters but tab and line feed
 * (BAD_TEXT). */
bool request_text(struct call *call, const char *field, const char *value, size_t maximum);
/* AIP-158: 0 is the default, too large is lowered, negative is refused (BAD_PAGE_SIZE). */
bool request_page_size(struct call *call, int32_t value, int32_t *out);
/* An enum's number that is defined and not 0 (BAD_ENUM). */
bool request_enum(struct call *call, const char *field, const ProtobufCEnumDescriptor *type, int value);
/* Answers INVALID_ARGUMENT with this reason; always false. */
bool request_refuse(struct call *call, const char *reason, const char *field, const char *message);

/*
 * Page tokens (AIP-158): opaque, bound to the caller, the method and what is listed. `scope` names what is listed; the
 * position is `length` bytes. An empty token is the first page: *found is false.
 */
bool request_page_token(struct call *call, const char *token, const void *scope, size_t scope_length, void *position,
	size_t length, bool *found);
/* In the call's arena; "" when the arena is full. */
char *reply_page_token(struct call *call, const void *scope, size_t scope_length, const void *position, size_t length);

#endif
