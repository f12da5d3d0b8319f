#ifndef NEEDTOKNOW_SERVICE_CORRECTOR_H
#define NEEDTOKNOW_SERVICE_CORRECTOR_H

#include "service/service.h"

#include <stdint.h>

/*
 * Reads the company's change queue (deploy/sql/reference.sql), once a second, and has what was sent compared with what
 * holds (correction.h). Of all workers on all machines one does: the elected one, on a connection of its own.
 *
 * A row stays in the queue until it was looked at twice: when it was first seen, and once more when every delivery that
 * can have read the value before that has been recorded. Only then, with all corrections committed, is it removed: a
 * worker that dies, or a source that is away, costs another look and nothing else.
 */
struct corrector;

struct corrector *corrector_new(struct service *service);
/* When no call is left. NULL is allowed. */
void corrector_free(struct corrector *corrector);

struct corrector_counters {
	uint64_t changes; /* rows of the queue that are done with */
	uint64_t corrected; /* sendings that were due again */
	uint64_t waiting; /* rows that were seen and are to be looked at again */
	uint64_t stopped; /* 1: the queue cannot be read, or not be removed from; the log says why */
};
const struct corrector_counters *corrector_counters(const struct corrector *corrector);

#endif
