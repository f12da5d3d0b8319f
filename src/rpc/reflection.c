#include "rpc/descriptors_index.h"
#include "rpc/methods.h"
#include "service/service.h"

#include <grpc/reflection/v1/reflection.pb-c.h>
#include <grpc/reflection/v1alpha/reflection.pb-c.h>

#include <string.h>

/*
 * grpc.reflection: which services there are and what their messages look like, so that tools need no .proto files. v1
 * and v1alpha are the same on the wire but for their package's name, so one set of types serves both.
 */
typedef Grpc__Reflection__V1__ServerReflectionRequest reflection_request;
typedef Grpc__Reflection__V1__ServerReflectionResponse reflection_response;

_Static_assert(sizeof(Grpc__Reflection__V1__ServerReflectionRequest) ==
		sizeof(Grpc__Reflection__V1alpha__ServerReflectionRequest),
	"v1 and v1alpha are the same messages");

static void send_response(struct call *call, const reflection_request *request, reflection_response *response)
{
	response->valid_host = request->host;
	response->original_request = (reflection_request *)request;
	size_t length = grpc__reflection__v1__server_reflection_response__get_packed_size(response);
	uint8_t *bytes = call_alloc(call, length);
	if (!bytes || !call->stream)
		return;
	grpc__reflection__v1__server_reflection_response__pack(response, bytes);
	server_stream_send(call->stream, bytes, length);
}

static void send_error(struct call *call, const reflection_request *request, enum grpc_code code, const char *message)
{
	reflection_response response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
	Grpc__Reflection__V1__ErrorResponse error = GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;
	error.error_code = (int32_t)code;
	error.error_message = (char *)message;
	response.message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
	response.error_response = &error;
	send_response(call, request, &response);
}

/* A file and all that it imports, so that one answer is enough. */
static void send_file(struct call *call, const reflection_request *request, int file)
{
	reflection_response response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
	Grpc__Reflection__V1__FileDescriptorResponse files = GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
	ProtobufCBinaryData found[DESCRIPTOR_FILES_MAX];
	if (file < 0) {
		send_error(call, request, GRPC_NOT_FOUND, "nothing of that name is defined here");
		return;
	}
	files.file_descriptor_proto = found;
	files.n_file_descriptor_proto = descriptors_with_imports(file, found);
	response.message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
	response.file_descriptor_response = &files;
	send_response(call, request, &response);
}

static void send_services(struct call *call, const reflection_request *request)
{
	reflection_response response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
	Grpc__Reflection__V1__ListServiceResponse list = GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
	size_t count = descriptors_service_count();
	Grpc__Reflection__V1__ServiceResponse *all = call_alloc(call, count * sizeof *all);
	list.service = call_alloc(call, count * sizeof *list.service);
	if (call->failed)
		return;
	for (size_t i = 0; i < count; i++) {
		grpc__reflection__v1__service_response__init(&all[i]);
		all[i].name = arena_strdup(call->arena, descriptors_service_name(i));
		list.service[i] = &all[i];
	}
	list.n_service = count;
	response.message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
	response.list_services_response = &list;
	send_response(call, request, &response);
}

static void answer(struct call *call, const reflection_request *request)
{
	switch (request->message_request_case) {
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
		send_file(call, request, descriptors_file(request->file_by_filename));
		return;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
		send_file(call, request, descriptors_symbol(request->file_containing_symbol));
		return;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
		send_services(call, request);
		return;
	default:
		send_error(call, request, GRPC_NOT_FOUND, "there are no extensions here");
		return;
	}
}

/* A conversation: each request is answered as it comes; the end of the requests ends it. */
static enum step_result reflection_step(struct call *call)
{
	static const struct status ok = { .code = GRPC_OK };
	if (call->request) {
		answer(call, (const reflection_request *)call->request);
		call->request = NULL;
	}
	return call->half_closed ? call_refuse(call, &ok) : STEP_WAIT;
}

const struct method reflection_v1 = {
	.path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
	.kind = SERVER_METHOD_BIDI,
	.input = &grpc__reflection__v1__server_reflection_request__descriptor,
	.steps = { reflection_step },
};

const struct method reflection_v1alpha = {
	.path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
	.kind = SERVER_METHOD_BIDI,
	.input = &grpc__reflection__v1__server_reflection_request__descriptor,
	.steps = { reflection_step },
};
