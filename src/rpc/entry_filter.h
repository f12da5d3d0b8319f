#ifndef NEEDTOKNOW_RPC_ENTRY_FILTER_H
#define NEEDTOKNOW_RPC_ENTRY_FILTER_H

#include "rpc/audited.h"

#include <needtoknow/v1/audit.pb-c.h>
#include <stdbool.h>
#include <stdint.h>

/* An EntryFilter, checked: how its entries are found, and what else must hold of each. */
struct entry_filter {
	/* What narrows most. */
	enum entry_filter_by {
		ENTRY_FILTER_BY_NONE, /* the ledger is walked */
		ENTRY_FILTER_BY_RECIPIENT,
		ENTRY_FILTER_BY_RARE, /* by these kinds, none of which nearly every train carries */
		ENTRY_FILTER_BY_SUBJECT,
		ENTRY_FILTER_BY_BOOKING,
		ENTRY_FILTER_BY_DISCLOSURE,
	} by;
	bool everything; /* nothing was given */
	bool by_time;
	uint8_t disclosure_id[16];
	const char *disclosure_text, *subject_id, *booking_id, *recipient_id, *service, *purpose,
		*actor; /* NULL: any */
	uint64_t kinds; /* bit k: kind k; ENTRY_FILTER_ANY_KIND: any */
	int64_t recorded_from, recorded_until; /* TIME_NONE, before all; INT64_MAX */
	uint8_t scope[32]; /* a digest of all of it: page tokens are bound to it */
};

#define ENTRY_FILTER_ANY_KIND (UINT64_MAX >> 1)
/* Those that nearly every train carries: SHARED, DELIVERED, ACKNOWLEDGED, EXPIRED, WITHDRAWN, DELETION_CONFIRMED. The
 * index ledger_rare is for the others. */
#define ENTRY_FILTER_COMMON_KINDS UINT64_C(1818)

/*
 * True, or the call has been answered. `filter` may be NULL: everything. What was given is noted for the AUDITED entry.
 */
bool entry_filter_decode(struct call *call, const Needtoknow__V1__EntryFilter *filter, bool newest_first,
	struct entry_filter *out, struct audited *audited);

/*
 * What an entry's bytes themselves can tell: kind, time, recipient, service, purpose, actor. Subjects and bookings are
 * not in it, and have been looked for by index, as disclosures have.
 */
bool entry_filter_matches(const struct entry_filter *filter, const uint8_t *body, size_t length);

#endif
