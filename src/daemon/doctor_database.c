#include "daemon/doctor_database.h"

#include "daemon/doctor_company.h"
#include "daemon/doctor_ledger.h"
#include "daemon/doctor_rights.h"
#include "daemon/doctor_source.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DATABASES 4
#define OLDEST_SERVER 150000
#define SECOND INT64_C(1000000)
#define CLOCK_WARNING (1 * SECOND)
#define CLOCK_WRONG (5 * SECOND)
#define REASON_MAX 512
#define SQL_MAX 1024

/* ---- asking ---- */

/* libpq's words on one line; they name host and user, never a password. */
static void reason_of(const PGconn *connection, char out[REASON_MAX])
{
	snprintf(out, REASON_MAX, "%s", connection ? PQerrorMessage(connection) : "no memory");
	out[strcspn(out, "\n")] = '\0';
}

PGresult *doctor_ask(struct doctor *doctor, struct doctor_database *database, const struct statement *statement,
	const char *const *values)
{
	char reason[REASON_MAX];
	if (!database->connection)
		return NULL;
	PGresult *result =
		PQexecParams(database->connection, statement->text, statement->parameters, NULL, values, NULL, NULL, 0);
	if (PQresultStatus(result) == PGRES_TUPLES_OK)
		return result;
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	reason_of(database->connection, reason);
	if (state && (strcmp(state, "42501") == 0 || strncmp(state, "42P01", 5) == 0 || strcmp(state, "3F000") == 0)) {
		char owner[REASON_MAX];
		doctor_owner(database, NULL, owner, sizeof owner);
		doctor_find(doctor, DOCTOR_WRONG, database->about, "%s", reason);
		doctor_mend(doctor, "needtoknowd migrate --dsn '%s'", owner);
	} else {
		doctor_find(doctor, DOCTOR_UNKNOWN, database->about, "%s", reason);
	}
	PQclear(result);
	return NULL;
}

int64_t doctor_number(const PGresult *result, int row, int column)
{
	return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

void doctor_owner(const struct doctor_database *database, const char *as, char *out, size_t size)
{
	const char *owner = *database->owner ? database->owner : "needtoknow_owner";
	snprintf(out, size, "host=%s port=%s dbname=%s user=%s", PQhost(database->connection),
		PQport(database->connection), PQdb(database->connection), as ? as : owner);
}

void doctor_mend_sql(
	struct doctor *doctor, const struct doctor_database *database, const char *as, const char *format, ...)
{
	char sql[SQL_MAX], owner[REASON_MAX];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(sql, sizeof sql, format, arguments);
	va_end(arguments);
	doctor_owner(database, as, owner, sizeof owner);
	doctor_mend(doctor, "psql '%s' -c '%s'", owner, sql);
}

/* ---- one of them ---- */

static void connect_to(struct doctor *doctor, struct doctor_database *database)
{
	char reason[REASON_MAX];
	/* What comes later counts. */
	const char *const names[] = { "dbname", "connect_timeout", "application_name", NULL };
	const char *const values[] = { database->conninfo, "5", "needtoknow doctor", NULL };
	database->connection = PQconnectdbParams(names, values, 1);
	if (PQstatus(database->connection) == CONNECTION_OK) {
		PQclear(PQexec(database->connection,
			"SET statement_timeout = '10s'; SET default_transaction_read_only = on; SET lock_timeout = "
			"'5s'; "
			"SET client_encoding = 'UTF8'"));
		return;
	}
	reason_of(database->connection, reason);
	doctor_find(doctor, DOCTOR_UNKNOWN, database->about, "no connection: %s", reason);
	doctor_mend(doctor, "start it, or correct %s; pg_isready -h %s -p %s", database->about,
		PQhost(database->connection) ? PQhost(database->connection) : "HOST",
		PQport(database->connection) ? PQport(database->connection) : "5432");
	PQfinish(database->connection);
	database->connection = NULL;
}

static bool is_true(const PGresult *result, int column)
{
	return PQgetvalue(result, 0, column)[0] == 't';
}

enum {
	SESSION_ROLE,
	SESSION_SUPERUSER,
	SESSION_ATTRIBUTES,
	SESSION_MEMBER_OF,
	SESSION_OWNS,
	SESSION_OWNER,
	SESSION_IN_RECOVERY,
	SESSION_SYNCHRONOUS_COMMIT,
	SESSION_FSYNC,
	SESSION_FULL_PAGE_WRITES
};

static void examine_role(struct doctor *doctor, const struct doctor_database *database, const PGresult *session)
{
	const char *about = database->about, *role = database->role, *owns = PQgetvalue(session, 0, SESSION_OWNS);
	const char *member_of = PQgetvalue(session, 0, SESSION_MEMBER_OF);
	bool superuser = is_true(session, SESSION_SUPERUSER), mighty = is_true(session, SESSION_ATTRIBUTES);
	if (superuser) {
		doctor_find(doctor, DOCTOR_WRONG, about, "role %s is a superuser: no promise holds against it", role);
		doctor_mend_sql(doctor, database, "postgres", "ALTER ROLE \"%s\" NOSUPERUSER", role);
	} else if (mighty) {
		doctor_find(doctor, DOCTOR_WRONG, about,
			"role %s may make roles or databases, replicate, or pass by row security", role);
		doctor_mend_sql(doctor, database, "postgres",
			"ALTER ROLE \"%s\" NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS", role);
	}
	if (*owns && !superuser) {
		doctor_find(doctor, DOCTOR_WRONG, about, "role %s is the owner of %s, so may change what it holds",
			role, owns);
		doctor_mend_sql(doctor, database, "postgres", "REASSIGN OWNED BY \"%s\" TO \"%s\"", role,
			*database->owner && strcmp(database->owner, role) != 0 ? database->owner : "needtoknow_owner");
	}
	if (*member_of) {
		doctor_find(doctor, DOCTOR_WARNING, about, "role %s is a member of %s, and has what they have", role,
			member_of);
		doctor_mend_sql(doctor, database, "postgres", "REVOKE %s FROM \"%s\"", member_of, role);
	}
	if (!superuser && !mighty && !*owns && !*member_of)
		doctor_find(doctor, DOCTOR_OK, about, "role %s owns nothing and is no superuser", role);
}

/* Of the server that the ledger is written to. */
static void examine_settings(struct doctor *doctor, const struct doctor_database *database, const PGresult *session)
{
	static const struct {
		const char *name;
		int column;
	} settings[] = {
		{ "fsync", SESSION_FSYNC },
		{ "full_page_writes", SESSION_FULL_PAGE_WRITES },
	};
	bool good = true;
	const char *commit = PQgetvalue(session, 0, SESSION_SYNCHRONOUS_COMMIT);
	if (strcmp(commit, "on") != 0 && strcmp(commit, "remote_apply") != 0) {
		good = false;
		doctor_find(doctor, DOCTOR_WRONG, database->about,
			"synchronous_commit is %s: a crash of the server, or a fail-over, would lose what was answered",
			commit);
		doctor_mend_sql(
			doctor, database, "postgres", "ALTER ROLE \"%s\" SET synchronous_commit = on", database->role);
	}
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		if (strcmp(PQgetvalue(session, 0, settings[i].column), "on") == 0)
			continue;
		good = false;
		doctor_find(doctor, DOCTOR_WRONG, database->about,
			"%s is off: a crash of the machine may destroy the ledger", settings[i].name);
		doctor_mend_sql(doctor, database, "postgres", "ALTER SYSTEM SET %s = on; then SELECT pg_reload_conf()",
			settings[i].name);
	}
	if (is_true(session, SESSION_IN_RECOVERY)) {
		good = false;
		doctor_find(doctor, DOCTOR_WRONG, database->about, "this is a standby: nothing can be recorded in it");
		doctor_mend(doctor, "add target_session_attrs=read-write to %s", database->about);
	}
	if (good)
		doctor_find(doctor, DOCTOR_OK, database->about,
			"synchronous_commit, fsync and full_page_writes keep what was answered");
}

static int64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_REALTIME, &time);
	return (int64_t)time.tv_sec * SECOND + time.tv_nsec / 1000;
}

/* Between our time before and after the question; the one at its beginning is asked once more, since a first question
 * takes longer. */
static void examine_clock(struct doctor *doctor, struct doctor_database *database)
{
	PGresult *result = NULL;
	int64_t before = 0, after = 0;
	for (int i = 0; i < 2; i++) {
		PQclear(result);
		before = now();
		result = doctor_ask(doctor, database, &sql_doctor_clock, NULL);
		after = now();
		if (!result)
			return;
	}
	int64_t theirs = doctor_number(result, 0, 0), difference = 0;
	if (theirs < before)
		difference = before - theirs;
	else if (theirs > after)
		difference = theirs - after;
	PQclear(result);
	enum doctor_status status = difference > CLOCK_WRONG ? DOCTOR_WRONG
		: difference > CLOCK_WARNING                 ? DOCTOR_WARNING
							     : DOCTOR_OK;
	doctor_find(doctor, status, database->about, "its clock and this machine's are %.3f s apart",
		(double)difference / (double)SECOND);
	if (status != DOCTOR_OK)
		doctor_mend(doctor,
			"timedatectl set-ntp true, on both machines; chronyc tracking shows how far each is off");
}

static void examine_session(struct doctor *doctor, struct doctor_database *database)
{
	int version = PQserverVersion(database->connection);
	PGresult *session = doctor_ask(doctor, database, &sql_doctor_session, NULL);
	if (!session)
		return;
	snprintf(database->role, sizeof database->role, "%s", PQgetvalue(session, 0, SESSION_ROLE));
	snprintf(database->owner, sizeof database->owner, "%s", PQgetvalue(session, 0, SESSION_OWNER));
	doctor_find(doctor, version >= OLDEST_SERVER ? DOCTOR_OK : DOCTOR_WRONG, database->about,
		"PostgreSQL %d.%d answers, database %s", version / 10000, version % 10000, PQdb(database->connection));
	if (version < OLDEST_SERVER)
		doctor_mend(doctor, "pg_upgrade to PostgreSQL %d or later", OLDEST_SERVER / 10000);
	examine_role(doctor, database, session);
	if (database->kind == DOCTOR_STATE)
		examine_settings(doctor, database, session);
	PQclear(session);
	examine_clock(doctor, database);
}

/* ---- all of them ---- */

/* One role for two purposes has the rights of both. */
static void examine_sharing(struct doctor *doctor, struct doctor_database *databases)
{
	for (size_t i = 0; i < DATABASES; i++) {
		for (size_t j = 0; j < DATABASES; j++) {
			if (*databases[i].role && strcmp(databases[i].role, databases[j].role) == 0)
				databases[i].kinds |= databases[j].kind;
		}
	}
	if (databases[0].kinds & DOCTOR_SOURCE) {
		doctor_find(doctor, DOCTOR_WARNING, databases[1].about,
			"role %s reads the company's views and keeps our tables too", databases[1].role);
		doctor_mend(
			doctor, "psql -f deploy/sql/roles.sql makes a role for each; name them in the configuration");
	}
}

void doctor_databases(struct doctor *doctor)
{
	const struct configuration *configuration = doctor_configuration(doctor);
	struct doctor_database databases[DATABASES] = {
		{ .kind = DOCTOR_STATE, .about = "database.state", .conninfo = configuration->database.state },
		{ .kind = DOCTOR_SOURCE, .about = "database.source", .conninfo = configuration->database.source },
		{ .kind = DOCTOR_AUDIT, .about = "database.audit", .conninfo = configuration->database.audit },
		{ .kind = DOCTOR_RIGHTS, .about = "database.rights", .conninfo = configuration->database.rights },
	};
	if (strcmp(configuration->database.audit, configuration->database.state) == 0) {
		databases[2].conninfo = NULL;
		databases[0].kinds = DOCTOR_AUDIT;
	}
	for (size_t i = 0; i < DATABASES; i++) {
		if (databases[i].conninfo)
			connect_to(doctor, &databases[i]);
		if (databases[i].connection)
			examine_session(doctor, &databases[i]);
	}
	examine_sharing(doctor, databases);
	for (size_t i = 0; i < DATABASES; i++) {
		if (*databases[i].role)
			doctor_rights(doctor, &databases[i]);
	}
	if (*databases[0].role)
		doctor_ledger(doctor, &databases[0]);
	if (*databases[1].role)
		doctor_source(doctor, &databases[1]);
	if (*databases[3].role)
		doctor_company(doctor, &databases[3], databases, 3);
	else if (!databases[3].conninfo)
		doctor_company_missing(doctor, databases[3].about);
	for (size_t i = 0; i < DATABASES; i++)
		PQfinish(databases[i].connection);
}
