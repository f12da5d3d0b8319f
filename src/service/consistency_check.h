#ifndef NEEDTOKNOW_SERVICE_CONSISTENCY_CHECK_H
#define NEEDTOKNOW_SERVICE_CONSISTENCY_CHECK_H

#include "pure/checkpoint.h"
#include "service/service.h"

/*
 * Is an earlier tree the beginning of a later one? Proved from our own tables, and the proof verified (RFC 9162 section
 * 2.1.4.2): whatever the tables hold, nothing passes for the continuation of what it does not continue.
 */
enum consistency {
	CONSISTENCY_UNKNOWN, /* the database did not answer */
	CONSISTENCY_PROVED,
	CONSISTENCY_REFUTED, /* or its proof cannot be made any more */
};

/* `done` is called once. Both checkpoints are copied; no more than sizes and roots of them are looked at. */
void consistency_check(struct service *service, const struct checkpoint *earlier, const struct checkpoint *later,
	void (*done)(void *context, enum consistency result), void *context);

#endif
