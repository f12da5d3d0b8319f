#ifndef NEEDTOKNOW_SERVICE_TRAIN_CLOCK_H
#define NEEDTOKNOW_SERVICE_TRAIN_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The database's clock is the only clock: what is due and what has expired is decided by it. So it is watched. A step
 * back of over a second would put a delivery behind its expiry; a jump ahead would release door codes early. Either
 * stops the trains: the first until the clock has caught up, the second until an operator has looked and restarts the
 * service. Zeroed at birth.
 */
struct train_clock {
	int64_t database; /* the clock's last plausible time, microseconds since 1970 */
	int64_t local; /* loop_now() when it was read */
	bool wrong;
};

/* 0, or -1 when `now` is not plausible beside the last entry's time and our own steady clock; logged once. */
int train_clock_check(struct train_clock *clock, int64_t now, int64_t recorded_at, int64_t local);
bool train_clock_wrong(const struct train_clock *clock);

#endif
