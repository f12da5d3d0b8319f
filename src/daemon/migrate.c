#include "daemon/migrate.h"

#include "daemon/migrate_text.h"
#include "pure/sha256.h"

#include <assert.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MIGRATION_MAX ((size_t)16 << 20)
_Static_assert(MIGRATE_DIGEST_SIZE == 2 * SHA256_SIZE + 1, "digits");
#define ROLES 3

struct run {
	PGconn *connection;
	const struct migration *list;
	int count;
	struct placeholder roles[ROLES];
	char *quoted[ROLES]; /* PQfreemem() */
	FILE *out, *errors;
};

void migrate_digest(const struct migration *migration, char out[MIGRATE_DIGEST_SIZE])
{
	const char *text = migration->text;
	uint8_t digest[SHA256_SIZE];
	struct sha256 hash;
	sha256_init(&hash);
	sha256_update(&hash, text, strlen(text));
	sha256_final(&hash, digest);
	for (size_t i = 0; i < SHA256_SIZE; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

/* Runs SQL, which may be several statements. The last result, for PQclear(); or NULL, and the server's words in
 * `errors`. */
static PGresult *query(const struct run *run, const char *sql)
{
	PGresult *result = PQexec(run->connection, sql);
	ExecStatusType status = PQresultStatus(result);
	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
		return result;
	fprintf(run->errors, "migrate: %s", PQerrorMessage(run->connection));
	PQclear(result);
	return NULL;
}

static int execute(const struct run *run, const char *sql)
{
	PGresult *result = query(run, sql);
	PQclear(result);
	return result ? 0 : -1;
}

static void roll_back(const struct run *run)
{
	if (PQtransactionStatus(run->connection) != PQTRANS_IDLE)
		PQclear(PQexec(run->connection, "ROLLBACK"));
}

/* Another `migrate` is waited for; the daemon's trains are not for long, since theirs would wait behind this one. */
static int begin(const struct run *run)
{
	return execute(run,
		"BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('needtoknow.migration', 0));"
		"SET LOCAL lock_timeout = '10s'");
}

static int create_record(const struct run *run)
{
	/* CREATE SCHEMA IF NOT EXISTS wants a right on the database even where the schema exists. */
	PGresult *result = query(run, "SELECT to_regnamespace('needtoknow') IS NULL");
	if (!result)
		return -1;
	bool missing = PQgetvalue(result, 0, 0)[0] == 't';
	PQclear(result);
	if (begin(run) != 0)
		return -1;
	if (missing && execute(run, "CREATE SCHEMA IF NOT EXISTS needtoknow") != 0)
		return -1;
	return execute(run,
		"CREATE TABLE IF NOT EXISTS needtoknow.migration ("
		"	number     integer     PRIMARY KEY,"
		"	name       text        NOT NULL,"
		"	digest     bytea       NOT NULL CHECK (length(digest) = 32),"
		"	applied_at timestamptz NOT NULL DEFAULT clock_timestamp()"
		");"
		"COMMIT");
}

/* Does one line of the record agree with what was compiled in? */
static int check_line(const struct run *run, const PGresult *result, int row)
{
	char expected[MIGRATE_DIGEST_SIZE];
	int number = (int)strtol(PQgetvalue(result, row, 0), NULL, 10);
	const char *name = PQgetvalue(result, row, 1);
	if (number != row + 1) {
		fprintf(run->errors,
			"migrate: the record needtoknow.migration has no line %d, but a line %d: restore it\n", row + 1,
			number);
		return -1;
	}
	migrate_digest(&run->list[row], expected);
	if (strcmp(PQgetvalue(result, row, 2), expected) == 0)
		return 0;
	fprintf(run->errors,
		"migrate: %04d %s, applied at %s, had another text than the one in this program: use the needtoknowd "
		"that applied it, or a "
		"later release; a change to a schema is a new migration\n",
		number, name, PQgetvalue(result, row, 3));
	return -1;
}

/* How many migrations have been applied, or -1. */
static int applied(const struct run *run)
{
	PGresult *result = query(run,
		"SELECT number, name, encode(digest, 'hex'), applied_at FROM needtoknow.migration ORDER BY number");
	if (!result)
		return -1;
	int count = PQntuples(result);
	if (count > run->count) {
		fprintf(run->errors,
			"migrate: the schema is at version %s, this program (needtoknowd " NEEDTOKNOW_VERSION
			") knows version %d: install the needtoknowd that brought it there, or a later one\n",
			PQgetvalue(result, count - 1, 0), run->count);
		count = -1;
	}
	for (int row = 0; row < count; row++) {
		if (check_line(run, result, row) != 0)
			count = -1;
	}
	PQclear(result);
	return count;
}

static int record(const struct run *run, const struct migration *migration)
{
	char number[16], digest[MIGRATE_DIGEST_SIZE];
	snprintf(number, sizeof number, "%d", migration->number);
	migrate_digest(migration, digest);
	const char *const values[] = { number, migration->name, digest };
	PGresult *result = PQexecParams(run->connection,
		"INSERT INTO needtoknow.migration (number, name, digest) VALUES ($1::integer, $2, decode($3, 'hex'))",
		3, NULL, values, NULL, NULL, 0);
	int status = PQresultStatus(result) == PGRES_COMMAND_OK ? 0 : -1;
	if (status != 0)
		fprintf(run->errors, "migrate: %s", PQerrorMessage(run->connection));
	PQclear(result);
	return status;
}

static int64_t milliseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Within the transaction that the caller began and ends. */
static int apply(const struct run *run, const struct migration *migration)
{
	struct buffer text;
	char error[256];
	int status = -1;
	int64_t started = milliseconds();
	buffer_init(&text, MIGRATION_MAX);
	if (migrate_substitute(migration->text, run->roles, ROLES, &text, error, sizeof error) != 0) {
		fprintf(run->errors, "migrate: %04d %s: %s\n", migration->number, migration->name, error);
		goto out;
	}
	if (execute(run, (const char *)text.data) != 0) {
		fprintf(run->errors,
			"migrate: %04d %s failed and was undone; the roles it grants to must exist (%s, %s, %s)\n",
			migration->number, migration->name, run->quoted[0], run->quoted[1], run->quoted[2]);
		goto out;
	}
	if (PQtransactionStatus(run->connection) != PQTRANS_INTRANS) {
		fprintf(run->errors, "migrate: %04d %s ends its own transaction, which it must not\n",
			migration->number, migration->name);
		goto out;
	}
	if (record(run, migration) != 0 || execute(run, "COMMIT") != 0)
		goto out;
	fprintf(run->out, "%04d %s: applied in %lld ms\n", migration->number, migration->name,
		(long long)(milliseconds() - started));
	fflush(run->out);
	status = 0;
out:
	buffer_release(&text);
	return status;
}

/* One after another, each time looking again at what has been applied: another `migrate` may be at work. */
static int apply_all(const struct run *run)
{
	bool any = false;
	for (;;) {
		if (begin(run) != 0)
			return -1;
		int done = applied(run);
		if (done < 0)
			return -1;
		if (done == run->count) {
			fprintf(run->out, "schema needtoknow is at version %d%s\n", done, any ? "" : ": nothing to do");
			return 0;
		}
		if (apply(run, &run->list[done]) != 0)
			return -1;
		any = true;
	}
}

static int quote_roles(struct run *run, const struct migrate_roles *roles)
{
	const char *const names[ROLES] = { "state_role", "source_role", "audit_role" };
	const char *const chosen[ROLES] = {
		roles && roles->state ? roles->state : "needtoknow_state",
		roles && roles->source ? roles->source : "needtoknow_source",
		roles && roles->audit ? roles->audit : "needtoknow_audit",
	};
	for (size_t i = 0; i < ROLES; i++) {
		run->quoted[i] = PQescapeIdentifier(run->connection, chosen[i], strlen(chosen[i]));
		if (!run->quoted[i]) {
			fprintf(run->errors, "migrate: %s is no name of a role: %s", names[i],
				PQerrorMessage(run->connection));
			return -1;
		}
		run->roles[i] = (struct placeholder){ .name = names[i], .quoted = run->quoted[i] };
	}
	return 0;
}

int migrate_apply(const char *dsn, const struct migrate_roles *roles, const struct migration *list, int count,
	FILE *out, FILE *errors)
{
	struct run run = { .connection = PQconnectdb(dsn), .list = list, .count = count, .out = out, .errors = errors };
	int status = -1;
	for (int i = 0; i < count; i++)
		assert(list[i].number == i + 1);
	if (PQstatus(run.connection) != CONNECTION_OK) {
		fprintf(errors, "migrate: %s", PQerrorMessage(run.connection));
		goto out;
	}
	if (quote_roles(&run, roles) != 0 ||
		execute(&run,
			"SET client_min_messages = warning; SET standard_conforming_strings = on; SET client_encoding "
			"= 'UTF8'") != 0)
		goto out;
	if (create_record(&run) == 0)
		status = apply_all(&run);
	roll_back(&run);
out:
	for (size_t i = 0; i < ROLES; i++)
		PQfreemem(run.quoted[i]);
	PQfinish(run.connection);
	return status;
}

int migrate_run(const char *dsn, const struct migrate_roles *roles, FILE *out, FILE *errors)
{
	return migrate_apply(dsn, roles, migrations, migration_count, out, errors);
}
