#ifndef NEEDTOKNOW_SERVICE_SWEEPER_H
#define NEEDTOKNOW_SERVICE_SWEEPER_H

#include "service/call.h"

#include <stdint.h>

/*
 * Ends what has expired: an EXPIRED entry, an order to delete (WITHDRAWN) to each device that was sent something, and
 * nothing of it is due any more. Every worker may sweep; the train sees to it that each disclosure ends once. Waits for
 * the next expiry that it knows of.
 */
struct sweeper;

struct sweeper *sweeper_new(struct service *service);
void sweeper_free(struct sweeper *sweeper);
/* The service serves: begins, or looks again. */
void sweeper_wake(struct sweeper *sweeper);
/* Something was shared that expires at this time of the database's. */
void sweeper_expects(struct sweeper *sweeper, int64_t expires_at);
/* At the end of a turn; nonzero when it asked. */
int sweeper_flush(struct sweeper *sweeper);

#endif
