#ifndef NEEDTOKNOW_SERVICE_DISCLOSURE_H
#define NEEDTOKNOW_SERVICE_DISCLOSURE_H

#include "service/call.h"
#include "service/departure.h"
#include "service/rulebook.h"
#include "service/subject.h"

#include <libpq-fe.h>
#include <needtoknow/v1/common.pb-c.h>
#include <needtoknow/v1/ledger.pb-c.h>

/* A disclosure as its row has it. Strings live as long as the call that read it. */
struct disclosure {
	uint8_t id[16];
	const char *booking_id; /* NULL once cleared */
	const char *subject_id; /* likewise */
	const char *recipient_id;
	const char *service;
	int policy_number;
	int state; /* needtoknow.v1.DisclosureState */
	unsigned withheld; /* bit n: release n was refused when it was due */
	unsigned sent, acknowledged; /* bit n */
	int64_t starts_at, ends_at, expires_at, created_at;
	uint64_t shared_index;
};

/* From a row of disclosure_by_id or disclosures_by_*; *now is the time of that reading. */
void disclosure_read(struct call *call, const PGresult *result, int row, struct disclosure *out, int64_t *now);

/* What the policy under which it was shared says of it; NULL when that policy cannot be used. */
const struct rule *disclosure_rule(const struct call *call, const struct disclosure *disclosure);
/* What holds of it now: the same, or what a narrower policy leaves of it. For whatever is still to be sent. */
const struct rule *disclosure_rule_now(const struct call *call, const struct disclosure *disclosure);
/* For its end and its entries, which wait for no database of the company's: also of a policy that cannot be used any
 * more. NULL when this worker does not know that policy. */
const struct policy_service *disclosure_service(const struct call *call, const struct disclosure *disclosure);
/* The earlier of what was promised and what that rule says. */
int64_t disclosure_expires_at(const struct disclosure *disclosure, const struct rule *rule);

/* How one that is in this state ended; EXPIRED for one that is still active by its row. */
Needtoknow__V1__Reason disclosure_ended_reason(int state);

/* When release number `release` is due: its moment, or the sharing when that is later. */
int64_t disclosure_due_at(const struct disclosure *disclosure, const struct policy_release *release);

/* As clients see it at `now`; in the call's arena. NULL when the arena is full (the call has failed). */
Needtoknow__V1__Disclosure *disclosure_message(struct call *call, const struct disclosure *disclosure, int64_t now);
/* Releases that are not of a row yet (Explain), or are; in the call's arena. */
Needtoknow__V1__Release **releases_message(
	struct call *call, const struct disclosure *disclosure, const struct policy_service *service, int64_t now);

Needtoknow__V1__Receipt *receipt_message(struct call *call, const struct recorded *recorded);
Google__Protobuf__Timestamp *timestamp_message(struct call *call, int64_t time);
char *uuid_text(struct call *call, const uint8_t uuid[16]);

/*
 * What an entry says of a disclosure: its ids, service, purpose, basis, expiry, policy, the pseudonym and the reference
 * of the booking where the subject's key still lives. Storage is the caller's and must live until departure_entry().
 */
struct entry_draft {
	Needtoknow__V1__LedgerEntry entry;
	char disclosure_id[37];
	uint8_t booking_ref[32];
	Google__Protobuf__Timestamp expires_at;
	char *fields[POLICY_FIELDS_MAX];
};
void entry_begin(struct entry_draft *draft, const struct call *call, Needtoknow__V1__EntryKind kind);
void entry_disclosure(struct entry_draft *draft, const struct call *call, const struct disclosure *disclosure,
	const struct subject *subject);
void entry_service(struct entry_draft *draft, const struct policy_service *service);
void entry_release(struct entry_draft *draft, const struct policy_release *release);

#endif
