#ifndef NEEDTOKNOW_SERVICE_ERASURE_LIST_H
#define NEEDTOKNOW_SERVICE_ERASURE_LIST_H

#include "pure/erasure_line.h"
#include "service/service.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The list of erasures (GDPR art. 17) outside the database: `erasures` in the daemon's state_dir, which no restored
 * backup takes back. Each erasure is in it, durably, before it is answered; each worker adds what others recorded, on
 * other machines too; what is older than the policy's retention.backups is dropped, since no backup is.
 *
 * And the gate: whenever the database is reached it is asked for all that the list has. Where one is missing, the
 * database was restored from a backup in which that client still is. Nothing is served then, and no train departs,
 * until `needtoknowd reapply-erasures` was run; then the gate opens by itself. A list that cannot be read keeps it shut
 * too (P8).
 */
struct erasure_list;

struct erasure_list *erasure_list_new(struct service *service, bool reapplying);
void erasure_list_free(struct erasure_list *list); /* NULL is allowed */

/* The database can be asked, for the first time or again: shut, until it has answered. The shared secret is known. */
void erasure_list_reached(struct erasure_list *list);
/* It was lost: where something is in the list, shut until it is reached. */
void erasure_list_lost(struct erasure_list *list);
/* Something may be served. Always while `reapplying`. */
bool erasure_list_open(const struct erasure_list *list);
/* Known to be in want: something of the list is not in the database, or the list cannot be read. */
bool erasure_list_lacking(const struct erasure_list *list);
/* Why not, one sentence for an operator; "" when it is open. */
const char *erasure_list_why(const struct erasure_list *list);

/* One erasure on its way into the list. The storage is the caller's, zeroed, and must stay until it no longer runs, or
 * erasure_note_forget(). */
struct erasure_note {
	bool running;
	bool durable; /* once it no longer runs; else the file cannot be written, and it is not answered OK */
	/* The list's own. */
	struct erasure_list *list;
	struct erasure_line line;
	void (*done)(void *context);
	void *context;
	struct erasure_note *next, *prev;
};
/* After the COMMIT of needtoknow.erasure's row; `line` is copied. `done` is called at the end, never from within. */
void erasure_note_add(struct erasure_note *note, struct service *service, const struct erasure_line *line,
	void (*done)(void *context), void *context);
/* Nobody is told of it any more; what is left of it the next look at the database adds. Of one that does not run:
 * nothing. */
void erasure_note_forget(struct erasure_note *note);

/* For reapplying: what the list has, in its order; valid until the list is read again. 0, or -1 with one line in
 * erasure_list_why(). */
int erasure_list_all(struct erasure_list *list, const struct erasure_line **lines, size_t *count);

#endif
