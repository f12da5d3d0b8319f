#include "service/call.h"

#include "pure/message.h"
#include "service/service.h"
#include "service/train.h"

#include <assert.h>
#include <string.h>

#define REPLY_STACK_BYTES 2048

static struct call *call_create(struct service *service, const struct method *method)
{
	size_t most = service_config(service)->limits.call_memory;
	/* Thousands of streams wait, each with its call. */
	struct arena *arena = method->kind == SERVER_METHOD_ENDLESS ? arena_new_lean(most) : arena_new(most);
	struct call *call = arena_alloc(arena, sizeof *call);
	assert(call);
	call->arena = arena;
	call->service = service;
	call->method = method;
	call->device = "";
	call->name = "";
	return call;
}

struct call *call_new(struct service *service, const struct method *method, struct server_stream *stream)
{
	struct call *call = call_create(service, method);
	const struct identity *caller = server_stream_identity(stream);
	call->stream = stream;
	call->role = caller->role;
	/* Copied: the call may outlive its stream, and its entry names who called. */
	call->actor = arena_strdup(call->arena, caller->uri);
	call->name = arena_strdup(call->arena, caller->name);
	call->device = arena_strdup(call->arena, caller->device);
	server_stream_set_user(stream, call);
	service_enter(service, call->name);
	return call;
}

struct call *call_new_own(struct service *service, const struct method *method)
{
	struct call *call = call_create(service, method);
	call->actor = "system";
	service_enter(service, call->name);
	return call;
}

/* The memory goes when the last reading is back: rows that come late still point here. */
static void call_end(struct call *call)
{
	if (!call->ended) {
		call->ended = true;
		if (call->stream)
			server_stream_set_user(call->stream, NULL);
		call->stream = NULL;
		train_leave(call);
		if (call->method->release)
			call->method->release(call);
		service_leave(call->service, call->name);
	}
	if (call->reads == 0)
		arena_free(call->arena);
}

static enum step_result call_step_failed(struct call *call)
{
	if (call->method->failed)
		call->method->failed(call);
	return call_refuse(call, &call->status);
}

void call_run(struct call *call)
{
	enum step_result result = STEP_NEXT;
	/* Aboard, nothing but the train's arrival moves it: a reading that it no longer needs may fail meanwhile. */
	if (call->running || call->boarding == CALL_ABOARD)
		return;
	call->running = true;
	while (!call->ended && result == STEP_NEXT) {
		if (call->failed) {
			result = call_step_failed(call);
			break;
		}
		assert(call->step < CALL_STEPS_MAX && call->method->steps[call->step]);
		if (call->method->board && call->boarding == CALL_ASHORE && call->step == call->method->again) {
			call->key_count = 0;
			train_reading(call);
		}
		size_t step = call->step;
		result = call->method->steps[step](call);
		/* A step that found its reading too old has moved the call back itself. */
		if (result == STEP_NEXT && call->step == step)
			call->step++;
	}
	call->running = false;
	if (call->ended || result == STEP_DONE)
		call_end(call);
}

void call_abandon(struct call *call)
{
	call_end(call);
}

void call_detach(struct call *call)
{
	call->stream = NULL;
	/* What only reads is of no use to anybody now; what is on its way to the ledger goes on. */
	if (call->boarding == CALL_ASHORE || call->boarding == CALL_WAITING) {
		call_fail(call, GRPC_CANCELLED, NULL, "the client has gone");
		call_run(call);
	}
}

enum step_result call_unpack(struct call *call, const uint8_t *message, size_t length)
{
	ProtobufCMessage *request = NULL;
	const char *field = NULL;
	switch (message_unpack(call->method->input, message, length, call->arena, &request, &field)) {
	case MESSAGE_OK:
		call->request = request;
		return STEP_NEXT;
	case MESSAGE_BAD_TEXT:
		return call_refuse_identifier(call, field);
	case MESSAGE_TOO_LARGE:
		return call_refuse(call,
			&(struct status){ .code = GRPC_RESOURCE_EXHAUSTED,
				.message = "the request needs more memory than a call may take",
				.reason = "REQUEST_TOO_LARGE" });
	case MESSAGE_MALFORMED:
		break;
	}
	return call_refuse(call,
		&(struct status){
			.code = GRPC_INTERNAL, .message = "the request is not a message of the method's type" });
}

enum step_result call_reply(struct call *call, const ProtobufCMessage *message)
{
	uint8_t stack[REPLY_STACK_BYTES];
	if (!call->stream)
		return STEP_DONE;
	size_t size = protobuf_c_message_get_packed_size(message);
	uint8_t *bytes = size <= sizeof stack ? stack : call_alloc(call, size);
	if (!bytes)
		return call_step_failed(call);
	protobuf_c_message_pack(message, bytes);
	return call_reply_bytes(call, bytes, size);
}

enum step_result call_reply_bytes(struct call *call, const uint8_t *message, size_t length)
{
	static const struct status ok = { .code = GRPC_OK };
	if (!call->stream)
		return STEP_DONE;
	server_stream_send(call->stream, message, length);
	server_stream_finish(call->stream, &ok);
	return STEP_DONE;
}

enum step_result call_refuse(struct call *call, const struct status *status)
{
	if (call->stream)
		server_stream_finish(call->stream, status);
	return STEP_DONE;
}

enum step_result call_refuse_identifier(struct call *call, const char *field)
{
	const char *message = arena_printf(call->arena, "%s must be 1 to 128 bytes of UTF-8 without control characters",
		field ? field : "an identifier");
	return call_refuse(call,
		&(struct status){ .code = GRPC_INVALID_ARGUMENT,
			.reason = "BAD_IDENTIFIER",
			.message = message,
			.metadata = { { "field", field ? field : "" } } });
}

enum step_result call_unavailable(struct call *call, const char *reason)
{
	return call_refuse(call,
		&(struct status){ .code = GRPC_UNAVAILABLE,
			.reason = reason,
			.message = "a database that this needs does not answer; try again" });
}

void call_fail(struct call *call, enum grpc_code code, const char *reason, const char *message)
{
	if (call->failed)
		return;
	call->failed = true;
	call->status = (struct status){ .code = code, .reason = reason, .message = message };
}

void call_key(struct call *call, enum key_kind kind, const void *id, size_t length, enum key_mode mode)
{
	if (call->key_count == call->key_size) {
		size_t size = call->key_size ? call->key_size * 4 : 8;
		struct key *keys = call_alloc(call, size * sizeof *keys);
		if (!keys)
			return; /* the call has failed: it will not board */
		if (call->key_count)
			memcpy(keys, call->keys, call->key_count * sizeof *keys);
		call->keys = keys;
		call->key_size = size;
	}
	call->keys[call->key_count++] = (struct key){ key_hash(service_keys(call->service), kind, id, length), mode };
}

void call_disregard(struct call *call)
{
	call->generation++;
	call->awaited = 0;
}

void *call_alloc(struct call *call, size_t size)
{
	void *memory = arena_alloc(call->arena, size);
	if (!memory)
		call_fail(call, GRPC_RESOURCE_EXHAUSTED, "CALL_TOO_LARGE",
			"the answer needs more memory than a call may take; ask for less at once");
	return memory;
}
