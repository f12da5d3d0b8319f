#ifndef NEEDTOKNOW_SERVICE_RESTRICTION_H
#define NEEDTOKNOW_SERVICE_RESTRICTION_H

#include "service/call.h"

/*
 * Tells the recipients of a restriction (GDPR art. 18(1), 19), or of its lifting (art. 18(3)), once that itself is
 * recorded: each device that was sent something of what lives and is not ordered to delete it has an entry and a line
 * in needtoknow.restriction_notice, from which its streams are told. A page of disclosures a train, until there is
 * none; then the request is answered. What a worker that died has left of it the sweeper finds in the register of
 * requests.
 */
struct telling {
	bool running;
	bool complete; /* once it no longer runs: nobody is left to be told; else the database did not answer */
	/* The telling's own. */
	struct call *call;
	void (*done)(void *context);
	void *context;
};

/* The storage is the caller's and must stay until it no longer runs, or telling_forget(). `done` is called then,
 * possibly from within; what is named is copied. `lifted`: the restriction was. */
void telling_start(struct telling *telling, struct service *service, const uint8_t request_key[16],
	const char *subject_id, bool lifted, void (*done)(void *context), void *context);
/* Nobody is told of it any more; it goes on. Of one that does not run: nothing. */
void telling_forget(struct telling *telling);

#endif
