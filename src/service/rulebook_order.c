#include "service/rulebook_internal.h"

#include "service/service.h"

#include <stdio.h>
#include <string.h>
#include <utlist.h>

/* ---- calls that wait until it is known what is in force ---- */

/* A call that waits, in its memory. */
struct waiter {
	struct call *call;
	struct waiter *next, *prev;
};

static struct waiter *find_waiter(struct rulebook *rulebook, const struct call *call)
{
	struct waiter *waiter;
	DL_SEARCH_SCALAR(rulebook->waiting, waiter, call, call);
	return waiter;
}

bool rulebook_is_current(struct rulebook *rulebook, struct call *call)
{
	if (rulebook_is_known(rulebook))
		return true;
	if (find_waiter(rulebook, call))
		return false;
	struct waiter *waiter = call_alloc(call, sizeof *waiter);
	if (!waiter)
		return true; /* the call has failed */
	waiter->call = call;
	DL_APPEND(rulebook->waiting, waiter);
	return false;
}

void rulebook_leave(struct call *call)
{
	struct rulebook *rulebook = service_rulebook(call->service);
	struct waiter *waiter = find_waiter(rulebook, call);
	if (waiter)
		DL_DELETE(rulebook->waiting, waiter);
}

void rulebook_release_waiting(struct rulebook *rulebook, bool told)
{
	struct waiter *waiter;
	int count;
	DL_COUNT(rulebook->waiting, waiter, count);
	for (; count > 0 && rulebook->waiting; count--) {
		waiter = rulebook->waiting;
		struct call *call = waiter->call;
		DL_DELETE(rulebook->waiting, waiter);
		if (!told)
			call_fail(call, GRPC_UNAVAILABLE, "POLICY_UNAVAILABLE",
				"another policy was put in force, and this worker does not have it yet; try again");
		call_run(call);
	}
}

/* ---- a reload that somebody asked for ---- */

void rulebook_finish_order(struct rulebook *rulebook, enum policy_order_result result, const struct policy *policy,
	const struct recorded *recorded, const char *why)
{
	if (!rulebook->ordered)
		return;
	rulebook->ordered = false;
	if (rulebook->order.done)
		rulebook->order.done(rulebook->order.context,
			&(struct policy_ordered){ .result = result,
				.digest = policy ? policy_digest(policy) : NULL,
				.recorded = recorded,
				.why = why });
}

int rulebook_order(struct rulebook *rulebook, const struct policy_order *order)
{
	if (rulebook->ordered || rulebook->order_waits)
		return -1;
	rulebook->order = *order;
	rulebook->order_waits = true;
	memcpy(rulebook->expected, order->expected, sizeof rulebook->expected);
	snprintf(rulebook->actor, sizeof rulebook->actor, "%s", order->actor);
	snprintf(rulebook->approved_by, sizeof rulebook->approved_by, "%s", order->approved_by);
	rulebook_look_again(rulebook);
	return 0;
}

void rulebook_order_forget(struct rulebook *rulebook, const void *context)
{
	if ((rulebook->ordered || rulebook->order_waits) && rulebook->order.context == context)
		rulebook->order.done = NULL;
}
