#ifndef NEEDTOKNOW_DAEMON_MAINTAIN_H
#define NEEDTOKNOW_DAEMON_MAINTAIN_H

#include <stdbool.h>
#include <stdio.h>

/*
 * `needtoknowd maintain`: what only the owner of the schema may do to it, to be run every day. It adds partitions to
 * the ledger ahead of its head; removes bodies that a PRUNED entry says may go, once a checkpoint covers it, whole
 * partitions at once where all of theirs may, and the index of recipients' entries with them; and clears subject and
 * booking of what ended, and client and request id of requests of the register that were answered, longer ago than the
 * policy in force keeps them (GDPR art. 5(1)(e)).
 *
 * It works beside a daemon that serves: in small transactions with rests between them, under locks that no train waits
 * for. Repeating it does no harm; cut short, it is gone on with by the next. A second one waits for the first.
 *
 * Blocks; not for the loop.
 */

/*
 * Writes a line for each thing that it did to `out`; with `dry`, that it would do, and changes nothing. 0; or -1 with
 * the reasons in `errors`: what could not be done does not keep it from the rest.
 */
int maintain_run(const char *dsn, bool dry, FILE *out, FILE *errors);

#endif
