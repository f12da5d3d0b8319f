#ifndef NEEDTOKNOW_SERVICE_ERASING_H
#define NEEDTOKNOW_SERVICE_ERASING_H

#include "service/call.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What follows once an erasure (GDPR art. 17) is recorded in needtoknow.erasure: whatever is still live of the subject
 * ends, the contacts by which an objection outlives it are made sure of, the company's database is asked to erase, and
 * what it answered is recorded. Each step may be done again, by another worker too: the company knows the request key.
 * Whoever recorded it waits with a struct erasing; the rest is the eraser's (eraser.h).
 *
 * The storage is the caller's, zeroed, and must stay until it no longer runs, or erasing_forget().
 */
struct erasing {
	bool running;
	bool complete; /* once it no longer runs: all of it is recorded. Else a database did not answer */
	/* The erasing's own. */
	struct call *call;
	void (*done)(void *context);
	void *context;
};
/* By the request key of a row of needtoknow.erasure; of one that was answered nothing is left to do. `done` is called
 * at its end, possibly from within. */
void erasing_start(struct erasing *erasing, struct service *service, const uint8_t request_key[16],
	void (*done)(void *context), void *context);
/* Nobody is told of it any more; it goes on. Of one that does not run: nothing. */
void erasing_forget(struct erasing *erasing);

/* What the company answers: a line a column, names and never values. */
struct erased_columns {
	struct erased_column {
		const char *name;
		bool held; /* as the law has it, and unreadable for everything else */
		const char *ground, *law; /* of what is held; may be NULL */
		int64_t since, until; /* TIME_NONE: not said */
	} * all;
	size_t count, size;
};
/* Asks the company to erase a client, or, in a dry run, what it would erase; the columns, zeroed, are in when
 * call->awaited is 0. An answer that is none fails the call, as one that does not come. */
void erasing_ask_company(struct call *call, const uint8_t request_key[16], const char *subject_id, bool dry_run,
	struct erased_columns *out);
/* Adds one, in the call's arena; NULL when that is full (the call has failed). */
struct erased_column *erased_columns_add(struct call *call, struct erased_columns *columns);

#endif
