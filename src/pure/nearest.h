#ifndef NEEDTOKNOW_PURE_NEAREST_H
#define NEEDTOKNOW_PURE_NEAREST_H

#include <stddef.h>

/*
 * "Did you mean ...?": the known name that is fewest slips of the pen away from what was written. A slip is a byte too
 * many, too few, wrong, or two neighbours swapped (the optimal string alignment distance). Names further away than a
 * third of their length are no help and are not suggested.
 */
struct nearest {
	const char *wanted;
	const char *best; /* NULL: none is near enough */
	size_t distance;
};

void nearest_init(struct nearest *nearest, const char *wanted);
/* Of equally near names the first one tried stays. The pointer is kept. */
void nearest_try(struct nearest *nearest, const char *known);

#endif
