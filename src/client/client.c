#include <needtoknow/client.h>

#include "base/memory.h"
#include "client/endpoint.h"
#include "client/status.h"

#include <needtoknow/methods.h>

#include <stdbool.h>
#include <string.h>

#define CALL_TIMEOUT_MS 30000

struct needtoknow_client {
	struct endpoint endpoint;
	int64_t call_timeout; /* microseconds */
	struct arena *arena; /* of the last response */

	/* The call that is running. */
	struct channel_call *call; /* NULL: none */
	const ProtobufCMessageDescriptor *type; /* of a stream's messages */
	int (*on_message)(void *context, const ProtobufCMessage *message);
	int (*on_bytes)(void *context, const uint8_t *bytes, size_t length);
	void *context;
	struct needtoknow_status *status;
	const uint8_t *response;
	size_t response_length;
	bool interrupted; /* before a call was running */
};

static void finish(struct needtoknow_client *client)
{
	client->call = NULL;
	loop_stop(client->endpoint.loop);
}

static void on_interrupt(void *context)
{
	struct needtoknow_client *client = context;

	if (client->call == NULL) {
		client->interrupted = true;
		return;
	}
	channel_cancel(client->call);
	client_status_set(client->status, NEEDTOKNOW_CANCELLED, NULL, "interrupted");
	finish(client);
}

struct needtoknow_client *needtoknow_client_new(
	const struct needtoknow_options *options, struct needtoknow_status *status)
{
	struct needtoknow_client *client = mem_calloc(1, sizeof *client);
	uint32_t timeout_ms = options->call_timeout_ms != 0 ? options->call_timeout_ms : CALL_TIMEOUT_MS;

	client->call_timeout = (int64_t)timeout_ms * 1000;
	if (endpoint_init(&client->endpoint, options, on_interrupt, client, status) != 0) {
		mem_free(client);
		return NULL;
	}
	return client;
}

void needtoknow_client_free(struct needtoknow_client *client)
{
	if (client == NULL)
		return;
	endpoint_release(&client->endpoint);
	arena_free(client->arena);
	mem_free(client);
}

static void on_done(void *context, const struct channel_reply *reply)
{
	struct needtoknow_client *client = context;

	*client->status = *reply->status;
	if (reply->status->code == NEEDTOKNOW_OK && reply->length > 0) {
		uint8_t *copy = arena_memdup(client->arena, reply->message, reply->length);
		client->response = copy;
		client->response_length = reply->length;
		if (copy == NULL)
			client_status_set(client->status, NEEDTOKNOW_RESOURCE_EXHAUSTED, NEEDTOKNOW_REASON_BAD_ANSWER,
				"the answer needs too much memory");
	}
	finish(client);
}

static void end_stream(struct needtoknow_client *client)
{
	channel_cancel(client->call);
	finish(client);
}

static void on_stream_message(void *context, const uint8_t *bytes, size_t length)
{
	struct needtoknow_client *client = context;
	struct arena *arena = arena_new(ENDPOINT_ARENA_MAX);
	const ProtobufCMessage *message = endpoint_unpack(client->type, bytes, length, arena, client->status);

	if (message != NULL)
		client_status_clear(client->status);
	if (message == NULL || client->on_message(client->context, message) != 0)
		end_stream(client);
	arena_free(arena);
}

static void on_stream_bytes(void *context, const uint8_t *bytes, size_t length)
{
	struct needtoknow_client *client = context;

	client_status_clear(client->status);
	if (client->on_bytes(client->context, bytes, length) != 0)
		end_stream(client);
}

/* Runs one call to its end. 0 or -1. */
static int run(
	struct needtoknow_client *client, const struct channel_request *request, struct needtoknow_status *status)
{
	client_status_clear(status);
	arena_free(client->arena);
	client->arena = arena_new(ENDPOINT_ARENA_MAX);
	client->response = NULL;
	client->response_length = 0;
	client->status = status;
	if (client->interrupted) {
		client->interrupted = false;
		client_status_set(status, NEEDTOKNOW_CANCELLED, NULL, "interrupted");
		return -1;
	}
	client->call = channel_start(client->endpoint.channel, request);
	if (loop_run(client->endpoint.loop) != 0 && client->call != NULL) {
		channel_cancel(client->call);
		client->call = NULL;
		client_status_set(status, NEEDTOKNOW_INTERNAL, NULL, "the event loop failed");
	}
	client->status = NULL;
	return status->code == NEEDTOKNOW_OK ? 0 : -1;
}

int needtoknow_call_bytes(struct needtoknow_client *client, const char *path, const uint8_t *request, size_t length,
	const uint8_t **response, size_t *response_length, struct needtoknow_status *status)
{
	const struct channel_request unary = {
		.path = path,
		.message = request,
		.length = length,
		.timeout = client->call_timeout,
		.done = on_done,
		.context = client,
	};

	if (run(client, &unary, status) != 0)
		return -1;
	*response = client->response;
	*response_length = client->response_length;
	return 0;
}

int needtoknow_call(struct needtoknow_client *client, const struct needtoknow_method *method,
	const ProtobufCMessage *request, const ProtobufCMessage **response, struct needtoknow_status *status)
{
	size_t length = protobuf_c_message_get_packed_size(request);
	uint8_t *bytes = mem_alloc(length + 1);
	const uint8_t *answer;
	size_t answer_length;

	protobuf_c_message_pack(request, bytes);
	int result = needtoknow_call_bytes(client, method->path, bytes, length, &answer, &answer_length, status);
	mem_free(bytes);
	if (result != 0)
		return -1;
	const ProtobufCMessage *message =
		endpoint_unpack(method->response, answer, answer_length, client->arena, status);
	if (message == NULL)
		return -1;
	if (response != NULL)
		*response = message;
	return 0;
}

int needtoknow_stream_bytes(struct needtoknow_client *client, const char *path, const uint8_t *request, size_t length,
	int (*on_message)(void *context, const uint8_t *bytes, size_t length), void *context,
	struct needtoknow_status *status)
{
	const struct channel_request stream = {
		.path = path,
		.message = request,
		.length = length,
		.on_message = on_stream_bytes,
		.done = on_done,
		.context = client,
	};

	client->on_bytes = on_message;
	client->context = context;
	return run(client, &stream, status);
}

int needtoknow_stream(struct needtoknow_client *client, const struct needtoknow_method *method,
	const ProtobufCMessage *request, int (*on_message)(void *context, const ProtobufCMessage *message),
	void *context, struct needtoknow_status *status)
{
	size_t length = protobuf_c_message_get_packed_size(request);
	uint8_t *bytes = mem_alloc(length + 1);
	const struct channel_request stream = {
		.path = method->path,
		.message = bytes,
		.length = length,
		.on_message = on_stream_message,
		.done = on_done,
		.context = client,
	};

	protobuf_c_message_pack(request, bytes);
	client->type = method->response;
	client->on_message = on_message;
	client->context = context;
	int result = run(client, &stream, status);
	mem_free(bytes);
	return result;
}

void needtoknow_client_interrupt(struct needtoknow_client *client)
{
	endpoint_wake(&client->endpoint);
}
