#ifndef NEEDTOKNOW_SERVICE_ENDING_H
#define NEEDTOKNOW_SERVICE_ENDING_H

#include "service/departure.h"
#include "service/disclosure.h"

#include <libpq-fe.h>
#include <needtoknow/v1/delivery.pb-c.h>

/*
 * How a disclosure ends, whatever ends it: its entry, an order to delete to each device that was sent something, its
 * rows. The same for expiry, revocation, objection, suspension and erasure.
 */
struct ending {
	struct disclosure disclosure; /* as ending_read() or disclosure_read() fills it */
	struct subject subject;
	const char
		*devices; /* that were sent something and are not ordered to delete it yet, a line each; NULL: none */
	Needtoknow__V1__EntryKind kind; /* of the entry that ends it */
	Needtoknow__V1__Reason reason;
	Needtoknow__V1__DisclosureState state;
	Needtoknow__V1__WithdrawalCause cause;
	struct recorded recorded; /* out: that entry */
};

/*
 * From the thirteen columns of a row that begin at `column`: disclosure_id, booking_id, recipient_id, service,
 * policy_number, starts_at, ends_at, expires_at, created_at, pseudonym, key, devices, subject_id. 0, or -1: NULLs, of a
 * row that joined no disclosure. What the strings point to is in `call`'s arena; kind, reason, state and cause are the
 * caller's to say.
 */
int ending_read(struct call *call, const PGresult *result, int row, int column, struct ending *out);

/* What whoever ends it declares, once it is known: that it changes it, and what was sent of it that it has to have read
 * of: a delivery that was recorded since has it read again. */
void ending_keys(struct call *call, const struct disclosure *disclosure);

/* The next of `devices`, which moves on, into `out`; false at its end. */
bool ending_next_device(const char **devices, char out[static IDENTITY_NAME_MAX + 1]);

void ending_board(struct call *call, struct departure *departure, struct ending *ending);
/* After the commit: what has not left the process yet does not leave it any more, and the devices are told. */
void ending_committed(struct call *call, const struct ending *ending);

/* The disclosure goes on, and `devices` alone are ordered to delete it, for `reason` and `cause`. What they have not
 * acknowledged is free for the recipient's others. */
void ending_board_devices(struct call *call, struct departure *departure, const struct ending *ending);
void ending_devices_committed(struct call *call, const struct ending *ending);

#endif
