#include "rpc/methods.h"
#include "rpc/request.h"
#include "service/departure.h"
#include "service/disclosure.h"
#include "service/rulebook.h"
#include "service/service.h"

#include <needtoknow/v1/registry.pb-c.h>

#include <stdio.h>
#include <string.h>

/* RegistryService's methods about the policy. */

/* ---- GetPolicy ---- */

static enum step_result policy_reply(struct call *call)
{
	const struct rules *rules = rulebook_in_force(service_rulebook(call->service));
	Needtoknow__V1__GetPolicyResponse response = NEEDTOKNOW__V1__GET_POLICY_RESPONSE__INIT;
	size_t length;
	if (!rules)
		return call_refuse(call,
			&(struct status){ .code = GRPC_UNAVAILABLE,
				.reason = "POLICY_UNAVAILABLE",
				.message = "no policy is in force" });
	const char *text = policy_text(rules_policy(rules), &length);
	response.digest.data = (uint8_t *)policy_digest(rules_policy(rules));
	response.digest.len = 32;
	response.text = arena_printf(call->arena, "%.*s", (int)length, text);
	if (!response.text)
		return call_refuse(call,
			&(struct status){ .code = GRPC_RESOURCE_EXHAUSTED,
				.message = "the policy is too large for a call's memory" });
	return call_reply(call, &response.base);
}

const struct method registry_get_policy = {
	.path = "/needtoknow.v1.RegistryService/GetPolicy",
	.role = ROLE_ADMIN,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__get_policy_request__descriptor,
	.steps = { policy_reply },
};

/* ---- ReloadPolicy: the file that was approved, and no other ---- */

#define APPROVED_BY_MAX 500

struct reload {
	bool told;
	enum policy_order_result result;
	uint8_t digest[32];
	bool has_digest;
	struct recorded recorded;
	const char *why;
};

static void reload_told(void *context, const struct policy_ordered *what)
{
	struct call *call = context;
	struct reload *reload = call->state;
	reload->told = true;
	reload->result = what->result;
	reload->has_digest = what->digest != NULL;
	if (what->digest)
		memcpy(reload->digest, what->digest, sizeof reload->digest);
	if (what->recorded)
		reload->recorded = *what->recorded;
	reload->why = arena_strdup(call->arena, what->why);
	call_run(call); /* nothing when it is told from within its own step */
}

static enum step_result reload_decode(struct call *call)
{
	const Needtoknow__V1__ReloadPolicyRequest *request = (const Needtoknow__V1__ReloadPolicyRequest *)call->request;
	struct reload *reload = call_alloc(call, sizeof *reload);
	if (request->expected_digest.len != 32) {
		request_refuse(call, "BAD_DIGEST", "expected_digest",
			"expected_digest must be the 32 bytes of the file's SHA-256; needtoknow policy check prints "
			"it");
		return STEP_DONE;
	}
	if (!request_text(call, "approved_by", request->approved_by, APPROVED_BY_MAX))
		return STEP_DONE;
	if (!request->approved_by[0]) {
		request_refuse(call, "BAD_TEXT", "approved_by", "approved_by must say who approved the policy");
		return STEP_DONE;
	}
	call->state = reload;
	return STEP_NEXT;
}

static enum step_result reload_order(struct call *call)
{
	const Needtoknow__V1__ReloadPolicyRequest *request = (const Needtoknow__V1__ReloadPolicyRequest *)call->request;
	const struct policy_order order = { .expected = request->expected_digest.data,
		.actor = call->actor,
		.approved_by = request->approved_by,
		.done = reload_told,
		.context = call };
	if (rulebook_order(service_rulebook(call->service), &order) != 0)
		return call_refuse(call,
			&(struct status){ .code = GRPC_ABORTED,
				.reason = "RELOAD_UNDER_WAY",
				.message = "the policy is being reloaded already; try again" });
	return STEP_NEXT;
}

/* What the file is instead, in hexadecimal digits. */
static enum step_result refuse_other(struct call *call, const struct reload *reload)
{
	char digest[65];
	for (size_t i = 0; i < sizeof reload->digest; i++)
		snprintf(digest + 2 * i, 3, "%02x", reload->digest[i]);
	return call_refuse(call,
		&(struct status){ .code = GRPC_FAILED_PRECONDITION,
			.reason = "DIGEST_MISMATCH",
			.message = "the policy file is not the one that was approved; the policy in force stays",
			.metadata = { { "digest", digest } } });
}

static enum step_result reload_reply(struct call *call)
{
	const struct reload *reload = call->state;
	Needtoknow__V1__ReloadPolicyResponse response = NEEDTOKNOW__V1__RELOAD_POLICY_RESPONSE__INIT;
	if (!reload->told)
		return STEP_WAIT;
	switch (reload->result) {
	case POLICY_ORDER_OTHER:
		return refuse_other(call, reload);
	case POLICY_ORDER_REFUSED:
		return call_refuse(call,
			&(struct status){ .code = GRPC_FAILED_PRECONDITION,
				.reason = "POLICY_REFUSED",
				.message = reload->why ? reload->why : "" });
	case POLICY_ORDER_UNAVAILABLE:
		return call_refuse(call,
			&(struct status){ .code = GRPC_UNAVAILABLE,
				.reason = "POLICY_UNAVAILABLE",
				.message = reload->why ? reload->why : "" });
	case POLICY_ORDER_ACTIVATED:
		response.receipt = receipt_message(call, &reload->recorded);
		break;
	case POLICY_ORDER_IN_FORCE:
		break;
	}
	response.digest.data = (uint8_t *)reload->digest;
	response.digest.len = sizeof reload->digest;
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

static void reload_release(struct call *call)
{
	rulebook_order_forget(service_rulebook(call->service), call);
}

const struct method registry_reload_policy = {
	.path = "/needtoknow.v1.RegistryService/ReloadPolicy",
	.role = ROLE_ADMIN,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__reload_policy_request__descriptor,
	.steps = { reload_decode, reload_order, reload_reply },
	.release = reload_release,
};
