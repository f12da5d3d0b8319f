#ifndef NEEDTOKNOW_CATALOGUE_ASK_H
#define NEEDTOKNOW_CATALOGUE_ASK_H

#include "catalogue/catalogue.h"

#include <stddef.h>

/*
 * catalogue_check() for commands, which have no loop of their own: connects, asks, and waits for the answer for up to
 * CATALOGUE_ASK_SECONDS. The catalogue is the caller's; NULL when there is none, and in `error` one line for the
 * operator: the database did not answer, and why. The policy must outlive the catalogue. It changes nothing. Not for a
 * process that has a loop.
 */
#define CATALOGUE_ASK_SECONDS 10

struct catalogue *catalogue_ask(
	const char *conninfo, const struct policy *policy, bool strict, char *error, size_t error_size);

#endif
