#ifndef NEEDTOKNOW_CLIENT_BACKOFF_H
#define NEEDTOKNOW_CLIENT_BACKOFF_H

#include <stdint.h>

/*
 * How long to wait before trying again: doubled with each failure, and drawn at random from the upper half, so that the
 * clients of a server that went away do not all come back in the same moment (grpc/doc/connection-backoff.md).
 */
struct backoff {
	int64_t first, longest; /* microseconds */
	unsigned failures; /* in a row */
};

/* After a failure: microseconds to wait. */
int64_t backoff_next(struct backoff *backoff);
/* After a success. */
void backoff_reset(struct backoff *backoff);

#endif
