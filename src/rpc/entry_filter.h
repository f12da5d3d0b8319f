#ifndef NEEDTOKNOW_RPC_ENTRY_FILTER_H
#define NEEDTOKNOW_RPC_ENTRY_FILTER_H

#include "service/disclosure.h"

#include <needtoknow/v1/audit.pb-c.h>
#include <stdbool.h>
#include <stdint.h>

/* An EntryFilter, checked: which index finds its entries, and what else must hold of each. */
struct entry_filter {
	/* The id that narrows most; NONE: the ledger is walked. */
	enum entry_filter_by {
		ENTRY_FILTER_BY_NONE,
		ENTRY_FILTER_BY_DISCLOSURE,
		ENTRY_FILTER_BY_BOOKING,
		ENTRY_FILTER_BY_SUBJECT,
		ENTRY_FILTER_BY_RECIPIENT,
	} by;
	bool by_disclosure;
	uint8_t disclosure_id[16];
	const char *disclosure_text, *subject_id, *booking_id, *recipient_id, *service, *purpose,
		*actor; /* NULL: any */
	uint64_t kinds; /* bit k: kind k; all bits: any */
	int64_t recorded_from, recorded_until; /* INT64_MAX: without end */
	uint8_t scope[32]; /* a digest of all of it: page tokens are bound to it */
};

/* True, or the call has been answered. `filter` may be NULL: everything. */
bool entry_filter_decode(
	struct call *call, const Needtoknow__V1__EntryFilter *filter, bool newest_first, struct entry_filter *out);
/* What an entry itself can tell; ids of subjects and bookings are not in it and have been looked for by index. */
bool entry_filter_matches(const struct entry_filter *filter, const Needtoknow__V1__LedgerEntry *entry);
/* Writes the filter's shape into an AUDITED entry: the names of what was given, and ids of ours. */
void entry_filter_shape(const struct entry_filter *filter, struct entry_draft *draft);

/* An entry's bytes, decoded into the call's arena; NULL when they are not an entry. */
Needtoknow__V1__LedgerEntry *entry_decode(struct call *call, const uint8_t *body, size_t length);

#endif
