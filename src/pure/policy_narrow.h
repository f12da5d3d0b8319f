#ifndef NEEDTOKNOW_PURE_POLICY_NARROW_H
#define NEEDTOKNOW_PURE_POLICY_NARROW_H

#include "base/arena.h"
#include "pure/policy.h"

/*
 * What is left of the rule under which something was shared once a narrower one is in force: what both let through, no
 * sooner than both. Its releases are `shared`'s, number for number, with the fields that are left (perhaps none) as
 * `in_force` names them; its expiry is `in_force`'s, to be heeded beside the one that was promised.
 *
 * `in_force` is that policy's service of the same name, NULL when it has none any more. NULL when it is not narrower
 * (policy_service_is_narrower()): the rule stays as it was. The result lives as long as the arena and both policies;
 * the arena must be large enough, as it is when each of a service's fields takes a hundred bytes.
 */
const struct policy_service *policy_narrow(
	const struct policy_service *shared, const struct policy_service *in_force, struct arena *arena);

/* Bit n: field n of a release as it was shared is not in what is left of it. */
uint64_t release_left_out(const struct policy_release *shared, const struct policy_release *left);

#endif
