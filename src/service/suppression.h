#ifndef NEEDTOKNOW_SERVICE_SUPPRESSION_H
#define NEEDTOKNOW_SERVICE_SUPPRESSION_H

#include "service/call.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A client who objected (GDPR art. 21) or withdrew a consent (art. 7(3)) and comes back under another number is not
 * mailed by accident: what they said is kept by their mail addresses and telephone numbers, each as HMAC-SHA-256 under
 * a secret, of no use to whoever does not have the same address (needtoknow.suppression). The company's database is
 * asked for them after the objection was answered, so that no objection waits for it; the elected worker sees to that,
 * and to what a worker that died has left. Without `database.rights` it is not asked and nothing is suppressed.
 */
struct suppression;

struct suppression *suppression_new(struct service *service);
void suppression_free(struct suppression *suppression);
/* Something was objected to here, or this worker serves: looks now. */
void suppression_wake(struct suppression *suppression);

/* ---- before an erasure takes the contacts away: what the subject said is suppressed by those that they have now ----
 */

struct securing {
	bool running;
	bool complete; /* once it no longer runs: nothing of theirs is without its contacts; else nobody answered */
	/* The securing's own. */
	struct call *call;
	void (*done)(void *context);
	void *context;
};

/* As clearing_start(): the storage is the caller's and must stay until it no longer runs, or securing_forget(). `done`
 * is called then, possibly from within. Only where company_configured(). */
void securing_start(struct securing *securing, struct service *service, const char *subject_id,
	void (*done)(void *context), void *context);
/* Nobody is told of it any more; it goes on. Of one that does not run: nothing. */
void securing_forget(struct securing *securing);

/* ---- of a client who comes: what was said under one of their contacts ---- */

struct contacts {
	size_t count, size;
	uint8_t (*hashes)[32];
};
/* Asks the company; in when call->awaited is 0. `out` is zeroed, and in the call's arena. */
void contacts_ask(struct call *call, const char *subject_id, struct contacts *out);

struct suppressed {
	size_t count, size;
	struct suppressed_right {
		int kind; /* as needtoknow.right_in_force has it: 3 or 4 */
		const char *purpose;
	} * all; /* each once, by kind and purpose */
};
/* Asks our tables for that; likewise. */
void suppressed_ask(struct call *call, const struct contacts *contacts, struct suppressed *out);

#endif
