#ifndef NEEDTOKNOW_SERVICE_ERASER_H
#define NEEDTOKNOW_SERVICE_ERASER_H

#include "service/service.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What follows once an erasure (GDPR art. 17) is recorded in needtoknow.erasure: whatever is still live of the subject
 * ends, the contacts that an objection outlives in are made sure of, the company's database is asked to erase, and what
 * it answered is recorded. Each step may be done again: the company knows the request key. Whoever recorded it waits
 * for it with a struct erasing; what a worker that died, or a database that did not answer, has left open the elected
 * worker goes on with.
 *
 * The elected worker also destroys the subject's key when the policy's time for that is over and every deletion is
 * confirmed, and with it all that leads from the ledger to the client.
 */
struct eraser;

struct eraser *eraser_new(struct service *service);
void eraser_free(struct eraser *eraser); /* after everything that ends calls. NULL is allowed */

/* One erasure on its way. The storage is the caller's, zeroed, and must stay until it no longer runs, or
 * erasing_forget(). */
struct erasing {
	bool running;
	bool complete; /* once it no longer runs: all of it is recorded. Else a database did not answer */
	/* The erasing's own. */
	struct call *call;
	void (*done)(void *context);
	void *context;
};
/* By the request key of a row of needtoknow.erasure; of one that is answered already, nothing is left to do. `done` is
 * called at its end, possibly from within. */
void erasing_start(struct erasing *erasing, struct service *service, const uint8_t request_key[16],
	void (*done)(void *context), void *context);
/* Nobody is told of it any more; it goes on. Of one that does not run: nothing. */
void erasing_forget(struct erasing *erasing);

struct eraser_counters {
	uint64_t erased; /* erasures that this worker saw answered by the company's database */
	uint64_t forgotten; /* subjects whose keys this worker destroyed */
	uint64_t pending; /* found open at the last look, of those that are older than a few seconds */
};
const struct eraser_counters *eraser_counters(const struct eraser *eraser);

#endif
