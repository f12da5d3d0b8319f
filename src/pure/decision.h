#ifndef NEEDTOKNOW_PURE_DECISION_H
#define NEEDTOKNOW_PURE_DECISION_H

#include "pure/policy.h"
#include "pure/status.h"

#include <needtoknow/v1/ledger.pb-c.h>

/* May this be shared? Pure: all that is known goes in, the first refusal in API.md's order comes out. */

/* What is in force about a subject, from the rights they exercised. Bits. */
enum subject_right {
	SUBJECT_ERASED = 1,
	SUBJECT_RESTRICTED = 2,
	SUBJECT_OBJECTED = 4, /* to this purpose, or to all that may be objected to */
	SUBJECT_CONSENT_WITHDRAWN = 8, /* for this purpose */
};

/* A boolean of the source, which may be missing. */
enum tristate {
	TRISTATE_NULL,
	TRISTATE_FALSE,
	TRISTATE_TRUE
};

struct share_facts {
	int64_t now; /* the train's time */
	const struct policy_service *service; /* NULL: not in the policy */
	int64_t starts_at, ends_at; /* TIME_NONE: absent */

	bool recipient_known, recipient_suspended;
	enum recipient_kind recipient_kind;
	int64_t agreement_from, agreement_until; /* until: INT64_MAX without end */
	bool service_authorised; /* the recipient's list has it */

	unsigned subject_rights; /* of enum subject_right */
	bool subject_known; /* exactly one row in the subjects' source */
	bool booking_known; /* exactly one row in the bookings' source */
	bool booking_is_subjects;
	enum tristate consent; /* of `requires` */
};

/*
 * NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED: yes. A window ends after it starts, is no longer than the policy allows,
 * and expires after `now`. An agreement is in force from agreement_from on and no longer at agreement_until; it is
 * asked of `now` alone, and again at each delivery, so that one that ends before the booking stops what is still to be
 * sent. A recipient whose kind is not the service's `recipients` is not authorised for it, whatever its list says.
 */
Needtoknow__V1__Reason share_decide(const struct share_facts *facts);

/*
 * Does an objection stop this service? Not where a contract, a legal obligation or a vital interest demands it (GDPR
 * art. 21(1) speaks of legitimate interest and public task), unless its purpose is direct marketing (art. 21(2), (3)).
 * Under consent it does: whoever objects does not consent.
 */
bool objection_bars(const struct policy_service *service);

/* `UNKNOWN_SERVICE`, ... as ErrorInfo's reason has it. "" for UNSPECIFIED. */
const char *reason_name(Needtoknow__V1__Reason reason);
/* The status that goes with a refusal, and one sentence that says what is wrong and what to do about it. */
enum grpc_code reason_code(Needtoknow__V1__Reason reason);
const char *reason_message(Needtoknow__V1__Reason reason);

#endif
