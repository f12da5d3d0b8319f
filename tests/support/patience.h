#ifndef NEEDTOKNOW_TESTS_SUPPORT_PATIENCE_H
#define NEEDTOKNOW_TESTS_SUPPORT_PATIENCE_H

#include <stdlib.h>

/* How many times longer than usual a test may take: NEEDTOKNOW_PATIENCE, which tests/run sets under valgrind; else 1.
 */
static inline long patience(void)
{
	const char *text = getenv("NEEDTOKNOW_PATIENCE");
	long times = text ? strtol(text, NULL, 10) : 1;
	return times > 0 ? times : 1;
}

#endif
