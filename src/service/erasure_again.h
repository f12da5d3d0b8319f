#ifndef NEEDTOKNOW_SERVICE_ERASURE_AGAIN_H
#define NEEDTOKNOW_SERVICE_ERASURE_AGAIN_H

#include "service/service.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * After a restore from a backup: erases again whoever is in the erasure list and not erased in the database (GDPR art.
 * 17). Recording comes first, of all of them: from then on nothing of them is shared or delivered. Then what follows an
 * erasure (erasing.h), of each. Repeating it does no harm, and neither does a daemon that serves beside it.
 *
 * For a service that was made with `reapplying`, once it serves.
 */
struct erasure_again {
	uint64_t listed; /* in the list */
	uint64_t missing; /* the database had not */
	uint64_t recorded, completed; /* of them, so far */
	uint64_t failed; /* a database did not answer */
	void (*progress)(void *context); /* something of it changed */
	void (*done)(void *context);
	void *context;
	/* Its own. */
	struct service *service;
	struct again *all;
	uint64_t next, running;
	bool finished;
};

/* The storage is the caller's, zeroed but for progress, done and context; `done` is called once. 0; or -1: the list
 * cannot be read, erasure_list_why() says why, and `done` is not called. */
int erasure_again_start(struct erasure_again *again, struct service *service);
/* Once it is done, or the service has ended. */
void erasure_again_release(struct erasure_again *again);

#endif
