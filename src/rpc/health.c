#include "rpc/methods.h"
#include "service/service.h"

#include <grpc/health/v1/health.pb-c.h>

#include <string.h>

/* grpc.health.v1.Health: of the whole server (""), and of each service, which all stand and fall together. */
static const char *const services[] = {
	"",
	"needtoknow.v1.SharingService",
	"needtoknow.v1.DeliveryService",
	"needtoknow.v1.AuditService",
	"needtoknow.v1.RegistryService",
};
#define SERVICE_COUNT (sizeof services / sizeof *services)

#define STATUS(name) GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##name
typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus serving_status;

static serving_status current(const struct call *call)
{
	return service_state(call->service) == SERVICE_SERVING ? STATUS(SERVING) : STATUS(NOT_SERVING);
}

static bool known(const char *name)
{
	for (size_t i = 0; i < SERVICE_COUNT; i++)
		if (!strcmp(services[i], name))
			return true;
	return false;
}

static enum step_result check_reply(struct call *call)
{
	const Grpc__Health__V1__HealthCheckRequest *request =
		(const Grpc__Health__V1__HealthCheckRequest *)call->request;
	Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
	if (!known(request->service))
		return call_refuse(
			call, &(struct status){ .code = GRPC_NOT_FOUND, .message = "there is no such service here" });
	response.status = current(call);
	return call_reply(call, &response.base);
}

const struct method health_check = {
	.path = "/grpc.health.v1.Health/Check",
	.kind = SERVER_METHOD_UNARY,
	.input = &grpc__health__v1__health_check_request__descriptor,
	.steps = { check_reply },
};

static enum step_result list_reply(struct call *call)
{
	Grpc__Health__V1__HealthListResponse response = GRPC__HEALTH__V1__HEALTH_LIST_RESPONSE__INIT;
	Grpc__Health__V1__HealthCheckResponse status = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
	Grpc__Health__V1__HealthListResponse__StatusesEntry entries[SERVICE_COUNT], *pointers[SERVICE_COUNT];
	status.status = current(call);
	for (size_t i = 0; i < SERVICE_COUNT; i++) {
		grpc__health__v1__health_list_response__statuses_entry__init(&entries[i]);
		entries[i].key = (char *)services[i];
		entries[i].value = &status;
		pointers[i] = &entries[i];
	}
	response.n_statuses = SERVICE_COUNT;
	response.statuses = pointers;
	return call_reply(call, &response.base);
}

const struct method health_list = {
	.path = "/grpc.health.v1.Health/List",
	.kind = SERVER_METHOD_UNARY,
	.input = &grpc__health__v1__health_list_request__descriptor,
	.steps = { list_reply },
};

/* ---- Watch: the status now, and whenever it changes ---- */

struct watch {
	bool known, sent;
	serving_status last;
};

static enum step_result watch_open(struct call *call)
{
	const Grpc__Health__V1__HealthCheckRequest *request =
		(const Grpc__Health__V1__HealthCheckRequest *)call->request;
	struct watch *watch = call_alloc(call, sizeof *watch);
	if (!watch)
		return STEP_NEXT;
	watch->known = known(request->service);
	call->state = watch;
	service_watch(call);
	return STEP_NEXT;
}

static enum step_result watch_tell(struct call *call)
{
	struct watch *watch = call->state;
	Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
	uint8_t bytes[16];
	response.status = watch->known ? current(call) : STATUS(SERVICE_UNKNOWN);
	if (!call->stream || (watch->sent && response.status == watch->last))
		return STEP_WAIT;
	watch->sent = true;
	watch->last = response.status;
	size_t length = grpc__health__v1__health_check_response__pack(&response, bytes);
	server_stream_send(call->stream, bytes, length);
	if (service_state(call->service) != SERVICE_DRAINING)
		return STEP_WAIT;
	return call_refuse(call,
		&(struct status){ .code = GRPC_UNAVAILABLE,
			.reason = "DRAINING",
			.message = "the service is being restarted; connect again" });
}

static void watch_close(struct call *call)
{
	service_unwatch(call);
}

const struct method health_watch = {
	.path = "/grpc.health.v1.Health/Watch",
	.kind = SERVER_METHOD_UNARY,
	.input = &grpc__health__v1__health_check_request__descriptor,
	.steps = { watch_open, watch_tell },
	.release = watch_close,
};
