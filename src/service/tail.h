#ifndef NEEDTOKNOW_SERVICE_TAIL_H
#define NEEDTOKNOW_SERVICE_TAIL_H

#include "service/call.h"

#include <stdbool.h>

/*
 * Those who wait at the ledger's end. Each is run when a train has arrived, ours or another worker's, at most every 50
 * ms however many arrive, and once a second whatever happens: an auditors' replica may be behind what we were told of.
 */
struct tail;

/* The storage is the caller's, zeroed before the first tail_follow(). */
struct follower {
	struct call *call; /* NULL: it does not follow */
	bool told; /* the ledger may have grown since whoever waits set this to false */
	struct follower *next, *prev;
};

struct tail *tail_new(struct service *service);
void tail_free(struct tail *tail);

void tail_follow(struct tail *tail, struct follower *follower, struct call *call);
/* Of one that does not follow: nothing. */
void tail_leave(struct tail *tail, struct follower *follower);

/* The ledger has grown. */
void tail_grew(struct tail *tail);
/* All are run now: the service's state has changed. */
void tail_wake(struct tail *tail);

#endif
