#ifndef NEEDTOKNOW_DAEMON_DOCTOR_H
#define NEEDTOKNOW_DAEMON_DOCTOR_H

#include "daemon/check.h"

#include <stdbool.h>
#include <stdio.h>

/*
 * `needtoknowd doctor`: what an operator runs first and whenever in doubt. Each thing that is looked at is a finding, a
 * line; each that is not in order comes with the command that mends it. It changes nothing, and prints no secret and
 * nothing of a client's. Blocks; not for the loop.
 */
enum doctor_status {
	DOCTOR_OK,
	DOCTOR_WARNING, /* it works, and should be looked at */
	DOCTOR_UNKNOWN, /* something did not answer */
	DOCTOR_WRONG,
	DOCTOR_STATUSES
};

struct doctor_style {
	bool json; /* an object a line: status, about, finding, mend (or null), details (or null) */
	bool verbose; /* details too: plans */
	bool colours;
};

struct doctor;

/* Writes to `out`, which stays the caller's. */
struct doctor *doctor_new(const struct configuration *configuration, const struct doctor_style *style, FILE *out);
/* NULL is allowed. */
void doctor_free(struct doctor *doctor);

/* Looks at everything. */
void doctor_examine(struct doctor *doctor);
/* Writes how many findings there were, and returns the worst of them. */
enum doctor_status doctor_conclude(struct doctor *doctor);

/* ---- for those who look: doctor_*.c ---- */

const struct configuration *doctor_configuration(const struct doctor *doctor);
/* NULL while it is not known to be good; the doctor's. */
const struct policy *doctor_policy(const struct doctor *doctor);
void doctor_take_policy(struct doctor *doctor, struct policy *policy);

/* A finding, written with the next one, or at the end. `about`: `tls`, `database.state`, ... */
void doctor_find(struct doctor *doctor, enum doctor_status status, const char *about, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Of the last finding: the command that mends it; and what is told on demand, which may have several lines. */
void doctor_mend(struct doctor *doctor, const char *format, ...) __attribute__((format(printf, 2, 3)));
void doctor_detail(struct doctor *doctor, const char *text);

/* For those who report as `check` does: a warning is a finding of this status. */
struct doctor_relay {
	struct doctor *doctor;
	const char *about;
	enum doctor_status warning;
	unsigned lines; /* that were relayed */
};
/* The relay is the context. */
void doctor_relay(void *context, enum check_result result, const char *line);

#endif
