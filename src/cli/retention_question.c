#include "cli/retention_question.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "io/database.h"
#include "pure/column_retention.h"
#include "pure/company_function.h"
#include "pure/time.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* It reads all clients whose contract has ended: that may take a while, and nobody waits behind it. */
#define STATEMENT_TIMEOUT_MS 300000
#define ANSWER_TIMEOUT_MS 330000
#define STATEMENT_MAX 4096

struct asking {
	struct loop *loop;
	struct database *database;
	const struct policy *policy;
	int64_t limit;
	size_t question;
	bool failed;
	struct buffer text; /* of the statement */
	struct statement statement;
	const struct retention_listener *listener;
	char *error;
	size_t error_size;
};

static void fail(struct asking *asking, const char *reason)
{
	if (!asking->failed)
		snprintf(asking->error, asking->error_size, "%s", reason);
	asking->failed = true;
	loop_stop(asking->loop);
}

static int append(struct buffer *out, const char *text)
{
	return buffer_append(out, text, strlen(text));
}

/* The contract's statement, with how many it finds beside each line. */
static void make_statement(struct asking *asking)
{
	const char *schema = policy_subjects(asking->policy)->schema;
	buffer_init(&asking->text, STATEMENT_MAX);
	int failed =
		append(&asking->text, "SELECT q.subject_id, q.columns, q.since, count(*) OVER () AS clients FROM (") |
		company_function_statement(COMPANY_RETENTION_DUE, schema, &asking->text);
	asking->text.length--; /* its NUL */
	failed |= append(
		&asking->text, ") AS q(subject_id, columns, since) ORDER BY q.since, q.subject_id LIMIT ($5)::bigint");
	failed |= buffer_append_u8(&asking->text, '\0');
	assert(!failed); /* the policy bounds names */
	asking->statement = (struct statement){ .name = "retention_plan",
		.text = (const char *)asking->text.data,
		.parameters = company_function_parameters(COMPANY_RETENTION_DUE) + 1 };
}

static char *text_of(const PGresult *result, int row, int column)
{
	return mem_strndup(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}

static void tell_row(const struct asking *asking, const PGresult *result, int row)
{
	char *subject_id = text_of(result, row, 0), *columns = text_of(result, row, 1);
	asking->listener->client(asking->listener->context,
		&(struct retention_line){ .subject_id = subject_id,
			.columns = columns,
			.since = PQgetisnull(result, row, 2)
				? TIME_NONE
				: pg_time(PQgetvalue(result, row, 2), PQgetlength(result, row, 2)) });
	mem_free(columns);
	mem_free(subject_id);
}

static void tell(const struct asking *asking, const PGresult *result)
{
	const struct retention_listener *listener = asking->listener;
	int rows = PQntuples(result);
	int64_t clients = rows > 0 ? pg_int(PQgetvalue(result, 0, 3), PQgetlength(result, 0, 3)) : 0;
	listener->begin(listener->context, asking->question, (uint64_t)clients);
	for (int row = 0; row < rows; row++)
		tell_row(asking, result, row);
	listener->end(listener->context);
}

static void ask_next(struct asking *asking);

static void answered(void *context, const struct database_outcome *outcome)
{
	struct asking *asking = context;
	if (outcome->result != DATABASE_OK) {
		fail(asking, *outcome->message ? outcome->message : "the connection was lost");
		return;
	}
	tell(asking, outcome->results[0]);
	if (++asking->question < retention_question_count(asking->policy))
		ask_next(asking);
	else
		loop_stop(asking->loop);
}

static void ask_next(struct asking *asking)
{
	static const uint8_t all[4] = { 0x7f, 0xff, 0xff, 0xff };
	struct retention_question question;
	struct pg_array names;
	uint8_t limit[8];
	retention_question(asking->policy, asking->question, &question);
	retention_question_columns(&question, &names);
	pg_put_int8(limit, asking->limit);
	database_open(asking->database);
	database_add(asking->database, &asking->statement,
		(struct parameter[]){ { question.columns != NULL ? names.bytes.data : NULL, names.bytes.length },
			{ question.anchor, strlen(question.anchor) }, { question.after, strlen(question.after) },
			{ all, sizeof all }, { asking->limit == RETENTION_ALL ? NULL : limit, sizeof limit } });
	database_send(asking->database, answered, asking);
	pg_array_release(&names);
}

static void up(void *context)
{
	struct asking *asking = context;
	if (!asking->failed && asking->question == 0)
		ask_next(asking);
}

static void trouble(void *context, const char *reason)
{
	fail(context, reason);
}

int retention_ask(const char *conninfo, const struct policy *policy, int64_t limit,
	const struct retention_listener *listener, char *error, size_t error_size)
{
	struct asking asking = { .loop = loop_new(),
		.policy = policy,
		.limit = limit,
		.listener = listener,
		.error = error,
		.error_size = error_size };
	if (asking.loop == NULL) {
		snprintf(error, error_size, "no event loop: %s", strerror(errno));
		return -1;
	}
	make_statement(&asking);
	asking.database = database_new(asking.loop,
		&(struct database_config){ .name = "retention plan",
			.conninfo = conninfo,
			.statement_timeout_ms = STATEMENT_TIMEOUT_MS,
			.answer_timeout_ms = ANSWER_TIMEOUT_MS,
			.wipe = true },
		&(struct database_handler){ .on_up = up, .on_trouble = trouble, .context = &asking });
	if (loop_run(asking.loop) != 0)
		fail(&asking, "the event loop has failed");
	database_free(asking.database);
	buffer_release(&asking.text);
	loop_free(asking.loop);
	return asking.failed ? -1 : 0;
}
