#include "catalogue/ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SECOND INT64_C(1000000)
#define STATEMENT_TIMEOUT_MS 5000

struct question {
	struct loop *loop;
	struct database *database;
	const struct policy *policy;
	bool strict, asked, ended;
	struct catalogue *catalogue;
	char *error;
	size_t error_size;
};

static void end(struct question *question, const char *reason)
{
	if (question->ended)
		return;
	question->ended = true;
	snprintf(question->error, question->error_size, "%s", reason);
	loop_stop(question->loop);
}

static void answered(void *context, struct catalogue *catalogue)
{
	struct question *question = context;
	if (question->ended) {
		catalogue_free(catalogue);
		return;
	}
	if (catalogue_result(catalogue) == CATALOGUE_UNAVAILABLE) {
		end(question, catalogue_problem_at(catalogue, catalogue_problem_count(catalogue) - 1)->message);
		catalogue_free(catalogue);
		return;
	}
	question->catalogue = catalogue;
	end(question, "");
}

static void up(void *context)
{
	struct question *question = context;
	if (question->asked || question->ended)
		return;
	question->asked = true;
	catalogue_check(question->database, question->policy, question->strict, answered, question);
}

static void trouble(void *context, const char *reason)
{
	end(context, reason);
}

static void too_late(void *context)
{
	char line[64];
	snprintf(line, sizeof line, "no answer in %d s", CATALOGUE_ASK_SECONDS);
	end(context, line);
}

struct catalogue *catalogue_ask(
	const char *conninfo, const struct policy *policy, bool strict, char *error, size_t error_size)
{
	struct question question = {
		.loop = loop_new(), .policy = policy, .strict = strict, .error = error, .error_size = error_size
	};
	struct loop_timer timeout;
	if (question.loop == NULL) {
		snprintf(error, error_size, "no event loop: %s", strerror(errno));
		return NULL;
	}
	question.database = database_new(question.loop,
		&(struct database_config){
			.name = "check",
			.conninfo = conninfo,
			.statement_timeout_ms = STATEMENT_TIMEOUT_MS,
			.wipe = true,
		},
		&(struct database_handler){ .on_up = up, .on_trouble = trouble, .context = &question });
	loop_timer_init(&timeout, question.loop, too_late, &question);
	loop_timer_set(&timeout, CATALOGUE_ASK_SECONDS * SECOND);
	if (loop_run(question.loop) != 0)
		end(&question, "the event loop has failed");
	question.ended = true;
	database_free(question.database);
	loop_timer_release(&timeout);
	loop_free(question.loop);
	return question.catalogue;
}
