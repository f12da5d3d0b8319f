#ifndef NEEDTOKNOW_RPC_CHANGE_H
#define NEEDTOKNOW_RPC_CHANGE_H

#include "service/ending.h"

/* What may be moved, given to another or ended: read with all that its end needs. */
struct change {
	struct ending *all; /* with their disclosures, subjects and devices */
	size_t count, size;
	int64_t now; /* of the reading */
};

/* As many of a booking's as may be ended at once, and one more. */
#define CHANGE_MAX 256

/* Ask; they are in when call->awaited is 0. NULL when the call has failed. */
struct change *change_ask(struct call *call, const uint8_t disclosure_id[16]);
struct change *change_ask_booking(struct call *call, const char *booking_id);
/* What lives of a subject and was shared from that index on, in the order of sharing: CHANGE_MAX, and one more where
 * there is more. */
struct change *change_ask_subject(struct call *call, const char *subject_id, uint64_t from);

/* Nothing has ended it. Where its time is over, a train may be on its way that moves its end. */
bool change_may_live(const struct disclosure *disclosure);
/* It lives at `now`. What has expired is over whether or not it was swept already. */
bool change_is_active(const struct disclosure *disclosure, int64_t now);
/* True: the only one asked for lives. False: it has been answered that there is none, or how it ended. */
bool change_possible(struct call *call, const struct change *change);

/* In the train: the caller's free text, kept beside the entry. */
void change_remark(struct departure *departure, const struct disclosure *disclosure, const struct recorded *recorded,
	const char *remark);

#endif
