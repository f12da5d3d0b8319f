#ifndef NEEDTOKNOW_SERVICE_SWEEPER_H
#define NEEDTOKNOW_SERVICE_SWEEPER_H

#include "service/call.h"

#include <stdint.h>

/*
 * Ends what is over when its time comes, by the database's clock: what has expired, what a recipient has whose
 * agreement (GDPR art. 28) has ended, and what a worker that died has left of a suspension or of a revoked device. The
 * elected worker alone sweeps; the others learn of it in time to take over. It asks when the next moment that it knows
 * of has come, and once a second. However much is over, a page of it is ended at a time, oldest first, in half a
 * train's places.
 */
struct sweeper;

struct sweeper *sweeper_new(struct service *service);
void sweeper_free(struct sweeper *sweeper);
/* The service serves, or this worker was elected: begins, or looks again. */
void sweeper_wake(struct sweeper *sweeper);
/* Another worker has committed, and may have shared what ends in less than a second. */
void sweeper_news(struct sweeper *sweeper);
/* Something was shared, or moved, that expires at this time of the database's. */
void sweeper_expects(struct sweeper *sweeper, int64_t expires_at);
/* At the end of a turn; nonzero when it asked. */
int sweeper_flush(struct sweeper *sweeper);

struct sweeper_counters {
	uint64_t looks; /* statements that asked what is over */
	uint64_t found; /* disclosures that had expired */
	uint64_t late; /* the oldest of those that were found last, in microseconds */
};
const struct sweeper_counters *sweeper_counters(const struct sweeper *sweeper);

#endif
