#ifndef NEEDTOKNOW_SERVICE_REFUSAL_H
#define NEEDTOKNOW_SERVICE_REFUSAL_H

#include "service/call.h"
#include "service/departure.h"

#include <needtoknow/v1/ledger.pb-c.h>

/* Answers with a rule's refusal: its status, reason and what to do; with the entry's index when it is one (P9). */
enum step_result refusal_reply(struct call *call, Needtoknow__V1__Reason reason, const struct recorded *recorded);

/*
 * A method was called by another role: the call is refused and ends. An entry, committed before the answer, but at most
 * once a minute a caller, so that nobody fills the ledger by asking.
 */
void role_refused(struct call *call);

#endif
