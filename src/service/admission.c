#include "service/admission.h"

#include "base/log.h"
#include "pure/time.h"
#include "service/callers.h"
#include "service/service_internal.h"
#include "service/train.h"

#include <inttypes.h>

#define COMPLAIN_INTERVAL (10 * TIME_SECOND)
#define RETRY_AFTER_MS 1000 /* where nothing says how long it will take */
#define GOLDEN UINT32_C(2654435769) /* of 2^32: multiples of it lie evenly, however many there are */

/* They must not all come back at the same moment: between once and twice as long. */
static uint32_t spread(struct admission *admission, uint32_t milliseconds)
{
	uint64_t share = admission->told++ * GOLDEN;
	return milliseconds + (uint32_t)(milliseconds * (share & UINT32_MAX) >> 32);
}

static void refuse(struct service *service, struct server_stream *stream, uint32_t milliseconds, const char *message)
{
	server_stream_finish(stream,
		&(struct status){ .code = GRPC_RESOURCE_EXHAUSTED,
			.reason = "OVERLOADED",
			.message = message,
			.retry_after_ms = spread(&service->admission, milliseconds) });
}

/* One recipient, auditor or other caller must not take what all share: a tenth of the calls is each one's at most. The
 * booking system and the company's own desks have no such bound. */
static bool caller_has_too_many(const struct service *service, const struct server_stream *stream)
{
	const struct identity *caller = server_stream_identity(stream);
	if (caller->role != ROLE_RECIPIENT && caller->role != ROLE_AUDITOR)
		return false;
	return callers_count(service->callers, caller->name) >= service->settled.limits.max_calls / 10;
}

static void complain(struct service *service, int64_t waited)
{
	int64_t now = loop_now(service->loop);
	train_count_shed(service->train);
	if (service->admission.complained_at && now - service->admission.complained_at < COMPLAIN_INTERVAL)
		return;
	service->admission.complained_at = now;
	log_warning("service",
		"overloaded: new requests wait for %" PRId64 " ms and are refused until those that came before are "
		"done; %" PRIu64 " so far",
		waited / 1000, train_counters(service->train)->shed);
}

/* Whoever asks for something new. */
static bool is_new(const struct method *method)
{
	return method->board && method->train_class == TRAIN_SHARE;
}

/* A fifth is kept for those who acknowledge, confirm and end. */
static bool is_full(const struct service *service, const struct method *method)
{
	uint32_t most = service->settled.limits.max_calls;
	return service->calls >= (is_new(method) ? most - most / 5 : most);
}

bool admission_refuses(struct service *service, struct server_stream *stream, const struct method *method)
{
	if (is_full(service, method) || caller_has_too_many(service, stream)) {
		refuse(service, stream, RETRY_AFTER_MS, "too many calls at once; try again");
		return true;
	}
	if (!service->train || !is_new(method))
		return false;
	int64_t waited = train_waited(service->train, TRAIN_SHARE);
	if (waited <= service->settled.limits.max_wait_ms * INT64_C(1000))
		return false;
	complain(service, waited);
	refuse(service, stream, (uint32_t)(waited / 1000),
		"more is asked for than can be recorded in time; nothing was begun; try again when "
		"grpc-retry-pushback-ms is over");
	return true;
}
