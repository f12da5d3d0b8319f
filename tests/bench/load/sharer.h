#ifndef NEEDTOKNOW_BENCH_SHARER_H
#define NEEDTOKNOW_BENCH_SHARER_H

#include "load.h"

/*
 * The booking system: shares each booking of the phase once.
 * Closed loop: options.in_flight at a time, the next one when one has ended. Open loop: so many a second, whether or
 * not earlier ones were answered, each counted from the moment at which it should have left.
 */
struct sharer;

/* Connects. NULL after load_fail(). */
struct sharer *sharer_new(struct load *load);
void sharer_free(struct sharer *sharer);

struct sharer_plan {
	double rate; /* a second; 0: closed loop */
	uint32_t in_flight; /* closed loop */
	bool held; /* closed loop: what was answered keeps its place until sharer_next() */
	bool may_be_shed; /* RESOURCE_EXHAUSTED is an answer, and not asked again */
	void (*done)(void *context); /* all were answered */
	void *context;
};
/* Shares load->bookings. The plan is copied. */
void sharer_start(struct sharer *sharer, const struct sharer_plan *plan);
/* A place has become free. */
void sharer_next(struct sharer *sharer);
/* No more are started. */
void sharer_stop(struct sharer *sharer);

/* All were asked for, and answered or shed. */
bool sharer_is_done(const struct sharer *sharer);
uint32_t sharer_shed(const struct sharer *sharer);
/* Microseconds from when the last was to leave to the last answer. */
int64_t sharer_tail(const struct sharer *sharer);
/* With a receipt. */
uint32_t sharer_answered(const struct sharer *sharer);
struct latencies *sharer_latencies(struct sharer *sharer);

#endif
