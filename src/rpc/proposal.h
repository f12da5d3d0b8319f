#ifndef NEEDTOKNOW_RPC_PROPOSAL_H
#define NEEDTOKNOW_RPC_PROPOSAL_H

#include "pure/decision.h"
#include "rpc/repeat.h"
#include "service/disclosure.h"
#include "service/rulebook.h"
#include "service/subject.h"

/*
 * What somebody wants to be shared: who is to get what of whom, for which booking, when. Share, Explain, Reschedule and
 * Reassign ask, gather and decide in this one way; what they write differs.
 */
struct proposal {
	const char *booking_id, *subject_id, *recipient_id, *service;
	int64_t starts_at, ends_at;
	const uint8_t *disclosure_id; /* that it would change, 16 bytes; NULL: none */
	struct repeat repeat;

	const struct rule *rule; /* NULL: the policy has no such service */
	struct share_facts facts;
	struct subject subject;
	int64_t read_at;
	struct source_answer subject_row, booking_row, consent_row;

	Needtoknow__V1__Reason refused;
	struct recorded recorded; /* the refusal's entry, or the disclosure's */
};

/* Asks for the recipient, rights in force and the request id, and whether the sources know the subject and the booking.
 * Declares what it reads, when the method boards. */
void proposal_ask(struct call *call, struct proposal *proposal, const struct rule *rule);
/* Afterwards, in a step of its own: STEP_NEXT when all that decides is in. A refusal that needs no source does not wait
 * for one. */
enum step_result proposal_gather(struct call *call, struct proposal *proposal);

/* In the train, at its time. True: it is allowed. False: it is refused, and the refusal is aboard. */
bool proposal_decide(struct call *call, struct departure *departure, struct proposal *proposal);
/* Likewise, what the caller found: the refusal is aboard. */
void proposal_refuse(
	struct call *call, struct departure *departure, struct proposal *proposal, Needtoknow__V1__Reason reason);
/* Allowed, and new: its SHARED entry, its row and what is due of it. *out is the disclosure. */
void proposal_board(struct call *call, struct departure *departure, struct proposal *proposal, struct disclosure *out);

/* After the commit of a new one: whoever waits for it is told. */
void proposal_shared(struct call *call, const struct disclosure *disclosure);

/* The policy in force, for what is decided now; true: *out is it, and what was asked before is disregarded. False: the
 * call waits for it (*result) or has been answered that there is none. */
bool proposal_rules(struct call *call, const struct rules **out, enum step_result *result);

#endif
