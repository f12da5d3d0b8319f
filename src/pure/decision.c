#include "pure/decision.h"

#include "pure/purpose.h"
#include "pure/time.h"

#include <assert.h>

#define REASON(name) NEEDTOKNOW__V1__REASON__REASON_##name

/* Ends after it starts, is not over, and is no longer than the policy allows. */
static bool window_allowed(const struct share_facts *facts)
{
	int64_t starts_at = facts->starts_at, ends_at = facts->ends_at;
	if (starts_at == TIME_NONE || ends_at == TIME_NONE || ends_at <= starts_at)
		return false;
	int64_t length;
	if (__builtin_sub_overflow(ends_at, starts_at, &length) || length > facts->service->max_duration)
		return false;
	return moment_at(&facts->service->expires, facts->now, starts_at, ends_at) > facts->now;
}

bool objection_bars(const struct policy_service *service)
{
	if (purpose_is_direct_marketing(service->purpose))
		return true;
	switch (service->legal_basis) {
	case LEGAL_BASIS_CONTRACT:
	case LEGAL_BASIS_LEGAL_OBLIGATION:
	case LEGAL_BASIS_VITAL_INTEREST:
		return false;
	case LEGAL_BASIS_CONSENT:
	case LEGAL_BASIS_LEGITIMATE_INTEREST:
	case LEGAL_BASIS_PUBLIC_TASK:
		break;
	}
	return true;
}

static Needtoknow__V1__Reason decide_recipient(const struct share_facts *facts)
{
	if (!facts->recipient_known)
		return REASON(UNKNOWN_RECIPIENT);
	if (facts->recipient_suspended)
		return REASON(RECIPIENT_SUSPENDED);
	if (facts->now < facts->agreement_from || facts->now >= facts->agreement_until)
		return REASON(AGREEMENT_NOT_IN_FORCE);
	if (!facts->service_authorised || facts->recipient_kind != facts->service->recipients)
		return REASON(SERVICE_NOT_AUTHORISED);
	return REASON(UNSPECIFIED);
}

static bool consent_missing(const struct share_facts *facts)
{
	if (facts->service->requires != NULL && facts->consent != TRISTATE_TRUE)
		return true;
	return facts->service->legal_basis == LEGAL_BASIS_CONSENT &&
		(facts->subject_rights & SUBJECT_CONSENT_WITHDRAWN) != 0;
}

static Needtoknow__V1__Reason decide_subject(const struct share_facts *facts)
{
	if ((facts->subject_rights & SUBJECT_ERASED) != 0)
		return REASON(ERASED);
	if (!facts->subject_known)
		return REASON(UNKNOWN_SUBJECT);
	if (facts->service->needs_booking && !facts->booking_known)
		return REASON(UNKNOWN_BOOKING);
	if (facts->service->needs_booking && !facts->booking_is_subjects)
		return REASON(BOOKING_MISMATCH);
	if ((facts->subject_rights & SUBJECT_RESTRICTED) != 0)
		return REASON(RESTRICTED);
	if ((facts->subject_rights & SUBJECT_OBJECTED) != 0 && objection_bars(facts->service))
		return REASON(OBJECTED);
	if (consent_missing(facts))
		return REASON(CONSENT_MISSING);
	return REASON(UNSPECIFIED);
}

Needtoknow__V1__Reason share_decide(const struct share_facts *facts)
{
	if (facts->service == NULL)
		return REASON(UNKNOWN_SERVICE);
	if (!window_allowed(facts))
		return REASON(BAD_WINDOW);
	Needtoknow__V1__Reason reason = decide_recipient(facts);
	return reason != REASON(UNSPECIFIED) ? reason : decide_subject(facts);
}

/* API.md's tables. What is no refusal (why a delivery was made, how a deletion went) has no status. */
static const struct reason {
	const char *name;
	enum grpc_code code;
	const char *message;
} reasons[] = {
	[REASON(UNSPECIFIED)] = { "", GRPC_OK, "" },
	[REASON(UNKNOWN_SERVICE)] = { "UNKNOWN_SERVICE", GRPC_INVALID_ARGUMENT,
		"the policy in force has no such service: use one that it lists, or have it added" },
	[REASON(BAD_WINDOW)] = { "BAD_WINDOW", GRPC_INVALID_ARGUMENT,
		"not a window to share for: give a start and a later end that is not over, no further apart than the "
		"policy allows" },
	[REASON(UNKNOWN_RECIPIENT)] = { "UNKNOWN_RECIPIENT", GRPC_NOT_FOUND,
		"no such recipient: register it first (RegistryService.PutRecipient)" },
	[REASON(RECIPIENT_SUSPENDED)] = { "RECIPIENT_SUSPENDED", GRPC_PERMISSION_DENIED,
		"this recipient is suspended: resume it (RegistryService.ResumeRecipient) or choose another" },
	[REASON(AGREEMENT_NOT_IN_FORCE)] = { "AGREEMENT_NOT_IN_FORCE", GRPC_PERMISSION_DENIED,
		"this recipient's agreement (GDPR art. 28) is not in force now: renew it or choose another recipient" },
	[REASON(SERVICE_NOT_AUTHORISED)] = { "SERVICE_NOT_AUTHORISED", GRPC_PERMISSION_DENIED,
		"this recipient is not authorised for this service: choose another, or have the registry list it" },
	[REASON(ERASED)] = { "ERASED", GRPC_FAILED_PRECONDITION,
		"this subject's data were erased (GDPR art. 17): nothing of it is shared any more" },
	[REASON(UNKNOWN_SUBJECT)] = { "UNKNOWN_SUBJECT", GRPC_NOT_FOUND,
		"the subjects' source has no such subject: commit the row there first" },
	[REASON(UNKNOWN_BOOKING)] = { "UNKNOWN_BOOKING", GRPC_NOT_FOUND,
		"the bookings' source has no such booking: commit it there first, then share" },
	[REASON(BOOKING_MISMATCH)] = { "BOOKING_MISMATCH", GRPC_FAILED_PRECONDITION,
		"that booking is another subject's: correct the booking or the subject" },
	[REASON(RESTRICTED)] = { "RESTRICTED", GRPC_FAILED_PRECONDITION,
		"this subject's data are restricted (GDPR art. 18): wait until the restriction is lifted" },
	[REASON(OBJECTED)] = { "OBJECTED", GRPC_FAILED_PRECONDITION,
		"the subject has objected to this purpose (GDPR art. 21): it is not shared unless the objection is "
		"lifted" },
	[REASON(CONSENT_MISSING)] = { "CONSENT_MISSING", GRPC_FAILED_PRECONDITION,
		"the subject has not consented, or has withdrawn the consent (GDPR art. 7): ask for it" },
	[REASON(REQUEST_ID_REUSED)] = { "REQUEST_ID_REUSED", GRPC_ALREADY_EXISTS,
		"this request_id was used with other content: use a new one for a new request" },
	[REASON(ROLE_NOT_ALLOWED)] = { "ROLE_NOT_ALLOWED", GRPC_PERMISSION_DENIED,
		"this method is not open to the role in the caller's certificate: call it with a certificate of the "
		"role that it names" },
	[REASON(EXPIRED)] = { "EXPIRED", GRPC_FAILED_PRECONDITION,
		"this disclosure has expired: stop using and delete what it brought" },
	[REASON(REVOKED)] = { "REVOKED", GRPC_FAILED_PRECONDITION,
		"this disclosure was revoked: stop using and delete what it brought" },
	[REASON(SUSPENDED)] = { "SUSPENDED", GRPC_FAILED_PRECONDITION,
		"the recipient is suspended: stop using and delete what this disclosure brought" },
	[REASON(NEW)] = { "NEW", GRPC_OK, "" },
	[REASON(CORRECTED)] = { "CORRECTED", GRPC_OK, "" },
	[REASON(REPEATED)] = { "REPEATED", GRPC_OK, "" },
	[REASON(FETCHED)] = { "FETCHED", GRPC_OK, "" },
	[REASON(DELETED)] = { "DELETED", GRPC_OK, "" },
	[REASON(RETAINED)] = { "RETAINED", GRPC_OK, "" },
	[REASON(NOT_DUE)] = { "NOT_DUE", GRPC_FAILED_PRECONDITION,
		"nothing of this disclosure is due yet: come back at due_at" },
	[REASON(NOT_WITHDRAWN)] = { "NOT_WITHDRAWN", GRPC_FAILED_PRECONDITION,
		"this disclosure was not withdrawn: a deletion is confirmed after a withdrawal" },
	[REASON(RESUMED)] = { "RESUMED", GRPC_OK, "" },
	[REASON(DEVICE_REVOKED)] = { "DEVICE_REVOKED", GRPC_OK, "" },
	[REASON(REASSIGNED)] = { "REASSIGNED", GRPC_OK, "" },
	[REASON(NO_RIGHT_TO_OBJECT)] = { "NO_RIGHT_TO_OBJECT", GRPC_FAILED_PRECONDITION,
		"what rests on a contract, a legal obligation or a vital interest continues: GDPR art. 21 gives no "
		"right to "
		"object to it" },
	[REASON(ACTIVE_BOOKINGS)] = { "ACTIVE_BOOKINGS", GRPC_FAILED_PRECONDITION,
		"something is booked for this client: ask them, then erase with cancel_bookings" },
	[REASON(UPHELD)] = { "UPHELD", GRPC_OK, "" },
	[REASON(OVERRIDDEN)] = { "OVERRIDDEN", GRPC_OK, "" },
	[REASON(CARRIED_OVER)] = { "CARRIED_OVER", GRPC_OK, "" },
};

/* A reason that the contract has and the table has not is a mistake of ours. */
static const struct reason *find_reason(Needtoknow__V1__Reason reason)
{
	assert((size_t)reason < sizeof reasons / sizeof *reasons && reasons[reason].name != NULL);
	return &reasons[reason];
}

const char *reason_name(Needtoknow__V1__Reason reason)
{
	return find_reason(reason)->name;
}

enum grpc_code reason_code(Needtoknow__V1__Reason reason)
{
	return find_reason(reason)->code;
}

const char *reason_message(Needtoknow__V1__Reason reason)
{
	return find_reason(reason)->message;
}
