#include "daemon/maintain.h"

#include "base/fault.h"
#include "pure/policy.h"
#include "pure/retention.h"
#include "pure/time.h"
#include "sql.h"

#include <assert.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A transaction takes some ten milliseconds; then it rests as long, for the disk is the trains' too. */
#define ROWS_AT_ONCE "256"
#define SLICES_AT_ONCE "5000"
#define PAGES_AT_ONCE 64
#define REQUEST_DAYS 30
#define REST_MAX (TIME_SECOND / 10)
#define PROGRESS_INTERVAL (10 * TIME_SECOND)
#define VALUES_MAX 5
#define NUMBER_SIZE 24

struct run {
	PGconn *connection;
	bool dry;
	FILE *out, *errors;
	int64_t told_at; /* of the steady clock */
	uint64_t gone_below; /* whole partitions are, or would be */
};

/* ---- asking ---- */

static int64_t steady(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * TIME_SECOND + now.tv_nsec / 1000;
}

static PGresult *checked(const struct run *run, PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
		return result;
	fprintf(run->errors, "maintain: %s", PQerrorMessage(run->connection));
	PQclear(result);
	return NULL;
}

/* One statement, a transaction of its own. The answer, for PQclear(); NULL, and why is written. */
static PGresult *ask(const struct run *run, const struct statement *statement, const char *const *values)
{
	return checked(run,
		PQexecParams(run->connection, statement->text, statement->parameters, NULL, values, NULL, NULL, 0));
}

static int execute(const struct run *run, const char *sql)
{
	PGresult *result = checked(run, PQexec(run->connection, sql));
	PQclear(result);
	return result ? 0 : -1;
}

/* NULL is 0. */
static uint64_t number_of(const PGresult *result, int row, int column)
{
	return strtoull(PQgetvalue(result, row, column), NULL, 10);
}

static const char *text_of(uint64_t number, char out[NUMBER_SIZE])
{
	snprintf(out, NUMBER_SIZE, "%" PRIu64, number);
	return out;
}

/* The first number of a statement's only row. 0, or -1. */
static int ask_number(
	const struct run *run, const struct statement *statement, const char *const *values, uint64_t *out)
{
	PGresult *result = ask(run, statement, values);
	if (!result)
		return -1;
	*out = PQntuples(result) ? number_of(result, 0, 0) : 0;
	PQclear(result);
	return 0;
}

static const char *doing(const struct run *run)
{
	return run->dry ? "false" : "true";
}

static const char *done(const struct run *run, const char *as_done, const char *as_planned)
{
	return run->dry ? as_planned : as_done;
}

/* Between two transactions; `count` of `what` so far. */
static void rest(struct run *run, int64_t began, const char *what, uint64_t count)
{
	int64_t now = steady(), took = now - began;
	if (now - run->told_at >= PROGRESS_INTERVAL) {
		run->told_at = now;
		fprintf(run->out, "%s: %" PRIu64 " so far\n", what, count);
		fflush(run->out);
	}
	if (run->dry)
		return;
	struct timespec pause = { .tv_nsec = 1000 * (took < REST_MAX ? took : REST_MAX) };
	nanosleep(&pause, NULL);
}

/* ---- partitions ---- */

static int add_partitions(struct run *run)
{
	char text[NUMBER_SIZE];
	PGresult *result = ask(run, &sql_maintain_growth, NULL);
	if (!result)
		return -1;
	uint64_t wanted = partitions_wanted(number_of(result, 0, 0), number_of(result, 0, 1));
	uint64_t there = number_of(result, 0, 2) / LEDGER_PARTITION;
	PQclear(result);
	for (uint64_t number = there; number < wanted && !run->dry; number++) {
		result = ask(run, &sql_maintain_add_partition, (const char *const[]){ text_of(number, text) });
		if (!result)
			return -1;
		PQclear(result);
		fault_point("maintain.added");
	}
	if (there < wanted)
		fprintf(run->out, "partitions: %" PRIu64 " %s: room for %" PRIu64 " entries\n", wanted - there,
			done(run, "added", "to be added"), wanted * LEDGER_PARTITION);
	return 0;
}

/* Detaching CONCURRENTLY waits for who uses the partition and has nobody wait; it cannot be in a transaction, so one
 * that was cut short is finished. */
static int drop_partition(const struct run *run, const char *name, bool attached, bool leaving)
{
	char sql[256];
	int length = snprintf(sql, sizeof sql, "ALTER TABLE needtoknow.ledger DETACH PARTITION %s %s", name,
		leaving ? "FINALIZE" : "CONCURRENTLY");
	assert(length > 0 && (size_t)length < sizeof sql);
	if (attached && execute(run, sql) != 0)
		return -1;
	fault_point("maintain.detached");
	snprintf(sql, sizeof sql, "DROP TABLE %s", name);
	return execute(run, sql);
}

static int drop_partitions(struct run *run, uint64_t until)
{
	char text[NUMBER_SIZE];
	int status = execute(run, "SET lock_timeout = '60s'");
	PGresult *result = ask(run, &sql_maintain_leaving, (const char *const[]){ text_of(until, text) });
	if (!result || status != 0) {
		PQclear(result);
		return -1;
	}
	for (int row = 0; row < PQntuples(result) && status == 0; row++) {
		const char *name = PQgetvalue(result, row, 0);
		uint64_t ends = number_of(result, row, 3);
		if (!run->dry)
			status = drop_partition(
				run, name, PQgetvalue(result, row, 2)[0] == 't', PQgetvalue(result, row, 1)[0] == 't');
		if (status == 0)
			fprintf(run->out, "partitions: %s %s, entries before %" PRIu64 "\n", name,
				done(run, "dropped", "to be dropped"), ends);
		if (ends > run->gone_below)
			run->gone_below = ends;
	}
	PQclear(result);
	return execute(run, "SET lock_timeout = '1s'") == 0 ? status : -1;
}

/* ---- bodies ---- */

static int remove_bodies(struct run *run, uint64_t until)
{
	char below[NUMBER_SIZE], from[NUMBER_SIZE];
	uint64_t next = run->gone_below, rows = 0, entries = 0, found;
	text_of(until, below);
	do {
		int64_t began = steady();
		PGresult *result = ask(run, &sql_maintain_remove_bodies,
			(const char *const[]){ below, text_of(next, from), ROWS_AT_ONCE, doing(run) });
		if (!result)
			return -1;
		found = number_of(result, 0, 0);
		rows += found;
		entries += number_of(result, 0, 1);
		next = number_of(result, 0, 2) + 1;
		PQclear(result);
		fault_point("maintain.bodies");
		if (found)
			rest(run, began, "bodies", entries);
	} while (found);
	fprintf(run->out, "bodies: %" PRIu64 " entries in %" PRIu64 " rows %s\n", entries, rows,
		done(run, "removed", "to be removed"));
	if (rows && !run->dry)
		fprintf(run->out,
			"space: autovacuum makes what they took free for new entries; `VACUUM "
			"needtoknow.ledger` does it at once\n");
	return 0;
}

static int remove_slices_of(struct run *run, const char *recipient, const char *below, uint64_t *count)
{
	char from[NUMBER_SIZE];
	uint64_t next = 0, found;
	do {
		int64_t began = steady();
		PGresult *result = ask(run, &sql_maintain_remove_slices,
			(const char *const[]){ recipient, below, text_of(next, from), SLICES_AT_ONCE, doing(run) });
		if (!result)
			return -1;
		found = number_of(result, 0, 0);
		next = number_of(result, 0, 1) + 1;
		PQclear(result);
		*count += found;
		fault_point("maintain.slices");
		if (found)
			rest(run, began, "recipients", *count);
	} while (found);
	return 0;
}

/* By the primary key, a recipient after the other: an index by entry would cost each train an insertion a recipient. */
static int remove_slices(struct run *run, uint64_t until)
{
	char below[NUMBER_SIZE];
	uint64_t count = 0;
	int status = 0;
	text_of(until, below);
	PGresult *recipient = ask(run, &sql_maintain_next_recipient, (const char *const[]){ "" });
	while (recipient && status == 0 && !PQgetisnull(recipient, 0, 0)) {
		const char *name = PQgetvalue(recipient, 0, 0);
		status = remove_slices_of(run, name, below, &count);
		PGresult *next = ask(run, &sql_maintain_next_recipient, (const char *const[]){ name });
		PQclear(recipient);
		recipient = next;
	}
	if (!recipient)
		status = -1;
	PQclear(recipient);
	fprintf(run->out, "recipients: %" PRIu64 " pointers to such rows %s\n", count,
		done(run, "removed", "to be removed"));
	return status;
}

static int remove_pruned(struct run *run)
{
	PGresult *result = ask(run, &sql_maintain_pruned, NULL);
	if (!result)
		return -1;
	uint64_t until = PQntuples(result) ? number_of(result, 0, 0) : 0;
	if (until)
		fprintf(run->out, "pruned: bodies below entry %" PRIu64 " may go, says entry %" PRIu64 "\n", until,
			number_of(result, 0, 1));
	else
		fprintf(run->out, "pruned: no entry that a checkpoint covers says yet that bodies may go\n");
	PQclear(result);
	if (!until)
		return 0;
	int status = drop_partitions(run, until);
	if (remove_bodies(run, until) != 0 || remove_slices(run, until) != 0)
		status = -1;
	return status;
}

/* ---- whom it was about ---- */

/* Has a statement go over a table, some pages at a time; *count is of how many rows. */
static int each_page(struct run *run, const char *table, const struct statement *statement, uint64_t limit,
	const char *what, uint64_t *count)
{
	char before[NUMBER_SIZE], first[NUMBER_SIZE], end[NUMBER_SIZE];
	uint64_t pages;
	text_of(limit, before);
	*count = 0;
	if (ask_number(run, &sql_maintain_pages, (const char *const[]){ table }, &pages) != 0)
		return -1;
	for (uint64_t page = 0; page < pages && limit; page += PAGES_AT_ONCE) {
		int64_t began = steady();
		uint64_t found;
		if (ask_number(run, statement,
			    (const char *const[]){
				    before, text_of(page, first), text_of(page + PAGES_AT_ONCE, end), doing(run) },
			    &found) != 0)
			return -1;
		*count += found;
		fault_point("maintain.cleared");
		if (found)
			rest(run, began, what, *count);
	}
	return 0;
}

/* Clears what a table's rows say of entries before `horizon`. */
static int clear_table(struct run *run, const char *table, const struct statement *statement, uint64_t horizon,
	const char *what, const struct policy_period *period)
{
	uint64_t count;
	if (each_page(run, table, statement, horizon, what, &count) != 0)
		return -1;
	fprintf(run->out, "%s: %" PRIu64 " that ended over %s ago %s their subject and booking\n", what, count,
		period->text, done(run, "lost", "to lose"));
	return 0;
}

/* Whose requests they were (GDPR art. 12 to 22); the register keeps what was asked, and when it was answered. */
static int clear_register(struct run *run, const struct policy_period *period)
{
	uint64_t count, keep = period->keep > 0 ? (uint64_t)period->keep : 1;
	if (each_page(run, "needtoknow.rights_request", &sql_maintain_clear_register, keep, "register", &count) != 0)
		return -1;
	fprintf(run->out, "register: %" PRIu64 " that were answered over %s ago %s their client and request id\n",
		count, period->text, done(run, "lost", "to lose"));
	return 0;
}

static int clear_ended(struct run *run, const struct policy_period *period)
{
	char keep[NUMBER_SIZE];
	uint64_t horizon;
	snprintf(keep, sizeof keep, "%" PRId64, period->keep);
	if (ask_number(run, &sql_maintain_recorded_before, (const char *const[]){ keep }, &horizon) != 0)
		return -1;
	/* References of a disclosure follow it. */
	if (clear_table(
		    run, "needtoknow.disclosure", &sql_maintain_clear_disclosures, horizon, "disclosures", period) != 0)
		return -1;
	return clear_table(
		run, "needtoknow.entry_reference", &sql_maintain_clear_references, horizon, "other entries", period);
}

static int clear_old(struct run *run)
{
	struct policy_error error;
	PGresult *result = ask(run, &sql_maintain_policy, NULL);
	if (!result)
		return -1;
	if (!PQntuples(result)) {
		fprintf(run->out, "policy: none is in force yet\n");
		PQclear(result);
		return 0;
	}
	struct policy *policy = policy_parse(PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0), &error);
	PQclear(result);
	if (!policy) {
		fprintf(run->errors, "maintain: the policy in force, line %d: %s\n", error.line, error.message);
		return -1;
	}
	int status = clear_ended(run, &policy_retention(policy)->disclosures);
	if (clear_register(run, &policy_retention(policy)->disclosures) != 0)
		status = -1;
	policy_free(policy);
	return status;
}

/* A repeated request is answered as before for so long, or as long as its disclosures live. */
static int remove_requests(struct run *run)
{
	uint64_t count;
	if (each_page(run, "needtoknow.request", &sql_maintain_remove_requests, REQUEST_DAYS, "requests", &count) != 0)
		return -1;
	fprintf(run->out, "requests: %" PRIu64 " over %d days old and of what has ended %s\n", count, REQUEST_DAYS,
		done(run, "removed", "to be removed"));
	return 0;
}

/* ---- all of it ---- */

static const char not_ours[] = "maintain: there is no schema `needtoknow` of this program's version: run "
			       "`needtoknowd migrate`\n";

/* Everything is done as the owner, also by who may merely act as it: what is made must be the owner's. */
static int become_owner(const struct run *run)
{
	char sql[256];
	PGresult *result = ask(run, &sql_maintain_owner, NULL);
	int status = -1;
	if (!result)
		return -1;
	if (!PQntuples(result))
		fputs(not_ours, run->errors);
	else if (PQgetvalue(result, 0, 2)[0] != 't')
		fprintf(run->errors, "maintain: the schema belongs to `%s`: connect as that role, not as `%s`\n",
			PQgetvalue(result, 0, 0), PQuser(run->connection));
	else {
		snprintf(sql, sizeof sql, "SET ROLE %s", PQgetvalue(result, 0, 1));
		status = execute(run, sql);
	}
	PQclear(result);
	return status;
}

static int check_version(const struct run *run)
{
	uint64_t version;
	if (ask_number(run, &sql_maintain_version, NULL, &version) != 0)
		return -1;
	if (version == (uint64_t)migration_count)
		return 0;
	fputs(not_ours, run->errors);
	return -1;
}

/* Look-ups by key and by page alone, whatever was last known of the tables; what a crash undoes is done again. */
static int set_up(const struct run *run)
{
	return execute(run,
		"SET client_min_messages = warning; SET search_path = pg_catalog; SET client_encoding = 'UTF8';"
		"SET synchronous_commit = off; SET enable_seqscan = off; SET enable_bitmapscan = off;"
		"SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off;"
		"SELECT pg_advisory_lock(hashtextextended('needtoknow.maintain', 0));"
		"SET lock_timeout = '1s'");
}

int maintain_run(const char *dsn, bool dry, FILE *out, FILE *errors)
{
	static int (*const steps[])(struct run *) = { add_partitions, remove_pruned, clear_old, remove_requests };
	struct run run = {
		.connection = PQconnectdb(dsn), .dry = dry, .out = out, .errors = errors, .told_at = steady()
	};
	int status = -1;
	if (PQstatus(run.connection) != CONNECTION_OK) {
		fprintf(errors, "maintain: %s", PQerrorMessage(run.connection));
		goto out;
	}
	if (become_owner(&run) != 0 || check_version(&run) != 0 || set_up(&run) != 0)
		goto out;
	status = 0;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (steps[i](&run) != 0)
			status = -1;
	}
out:
	PQfinish(run.connection);
	return status;
}
