#ifndef NEEDTOKNOW_SERVICE_DELIVERY_H
#define NEEDTOKNOW_SERVICE_DELIVERY_H

#include "service/queue.h"

#include <needtoknow/v1/delivery.pb-c.h>

/*
 * One release to one recipient: its columns are read from the sources, the entry that names them is committed, and only
 * then the values are put on the stream (P1). The queue starts one for each release that is due; Fetch makes many in
 * one call.
 */

/* Bytes not yet in the socket by then, in microseconds, are dropped, and the stream is reset (P4). */
#define DELIVERY_VALUES_LIFE INT64_C(2000000)

/* A new delivery for this stream, from what `reader` has just read. The queue fills in `*due` (its strings in
 * call->arena) and has it run with call_run(). */
struct call *delivery_new(const struct call *reader, struct subscription *subscription, struct due **due);

/* ---- what Fetch shares ---- */

/* One release's values, as its sources answered. In a call's arena. */
struct shipment {
	const struct due *due;
	const struct rule *rule;
	const struct policy_release *release;
	struct source_answer *answers;
	struct source_answer *consent; /* NULL when the service requires none, or it is among the answers */
	Needtoknow__V1__Reason reason; /* NEW, REPEATED, CORRECTED, FETCHED */
	struct recorded recorded;
	char delivery_id[DELIVERY_ID_MAX];
	uint8_t commitment[32];
};

/* A boolean column's text; NULL when there is not exactly one row. */
enum tristate consent_of(const struct source_answer *answer);

/* Declares that the release is sent to this device, or to any (""). Devices that each get it do not wait for one
 * another; whoever has to know all that was sent of it reads again. */
void release_send_keys(struct call *call, const struct delivery_key *key, const char *device);
/* Of what this device was sent of it, something changes. */
void release_device_key(struct call *call, const struct delivery_key *key, const char *device);

/* Asks the sources for a release's columns and, where the service requires one, the consent. */
void shipment_ask(struct call *call, struct shipment *shipment, const struct due *due, const struct rule *rule);

/* Will it have to wait, whatever the sources say: restricted, suspended, an agreement not in force, no key? */
bool shipment_is_barred(const struct shipment *shipment, int64_t now);

enum shipment_result {
	SHIPMENT_GOOD,
	SHIPMENT_REFUSED, /* *reason: the rules no longer allow it; it is withheld for good and recorded */
	SHIPMENT_HELD, /* the sources' answer cannot be used: two rows for a key, a value too large */
};
/* Are the answers usable, and is the release still allowed at `now`? */
enum shipment_result shipment_check(
	const struct shipment *shipment, int64_t now, Needtoknow__V1__Reason *reason, const char **why);

/* What the sources answered is not what due->commitment says was sent under due->key. */
bool shipment_differs(struct shipment *shipment);
/* Which of the release's fields, as it was shared, are not sent since a narrower policy is in force: bit n, field n. */
int64_t shipment_left_out(const struct call *call, const struct shipment *shipment);

/* The DELIVERED entry and its rows. `open`: it waits for an acknowledgement. */
void shipment_board(
	struct call *call, struct departure *departure, struct shipment *shipment, const char *device, bool open);
/* A release that the rules no longer allow: REFUSED, and it is not due any more. */
void shipment_withhold(struct call *call, struct departure *departure, const struct due *due, const struct rule *rule,
	Needtoknow__V1__Reason reason);

/*
 * Until when, in loop_now()'s time, values of this disclosure that were just recorded may stay in this process: its
 * expiry, or DELIVERY_VALUES_LIFE from now. 0: they may not leave at all any more, since the COMMIT took so long.
 */
int64_t values_die_at(const struct call *call, const struct disclosure *disclosure);

/* Overwrites the values where they are. */
void shipment_wipe(const struct shipment *shipment);

/* The message with the values; in the call's arena. NULL when the call has failed. */
Needtoknow__V1__Delivery *shipment_message(struct call *call, const struct shipment *shipment);

#endif
