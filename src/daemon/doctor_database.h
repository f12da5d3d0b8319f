#ifndef NEEDTOKNOW_DAEMON_DOCTOR_DATABASE_H
#define NEEDTOKNOW_DAEMON_DOCTOR_DATABASE_H

#include "daemon/doctor.h"
#include "sql.h"

#include <libpq-fe.h>
#include <stdint.h>

/*
 * The databases: do they answer, as whom, do they keep what they promise, is their clock ours; then what is particular
 * to each of them (doctor_rights.h, doctor_ledger.h, doctor_source.h, doctor_company.h).
 */
void doctor_databases(struct doctor *doctor);

/* What the migrations grant is for one of these, or several. */
enum doctor_kind {
	DOCTOR_STATE = 1,
	DOCTOR_SOURCE = 2,
	DOCTOR_AUDIT = 4,
	DOCTOR_RIGHTS = 8 /* of which they know nothing: its grants are in the company's schema */
};

struct doctor_database {
	const char *about; /* `database.state` */
	const char *conninfo;
	PGconn *connection; /* NULL: it does not answer */
	enum doctor_kind kind;
	unsigned kinds; /* that connect with this role */
	char role[64], owner[64]; /* of schema needtoknow */
};

/* The answer in text form, for PQclear(). NULL, and a finding: it did not answer, or refused. */
PGresult *doctor_ask(struct doctor *doctor, struct doctor_database *database, const struct statement *statement,
	const char *const *values);

/* The number at a place of an answer. */
int64_t doctor_number(const PGresult *result, int row, int column);

/* Mends the last finding: SQL that the owner of the schema is to run, or who may do anything (`as`: NULL is the owner).
 */
void doctor_mend_sql(struct doctor *doctor, const struct doctor_database *database, const char *as, const char *format,
	...) __attribute__((format(printf, 4, 5)));

/* How the owner connects: words of a connection string, without a password. */
void doctor_owner(const struct doctor_database *database, const char *as, char *out, size_t size);

#endif
