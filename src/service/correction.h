#ifndef NEEDTOKNOW_SERVICE_CORRECTION_H
#define NEEDTOKNOW_SERVICE_CORRECTION_H

#include "service/service.h"

#include <stddef.h>
#include <stdint.h>

/*
 * What a change in the company's database means for what was sent (GDPR art. 16, 19): of each live disclosure of that
 * subject, and of that key, that was sent a changed column, the values are read, and when their commitment is not that
 * of what was sent last, that sending is due again. The queue then sends it as CORRECTED, as it sends whatever is due.
 */
struct change {
	const char *subject_id;
	const char *source, *key; /* as the policy names the source; the row of it */
	const char *columns; /* a line each */
	enum change_result {
		CHANGE_UNANSWERED, /* something could not be read or written: look at it again */
		CHANGE_NOBODYS, /* the subject has no live disclosure: nothing that read the old value can still be
				   sent */
		CHANGE_LOOKED_AT, /* what was sent by now is right, or is due again */
	} result; /* out */
};

/* `changes` and what they point to stay the caller's, until done() is called: once, possibly from within. `corrected`:
 * how many sendings are due again. */
void changes_look(struct service *service, struct change *changes, size_t count,
	void (*done)(void *context, uint64_t corrected), void *context);

#endif
