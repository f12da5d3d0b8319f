#ifndef NEEDTOKNOW_SERVICE_ERASER_H
#define NEEDTOKNOW_SERVICE_ERASER_H

#include "service/service.h"

/*
 * Goes on with erasures (GDPR art. 17) that a worker that died, or a database that did not answer, has left open
 * (erasing.h); and destroys a subject's key when the policy's time for that is over and every deletion is confirmed,
 * and with it all that leads from the ledger to the client. The elected worker does, and looks every few seconds.
 */
struct eraser;

struct eraser *eraser_new(struct service *service);
void eraser_free(struct eraser *eraser); /* after everything that ends calls. NULL is allowed */

#endif
