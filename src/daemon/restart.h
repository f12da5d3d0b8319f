#ifndef NEEDTOKNOW_DAEMON_RESTART_H
#define NEEDTOKNOW_DAEMON_RESTART_H

#include <stdbool.h>
#include <stdint.h>

/*
 * When a worker that died is started again, and when it is not worth trying any more. Times are loop_now()'s,
 * microseconds. Zeroed at first.
 */
#define RESTART_DEATHS 10 /* this many ... */
#define RESTART_WITHIN INT64_C(60000000) /* ... in this time are hopeless */

struct restart {
	int64_t delay; /* the last one */
	int64_t deaths[RESTART_DEATHS]; /* when, the latest ones, in a ring */
	uint32_t count; /* of all */
};

/* It lived from `started` to `died`. How long to wait: 0.1 s, doubled each time up to 5 s; anew once it lived for 30 s.
 */
int64_t restart_died(struct restart *restart, int64_t started, int64_t died);

/* The last RESTART_DEATHS deaths lie within RESTART_WITHIN before now. */
bool restart_is_hopeless(const struct restart *restart, int64_t now);

#endif
