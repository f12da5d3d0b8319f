#ifndef NEEDTOKNOW_DAEMON_ELDERS_H
#define NEEDTOKNOW_DAEMON_ELDERS_H

#include "daemon/handover.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The workers that a supervisor took over from what it was before a rolling restart. They go on serving until the new
 * ones do, and then drain one by one, so that their callers come to the new ones in turn. Nobody starts them again.
 *
 * Decides alone, and signals nobody. Times are loop_now()'s, microseconds.
 */
struct elders {
	unsigned count;
	struct elder {
		pid_t pid; /* 0: it has ended */
		int64_t deadline; /* it drains, and is to have ended then; 0: it serves */
		bool killed;
	} all[2 * HANDOVER_ELDERS_MAX];
};

/* Those that were told to end before have `patience` from now on. */
void elders_init(struct elders *elders, const struct handover *handover, int64_t now, int64_t patience);

unsigned elders_alive(const struct elders *elders);
/* Those that were not told to drain. */
unsigned elders_serving(const struct elders *elders);

/* Has ended. False: it is none of them. */
bool elders_ended(struct elders *elders, pid_t pid);

/*
 * Who is to be told what now; pid 0: nobody. SIGTERM to one of them when none drains and as many new workers serve,
 * `serving`, as have been told and one more, or all `workers` of them; SIGKILL to one that drains for longer than
 * `patience`. To be asked until it answers nobody.
 */
struct elders_order {
	pid_t pid;
	int number;
};
struct elders_order elders_next(
	struct elders *elders, unsigned serving, unsigned workers, int64_t now, int64_t patience);

#endif
