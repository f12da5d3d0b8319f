#ifndef NEEDTOKNOW_RPC_RELEASED_H
#define NEEDTOKNOW_RPC_RELEASED_H

#include "pure/policy.h"
#include "service/call.h"

#include <stddef.h>
#include <stdint.h>

/* What the policy under which something was shared says of it, for those who audit. */

/* NULL: the call has failed, since its answer would leave something out (UNAVAILABLE, POLICY_UNAVAILABLE). */
const struct policy_service *released_service(struct call *call, int policy_number, const char *service);

/* The names of a release's fields: one array for all disclosures that have the same. */
struct released_fields {
	const struct policy_release *release;
	uint64_t left_out; /* bit n: not its field n */
	size_t count;
	char **names;
	size_t bytes; /* of them, in a message */
	struct released_fields *next;
};
/* From `*known`, or added to it. NULL: the call has failed. */
const struct released_fields *released_fields(
	struct call *call, struct released_fields **known, const struct policy_release *release, uint64_t left_out);

#endif
