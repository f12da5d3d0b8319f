#include "daemon/restart.h"

#define DELAY_MIN INT64_C(100000)
#define DELAY_MAX INT64_C(5000000)
#define LONG_LIFE INT64_C(30000000)

int64_t restart_died(struct restart *restart, int64_t started, int64_t died)
{
	restart->deaths[restart->count++ % RESTART_DEATHS] = died;
	if (restart->delay == 0 || died - started >= LONG_LIFE)
		restart->delay = DELAY_MIN;
	else
		restart->delay = restart->delay * 2 < DELAY_MAX ? restart->delay * 2 : DELAY_MAX;
	return restart->delay;
}

bool restart_is_hopeless(const struct restart *restart, int64_t now)
{
	/* The oldest of the ring is where the next will be written. */
	return restart->count >= RESTART_DEATHS &&
		now - restart->deaths[restart->count % RESTART_DEATHS] < RESTART_WITHIN;
}
