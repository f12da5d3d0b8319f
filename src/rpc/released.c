#include "rpc/released.h"

#include "service/rulebook.h"
#include "service/service.h"

#include <string.h>
#include <utlist.h>

#define FIELD_FRAMING 4 /* tag and length in a message */

const struct policy_service *released_service(struct call *call, int policy_number, const char *service)
{
	const struct policy *policy = rulebook_policy(service_rulebook(call->service), policy_number);
	const struct policy_service *found = policy && service ? policy_service(policy, service) : NULL;
	if (!found)
		call_fail(call, GRPC_UNAVAILABLE, "POLICY_UNAVAILABLE",
			arena_printf(call->arena,
				"policy %d, under which something was shared, cannot be read by this worker, or not "
				"yet; "
				"try again, then look into the service's log",
				policy_number));
	return found;
}

const struct released_fields *released_fields(
	struct call *call, struct released_fields **known, const struct policy_release *release, uint64_t left_out)
{
	struct released_fields *fields;
	LL_FOREACH (*known, fields)
		if (fields->release == release && fields->left_out == left_out)
			return fields;
	fields = call_alloc(call, sizeof *fields);
	char **names = call_alloc(call, (release->field_count + 1) * sizeof *names);
	if (!fields || !names)
		return NULL;
	fields->release = release;
	fields->left_out = left_out;
	fields->names = names;
	for (size_t i = 0; i < release->field_count; i++) {
		if (left_out >> i & 1)
			continue;
		names[fields->count] = (char *)release->fields[i]->name;
		fields->bytes += strlen(names[fields->count++]) + FIELD_FRAMING;
	}
	LL_PREPEND(*known, fields);
	return fields;
}
