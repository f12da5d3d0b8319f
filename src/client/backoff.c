#include "client/backoff.h"

#include <sys/random.h>

int64_t backoff_next(struct backoff *backoff)
{
	int64_t wait = backoff->first;
	uint64_t random = 0;

	for (unsigned i = 0; i < backoff->failures && wait < backoff->longest; i++)
		wait *= 2;
	if (wait > backoff->longest)
		wait = backoff->longest;
	backoff->failures++;
	if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
		random = 0; /* without randomness the wait is the shortest of the range: still a wait */
	return wait / 2 + (int64_t)(random % (uint64_t)(wait / 2 + 1));
}

void backoff_reset(struct backoff *backoff)
{
	backoff->failures = 0;
}
