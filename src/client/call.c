#include "client/call.h"

#include "base/memory.h"
#include "client/status.h"
#include "pure/grpc.h"

#include <assert.h>
#include <inttypes.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <string.h>

/* As RFC 9113 section 6.5.2 counts; what we say in SETTINGS_MAX_HEADER_LIST_SIZE and nghttp2 does not hold a peer to.
 */
#define HEADER_BYTES_MAX 16384
#define HEADER_OVERHEAD 32

void call_list_append(struct call_list *list, struct channel_call *call)
{
	call->previous = list->last;
	call->next = NULL;
	if (list->last != NULL)
		list->last->next = call;
	else
		list->first = call;
	list->last = call;
	list->count++;
}

void call_list_prepend(struct call_list *list, struct channel_call *call)
{
	call->previous = NULL;
	call->next = list->first;
	if (list->first != NULL)
		list->first->previous = call;
	else
		list->last = call;
	list->first = call;
	list->count++;
}

void call_list_remove(struct call_list *list, struct channel_call *call)
{
	assert(list->count > 0);
	if (call->previous != NULL)
		call->previous->next = call->next;
	else
		list->first = call->next;
	if (call->next != NULL)
		call->next->previous = call->previous;
	else
		list->last = call->previous;
	call->previous = call->next = NULL;
	list->count--;
}

struct channel_call *call_new(const struct channel_request *request, size_t max_message)
{
	struct channel_call *call;

	assert(request->length <= UINT32_MAX);
	call = mem_alloc(sizeof *call + GRPC_PREFIX_LENGTH + request->length);
	memset(call, 0, sizeof *call);
	call->path = request->path;
	call->on_message = request->on_message;
	call->done = request->done;
	call->context = request->context;
	call->streaming = request->on_message != NULL;
	call->max_message = max_message;
	call->deadline = INT64_MAX;
	call->grpc_status = -1;
	call->frame_length = GRPC_PREFIX_LENGTH + request->length;
	grpc_frame_prefix(call->frame, (uint32_t)request->length);
	if (request->length > 0)
		memcpy(call->frame + GRPC_PREFIX_LENGTH, request->message, request->length);
	buffer_init(&call->body, max_message + GRPC_PREFIX_LENGTH);
	return call;
}

void call_free(struct channel_call *call)
{
	if (call == NULL)
		return;
	buffer_release(&call->body);
	mem_free(call->status);
	mem_free(call);
}

void call_rewind(struct channel_call *call)
{
	assert(!call->answered);
	call->wire = NULL;
	call->stream = 0;
	call->sent = 0;
	call->unsent = false;
}

static struct needtoknow_status *call_status(struct channel_call *call)
{
	if (call->status == NULL) {
		call->status = mem_alloc(sizeof *call->status);
		client_status_clear(call->status);
	}
	return call->status;
}

int call_header(struct channel_call *call, const char *name, size_t name_length, const char *value, size_t value_length)
{
#define IS(literal) (name_length == sizeof literal - 1 && memcmp(name, literal, sizeof literal - 1) == 0)
	call->answered = true;
	call->header_bytes += name_length + value_length + HEADER_OVERHEAD;
	if (call->header_bytes > HEADER_BYTES_MAX) {
		client_status_set(call_status(call), NEEDTOKNOW_INTERNAL, NEEDTOKNOW_REASON_BAD_ANSWER,
			"the answer's headers are larger than %d bytes", HEADER_BYTES_MAX);
		call->broken = true;
		return -1;
	}
	if (IS(":status") && value_length == 3) /* nghttp2 has seen that these are three digits */
		call->http_status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
	else if (IS("content-type"))
		call->is_grpc = grpc_content_type_check(value, value_length) == 0;
	else if (IS("grpc-status"))
		call->grpc_status = client_status_code(value, value_length);
	else if (IS("grpc-message"))
		client_status_message(call_status(call), value, value_length);
	else if (IS("grpc-status-details-bin"))
		client_status_details(call_status(call), value, value_length);
	return 0;
#undef IS
}

static int call_break(struct channel_call *call, enum grpc_frame_result result)
{
	struct needtoknow_status *status = call_status(call);

	call->broken = true;
	if (result == GRPC_FRAME_TOO_LARGE)
		client_status_set(status, NEEDTOKNOW_RESOURCE_EXHAUSTED, NEEDTOKNOW_REASON_BAD_ANSWER,
			"the answer is larger than %zu bytes: ask for smaller pages", call->max_message);
	else if (result == GRPC_FRAME_COMPRESSED)
		client_status_set(status, NEEDTOKNOW_INTERNAL, NEEDTOKNOW_REASON_BAD_ANSWER,
			"the answer is compressed, which nobody asked for");
	else
		client_status_set(status, NEEDTOKNOW_INTERNAL, NEEDTOKNOW_REASON_BAD_ANSWER,
			"the answer is not framed as gRPC frames it");
	return -1;
}

/* Gives every whole message in `bytes` to on_message(), until the call is cancelled there. How many bytes they took, or
 * -1. */
static ssize_t give_messages(struct channel_call *call, const uint8_t *bytes, size_t length)
{
	size_t taken = 0;

	while (call->done != NULL) {
		const uint8_t *message;
		size_t message_length, consumed;
		enum grpc_frame_result result = grpc_frame_parse(
			bytes + taken, length - taken, call->max_message, &message, &message_length, &consumed);
		if (result == GRPC_FRAME_NONE)
			break;
		if (result != GRPC_FRAME_MESSAGE)
			return call_break(call, result);
		taken += consumed;
		call->on_message(call->context, message, message_length);
	}
	return (ssize_t)taken;
}

int call_data(struct channel_call *call, const uint8_t *bytes, size_t length)
{
	call->answered = true;
	if (call->done == NULL || call->broken) /* cancelled: the rest is dropped */
		return 0;
	if (call->streaming && call->body.length == 0) { /* the usual case: whole messages, not copied */
		ssize_t taken = give_messages(call, bytes, length);
		if (taken < 0)
			return -1;
		bytes += taken;
		length -= (size_t)taken;
		if (call->done == NULL || length == 0)
			return 0;
		return buffer_append(&call->body, bytes, length) == 0 ? 0 : call_break(call, GRPC_FRAME_TOO_LARGE);
	}
	/* A chunk may hold the end of one message and more behind it, so it goes in by pieces that fit. */
	while (length > 0) {
		size_t room = call->body.maximum - call->body.length;
		size_t piece = length < room ? length : room;
		if (piece == 0)
			return call_break(call, GRPC_FRAME_TOO_LARGE);
		buffer_append(&call->body, bytes, piece);
		bytes += piece;
		length -= piece;
		if (!call->streaming)
			continue;
		ssize_t taken = give_messages(call, call->body.data, call->body.length);
		if (taken < 0)
			return -1;
		buffer_consume(&call->body, (size_t)taken);
		if (call->done == NULL)
			return 0;
	}
	return 0;
}

/* Exactly one whole message must have come. */
static void unary_outcome(
	struct channel_call *call, struct needtoknow_status *status, const uint8_t **message, size_t *length)
{
	size_t consumed;
	enum grpc_frame_result result =
		grpc_frame_parse(call->body.data, call->body.length, call->max_message, message, length, &consumed);

	if (result == GRPC_FRAME_MESSAGE && consumed == call->body.length)
		return;
	if (result == GRPC_FRAME_NONE || result == GRPC_FRAME_MESSAGE) {
		client_status_set(status, NEEDTOKNOW_INTERNAL, NEEDTOKNOW_REASON_BAD_ANSWER,
			"the answer does not hold exactly one message");
		return;
	}
	call_break(call, result);
	*status = *call->status;
}

void call_outcome(struct channel_call *call, uint32_t http2_error, struct needtoknow_status *status,
	const uint8_t **message, size_t *length)
{
	if (call->broken) {
		*status = *call->status;
		return;
	}
	if (!call->ended && call->grpc_status < 0) {
		client_status_set(status, client_status_from_reset(http2_error), NULL,
			"the server reset the stream (HTTP/2 error %" PRIu32 ")", http2_error);
		return;
	}
	if (call->grpc_status > 0) {
		if (call->status != NULL)
			*status = *call->status;
		else
			client_status_clear(status);
		status->code = call->grpc_status;
		return;
	}
	if (call->http_status != 200) {
		client_status_set(status, client_status_from_http(call->http_status), NEEDTOKNOW_REASON_BAD_ANSWER,
			"the answer is HTTP %d, not gRPC: is this the address of needtoknow?", call->http_status);
		return;
	}
	if (!call->is_grpc || call->grpc_status < 0) {
		client_status_set(status, NEEDTOKNOW_UNKNOWN, NEEDTOKNOW_REASON_BAD_ANSWER, "the answer has no %s",
			call->is_grpc ? "grpc-status" : "content-type of gRPC");
		return;
	}
	client_status_clear(status);
	if (!call->streaming)
		unary_outcome(call, status, message, length);
	else if (call->body.length > 0)
		client_status_set(status, NEEDTOKNOW_INTERNAL, NEEDTOKNOW_REASON_BAD_ANSWER,
			"the stream ended in the middle of a message");
}

bool call_refused(uint32_t http2_error)
{
	return http2_error == NGHTTP2_REFUSED_STREAM;
}

void call_timeout_format(int64_t microseconds, char out[CALL_TIMEOUT_TEXT])
{
	static const struct {
		int64_t divisor;
		char unit;
	} units[] = { { 1, 'u' }, { 1000, 'm' }, { 1000000, 'S' } };
	size_t i = 0;

	if (microseconds < 1)
		microseconds = 1;
	while (i < 2 && microseconds / units[i].divisor >= 99999999)
		i++;
	int64_t value = (microseconds - 1) / units[i].divisor + 1;
	if (value > 99999999)
		value = 99999999;
	snprintf(out, CALL_TIMEOUT_TEXT, "%" PRId64 "%c", value, units[i].unit);
}
