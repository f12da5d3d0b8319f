#ifndef NEEDTOKNOW_SERVICE_ERASER_H
#define NEEDTOKNOW_SERVICE_ERASER_H

#include "service/service.h"

#include <stdint.h>

/*
 * Goes on with erasures (GDPR art. 17) that a worker that died, or a database that did not answer, has left open
 * (erasing.h); and destroys a subject's key when the policy's time for that is over and every deletion is confirmed,
 * and with it all that leads from the ledger to the client. The elected worker does, and looks every few seconds.
 */
struct eraser;

struct eraser *eraser_new(struct service *service);
void eraser_free(struct eraser *eraser); /* after everything that ends calls. NULL is allowed */

struct eraser_counters {
	uint64_t waiting; /* erasures that the company's database has still to answer; 0 of who is not elected */
	uint64_t resumed; /* that were gone on with, and are whole */
	uint64_t forgotten; /* clients whose key was destroyed, since the policy's time was over */
	uint64_t stopped; /* 1 while the company's database does not answer one; the log says so */
};
const struct eraser_counters *eraser_counters(const struct eraser *eraser);

#endif
