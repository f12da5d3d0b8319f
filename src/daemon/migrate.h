#ifndef NEEDTOKNOW_DAEMON_MIGRATE_H
#define NEEDTOKNOW_DAEMON_MIGRATE_H

#include "sql.h"

#include <stdio.h>

/*
 * `needtoknowd migrate`: brings schema `needtoknow` to this program's version. Migrations are the files
 * deploy/sql/migrations/NNNN_name.sql, compiled in; each is applied in a transaction of its own, under an advisory
 * lock, and recorded with its SHA-256 in needtoknow.migration. To be run by the role that is to own the schema; it
 * creates nothing outside, and no roles. Repeating it does no harm, nor does running it twice at the same time.
 *
 * Blocks; not for the loop.
 */

/* Who :"state_role", :"source_role" and :"audit_role" are in a migration. NULL: needtoknow_state and so on. */
struct migrate_roles {
	const char *state, *source, *audit;
};

/*
 * Writes a line for each migration applied to `out`. 0; or -1 with the reason in `errors`: no connection, a failing
 * migration (which left nothing behind), a schema newer than this program, a migration whose text is not the one that
 * was applied.
 */
int migrate_run(const char *dsn, const struct migrate_roles *roles, FILE *out, FILE *errors);

/* What needtoknow.migration records of a migration's text: its SHA-256 in hexadecimal digits. */
#define MIGRATE_DIGEST_SIZE 65
void migrate_digest(const struct migration *migration, char out[MIGRATE_DIGEST_SIZE]);

/* migrate_run() with these migrations, numbered from 1, in place of those compiled in. */
int migrate_apply(const char *dsn, const struct migrate_roles *roles, const struct migration *list, int count,
	FILE *out, FILE *errors);

#endif
