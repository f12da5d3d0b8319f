#ifndef NEEDTOKNOW_BENCH_RECIPIENTS_H
#define NEEDTOKNOW_BENCH_RECIPIENTS_H

#include "load.h"

/*
 * The recipients' apps: streams that receive the deliveries of the phase's bookings and acknowledge them in batches.
 * What counts is what arrived here: each delivery is unpacked, its values are looked at, and its id and receipt are
 * kept in load->bookings.
 */
struct recipients;

struct recipients_plan {
	bool acknowledge; /* as they come; else not before recipients_acknowledge() */
	/* For each of load->bookings. */
	void (*received)(void *context, uint32_t index);
	void (*acknowledged)(void *context, uint32_t index);
	void *context;
};

/* Connects the streams' channels. NULL after load_fail(). The plan is copied. */
struct recipients *recipients_new(struct load *load, uint32_t streams, const struct recipients_plan *plan);
/* Closes the streams. NULL is allowed. */
void recipients_free(struct recipients *recipients);

/* Opens the streams. */
void recipients_receive(struct recipients *recipients);
/* From now on what was and is received is acknowledged. */
void recipients_acknowledge(struct recipients *recipients);

struct recipients_counters {
	uint32_t received; /* bookings whose delivery has come */
	uint64_t values; /* in these; none was empty */
	uint32_t repeated; /* came again and said so */
	uint32_t duplicated; /* came again and did not say so */
	uint32_t acknowledged; /* counted so by the server */
	uint32_t acknowledge_calls;
};
const struct recipients_counters *recipients_counters(const struct recipients *recipients);

#endif
