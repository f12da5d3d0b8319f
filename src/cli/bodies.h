#ifndef NEEDTOKNOW_CLI_BODIES_H
#define NEEDTOKNOW_CLI_BODIES_H

#include "cli/verdict.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Which entries of a log have their body, which have not, and by what right: a PRUNED entry of the log itself says
 * below which index bodies may be gone (GDPR art. 5(1)(e)). Others are missing.
 */
struct bodies {
	uint64_t present, gone;
	struct bodies_range {
		uint64_t first, until;
	} * ranges; /* of those that are gone, in order */
	size_t count, capacity;
	uint64_t pruned_until; /* 0: nothing may be gone */
	uint64_t pruned_index; /* the entry that says so */
};

void bodies_release(struct bodies *bodies);

/* An entry whose bytes are known to be in the tree. */
void bodies_present(struct bodies *bodies, uint64_t index, const uint8_t *body, size_t length);
void bodies_gone(struct bodies *bodies, uint64_t first, uint64_t count);

/* Says on standard output what is gone; what is missing goes to the verdict, unless all of it is and the log is said to
 * publish leaves only. */
void bodies_judge(const struct bodies *bodies, bool leaves_only, struct verdict *verdict);

#endif
