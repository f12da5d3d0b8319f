#ifndef NEEDTOKNOW_RPC_NOTIFICATION_H
#define NEEDTOKNOW_RPC_NOTIFICATION_H

#include "pure/policy.h"
#include "service/call.h"

#include <needtoknow/v1/rights.pb-c.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * GDPR art. 19: who was told of a rectification, an erasure or a restriction, when, and what it answered. Nothing is
 * kept for it: it is what the orders to delete, the sendings and the notices of restriction say. All of it is in the
 * call's arena.
 */
struct notifications;

/* Asks; NULL when the call has failed. They are in when call->awaited is 0. */
struct notifications *notifications_ask(struct call *call, const char *subject_id);
/* Then, newest first. The call may have failed. */
Needtoknow__V1__RecipientNotification **notifications_messages(
	struct call *call, struct notifications *notifications, size_t *count);

/* Did a release, as it was sent, carry one of these columns, a line each? `left_out`: bit n, field n was not sent. */
bool column_carried(const struct policy_release *release, uint64_t left_out, const char *columns);

#endif
