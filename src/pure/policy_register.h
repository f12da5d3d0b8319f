#ifndef NEEDTOKNOW_PURE_POLICY_REGISTER_H
#define NEEDTOKNOW_PURE_POLICY_REGISTER_H

#include "base/arena.h"
#include "pure/policy.h"

#include <needtoknow/v1/audit.pb-c.h>

/*
 * The record of processing activities, GDPR art. 30(1), as far as the policy alone says it: without who receives now,
 * and without since when it is in force. Lives as long as the arena and the policy. NULL when the arena is full.
 */
Needtoknow__V1__GetRegisterResponse *policy_register(const struct policy *policy, struct arena *arena);

#endif
