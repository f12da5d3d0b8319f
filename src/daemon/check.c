#include "daemon/check.h"

#include "base/memory.h"
#include "catalogue/catalogue.h"
#include "daemon/check_seen.h"
#include "io/database.h"
#include "sql.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define POLICY_BYTES_MAX ((size_t)1 << 20) /* as the rulebook's */
#define TIMEOUT INT64_C(10000000)
#define STATEMENT_TIMEOUT_MS 5000
#define LINE_MAX_BYTES 1536

__attribute__((format(printf, 3, 4))) static enum check_result say(
	const struct check_report *report, enum check_result result, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	report->say(report->context, result, line);
	return result;
}

/* ---- files ---- */

struct policy *check_policy(const struct configuration *configuration, const struct check_report *report)
{
	const char *path = configuration->policy;
	struct policy_error error;
	struct policy *policy = NULL;
	FILE *file = fopen(path, "re");
	if (!file) {
		say(report, CHECK_WRONG, "%s: %s", path, strerror(errno));
		return NULL;
	}
	char *text = mem_alloc(POLICY_BYTES_MAX + 1);
	size_t length = fread(text, 1, POLICY_BYTES_MAX + 1, file);
	if (ferror(file))
		say(report, CHECK_WRONG, "%s: %s", path, strerror(errno));
	else if (length > POLICY_BYTES_MAX)
		say(report, CHECK_WRONG, "%s: larger than %zu bytes", path, POLICY_BYTES_MAX);
	else if (!(policy = policy_parse(text, length, &error)))
		say(report, CHECK_WRONG, "%s:%d:%d: %s", path, error.line, error.column, error.message);
	fclose(file);
	mem_free(text);
	return policy;
}

SSL_CTX *check_tls(const struct configuration *configuration, const struct check_report *report)
{
	char error[512];
	SSL_CTX *context = tls_server_new(&configuration->tls, error, sizeof error);
	if (!context)
		say(report, CHECK_WRONG, "%s", error);
	return context;
}

enum check_result check_files(const struct configuration *configuration, const struct check_report *report,
	SSL_CTX **tls, struct policy **policy)
{
	SSL_CTX *context = check_tls(configuration, report);
	struct policy *rules = check_policy(configuration, report);
	if (!context || !rules) {
		SSL_CTX_free(context);
		policy_free(rules);
		return CHECK_WRONG;
	}
	*tls = context;
	*policy = rules;
	return CHECK_GOOD;
}

/* ---- databases ---- */

struct check;

/* One database and what is asked of it. */
struct target {
	const char *name; /* in the configuration */
	void (*ask)(struct target *target);
	struct check *check;
	struct database *database;
	bool asked, done;
};

enum {
	TARGET_STATE,
	TARGET_SOURCE,
	TARGET_AUDIT,
	TARGET_RIGHTS, /* unless it is not configured */
	TARGETS
};

struct check {
	const struct configuration *configuration;
	const struct policy *policy;
	const struct check_report *report;
	struct loop *loop;
	struct loop_timer timeout;
	struct target targets[TARGETS];
	enum check_result result;
};

static void target_done(struct target *target, enum check_result result)
{
	struct check *check = target->check;
	target->done = true;
	if (result > check->result)
		check->result = result;
	for (size_t i = 0; i < TARGETS; i++) {
		if (!check->targets[i].done)
			return;
	}
	loop_stop(check->loop);
}

static void target_unanswered(struct target *target, const char *reason)
{
	if (!target->done)
		target_done(
			target, say(target->check->report, CHECK_UNANSWERED, "database.%s: %s", target->name, reason));
}

static void state_answered(void *context, const struct database_outcome *outcome)
{
	struct target *target = context;
	const struct check_report *report = target->check->report;
	if (target->done)
		return;
	if (outcome->result == DATABASE_OK && PQntuples(outcome->results[0]) == 1) {
		check_seen(target->check->configuration, outcome->results[1], report);
		target_done(target, CHECK_GOOD);
	} else if (outcome->result == DATABASE_FAILED) {
		target_done(target,
			say(report, CHECK_WRONG,
				"database.state: schema needtoknow cannot be read: %s (SQLSTATE %s); was `needtoknowd "
				"migrate` run?",
				outcome->message, outcome->sqlstate));
	} else if (outcome->result == DATABASE_OK) {
		target_done(
			target, say(report, CHECK_WRONG, "database.state: needtoknow.secret does not hold one row"));
	} else {
		target_unanswered(target, outcome->message);
	}
}

/* Anything of our own that the role must be able to read, whose value is wiped unseen; and how far the ledger is. */
static void state_ask(struct target *target)
{
	database_open(target->database);
	database_add(target->database, &sql_secret_key, NULL);
	database_add(target->database, &sql_signer_news, NULL);
	database_send(target->database, state_answered, target);
}

static void source_answered(void *context, struct catalogue *catalogue)
{
	struct target *target = context;
	enum catalogue_result result = catalogue_result(catalogue);
	for (size_t i = 0; i < catalogue_problem_count(catalogue) && !target->done; i++) {
		const struct catalogue_problem *problem = catalogue_problem_at(catalogue, i);
		bool is_error = problem->severity == CATALOGUE_ERROR;
		say(target->check->report,
			!is_error                           ? CHECK_GOOD
				: result == CATALOGUE_UNFIT ? CHECK_WRONG
							    : CHECK_UNANSWERED,
			"%s: %s", target->check->configuration->policy, problem->message);
	}
	if (!target->done)
		target_done(target,
			result == CATALOGUE_FIT             ? CHECK_GOOD
				: result == CATALOGUE_UNFIT ? CHECK_WRONG
							    : CHECK_UNANSWERED);
	catalogue_free(catalogue);
}

static void source_ask(struct target *target)
{
	const struct check *check = target->check;
	catalogue_check(
		target->database, check->policy, check->configuration->strict_privileges, source_answered, target);
}

/* That it lets us in is enough here; needtoknowd doctor looks at its rights. */
static void let_in(struct target *target)
{
	target_done(target, CHECK_GOOD);
}

static void up(void *context)
{
	struct target *target = context;
	if (!target->asked && !target->done) {
		target->asked = true;
		target->ask(target);
	}
}

static void trouble(void *context, const char *reason)
{
	target_unanswered(context, reason);
}

static void too_late(void *context)
{
	struct check *check = context;
	for (size_t i = 0; i < TARGETS; i++)
		target_unanswered(&check->targets[i], "no answer in 10 s");
}
_Static_assert(TIMEOUT == 10000000, "the message says so");

static void connect_all(struct check *check)
{
	const char *const conninfos[TARGETS] = {
		[TARGET_STATE] = check->configuration->database.state,
		[TARGET_SOURCE] = check->configuration->database.source,
		[TARGET_AUDIT] = check->configuration->database.audit,
		[TARGET_RIGHTS] = check->configuration->database.rights,
	};
	for (size_t i = 0; i < TARGETS; i++) {
		struct target *target = &check->targets[i];
		target->check = check;
		target->done = !conninfos[i];
		if (target->done)
			continue;
		target->database = database_new(check->loop,
			&(struct database_config){
				.name = "check",
				.conninfo = conninfos[i],
				.statement_timeout_ms = STATEMENT_TIMEOUT_MS,
				.wipe = true,
			},
			&(struct database_handler){ .on_up = up, .on_trouble = trouble, .context = target });
	}
}

enum check_result check_databases(
	const struct configuration *configuration, const struct policy *policy, const struct check_report *report)
{
	struct check check = {
		.configuration = configuration,
		.policy = policy,
		.report = report,
		.loop = loop_new(),
		.targets = {
			[TARGET_STATE] = { .name = "state", .ask = state_ask },
			[TARGET_SOURCE] = { .name = "source", .ask = source_ask },
			[TARGET_AUDIT] = { .name = "audit", .ask = let_in },
			[TARGET_RIGHTS] = { .name = "rights", .ask = let_in },
		},
	};
	if (!check.loop)
		return say(report, CHECK_UNANSWERED, "no event loop: %s", strerror(errno));
	connect_all(&check);
	loop_timer_init(&check.timeout, check.loop, too_late, &check);
	loop_timer_set(&check.timeout, TIMEOUT);
	if (loop_run(check.loop) != 0)
		check.result = say(report, CHECK_UNANSWERED, "the event loop has failed");
	for (size_t i = 0; i < TARGETS; i++) {
		check.targets[i].done = true; /* what a closing connection still has to say is of no interest */
		database_free(check.targets[i].database);
	}
	loop_timer_release(&check.timeout);
	loop_free(check.loop);
	return check.result;
}
