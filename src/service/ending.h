#ifndef NEEDTOKNOW_SERVICE_ENDING_H
#define NEEDTOKNOW_SERVICE_ENDING_H

#include "service/departure.h"
#include "service/disclosure.h"

/*
 * How a disclosure ends, whatever ends it: its entry, an order to delete to each device that was sent something, its
 * rows. The same for expiry, revocation, objection, suspension and erasure.
 */
struct ending {
	const struct disclosure *disclosure;
	const struct subject *subject;
	const char *devices; /* that were sent something, a line each; NULL: none */
	Needtoknow__V1__EntryKind kind; /* of the entry that ends it */
	Needtoknow__V1__Reason reason;
	Needtoknow__V1__DisclosureState state;
	int cause; /* needtoknow.v1.WithdrawalCause */
	struct recorded recorded; /* out: that entry */
};

void ending_board(struct call *call, struct departure *departure, struct ending *ending);
/* After the commit: what has not left the process yet does not leave it any more, and the devices are told. */
void ending_committed(struct call *call, const struct ending *ending);

#endif
