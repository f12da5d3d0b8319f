#ifndef NEEDTOKNOW_SERVICE_CLEARING_H
#define NEEDTOKNOW_SERVICE_CLEARING_H

#include "service/ender.h"

/*
 * Ends all that is live of a recipient that is suspended or whose agreement is over, or orders a revoked device to
 * delete all that it was sent of it: a page at a time, in the order in which it was shared, until there is none. A
 * worker that dies half-way leaves the rest to the sweeper.
 */
struct clearing {
	bool running;
	bool complete; /* once it no longer runs: there was nothing left; else the database did not answer */
	/* The clearing's own. */
	struct call *call;
	void (*done)(void *context);
	void *context;
};

/* The storage is the caller's and must stay until it no longer runs, or clearing_forget(). `done` is called then,
 * possibly from within; names are copied. `device`: of END_DEVICE, else "". */
void clearing_start(struct clearing *clearing, struct service *service, enum end_why why, const char *recipient_id,
	const char *device, void (*done)(void *context), void *context);
/* Nobody is told of it any more; it goes on. Of one that does not run: nothing. */
void clearing_forget(struct clearing *clearing);

#endif
