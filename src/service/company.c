#include "service/company.h"

#include "base/log.h"
#include "base/memory.h"
#include "pure/siphash.h"
#include "service/batch.h"
#include "service/rulebook.h"
#include "service/service.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#define STATEMENT_MAX 2048
#define STATEMENT_TIMEOUT_MS 10000
#define ANSWER_TIMEOUT_MS 15000

/* The statements of one schema; a policy that names another one makes others. */
struct dialect {
	char *schema;
	char names[COMPANY_FUNCTIONS][32];
	struct statement statements[COMPANY_FUNCTIONS];
	struct dialect *next;
};

struct company {
	struct service *service;
	struct database *database; /* NULL: not configured */
	struct dialect *dialects;
};

struct question {
	struct company_asking asking;
	struct call *call;
	unsigned generation;
};

struct company *company_new(struct service *service, const char *rights_dsn)
{
	struct company *company = mem_calloc(1, sizeof *company);
	company->service = service;
	if (rights_dsn)
		company->database = database_new(service_loop(service),
			&(struct database_config){ .name = "rights",
				.conninfo = rights_dsn,
				.statement_timeout_ms = STATEMENT_TIMEOUT_MS,
				.answer_timeout_ms = ANSWER_TIMEOUT_MS,
				.wipe = true },
			&(struct database_handler){ .on_trouble = service_trouble });
	return company;
}

void company_close(struct company *company)
{
	database_free(company->database);
	company->database = NULL;
}

void company_free(struct company *company)
{
	struct dialect *dialect, *next;
	if (!company)
		return;
	LL_FOREACH_SAFE (company->dialects, dialect, next) {
		for (int function = 0; function < COMPANY_FUNCTIONS; function++)
			mem_free((char *)dialect->statements[function].text);
		mem_free(dialect->schema);
		mem_free(dialect);
	}
	mem_free(company);
}

bool company_configured(const struct company *company)
{
	return company->database != NULL;
}

enum step_result company_refuse(struct call *call)
{
	return call_refuse(call,
		&(struct status){ .code = GRPC_UNAVAILABLE,
			.reason = "RIGHTS_NOT_CONFIGURED",
			.message =
				"the company's functions for clients' rights cannot be called: set database.rights in "
				"needtoknowd's configuration" });
}

/* ---- statements ---- */

static struct dialect *dialect_new(const char *schema)
{
	static const uint8_t name_key[16] = "company function";
	struct dialect *dialect = mem_calloc(1, sizeof *dialect);
	dialect->schema = mem_strdup(schema);
	for (int function = 0; function < COMPANY_FUNCTIONS; function++) {
		struct buffer text;
		buffer_init(&text, STATEMENT_MAX);
		int failed = company_function_statement((enum company_function)function, schema, &text);
		assert(!failed); /* the policy bounds names */
		snprintf(dialect->names[function], sizeof dialect->names[function], "company_%016llx",
			(unsigned long long)siphash(name_key, (const char *)text.data, text.length - 1));
		dialect->statements[function] = (struct statement){ .name = dialect->names[function],
			.text = mem_strdup((const char *)text.data),
			.parameters = company_function_parameters((enum company_function)function) };
		buffer_release(&text);
	}
	return dialect;
}

static const struct statement *statement_of(struct company *company, enum company_function function, const char *schema)
{
	struct dialect *dialect;
	LL_FOREACH (company->dialects, dialect)
		if (!strcmp(dialect->schema, schema))
			return &dialect->statements[function];
	dialect = dialect_new(schema);
	LL_PREPEND(company->dialects, dialect);
	return &dialect->statements[function];
}

/* ---- asking ---- */

static bool wanted(const struct question *question)
{
	return !question->call->ended && question->generation == question->call->generation;
}

static void unavailable(struct call *call)
{
	call_fail(call, GRPC_UNAVAILABLE, "SOURCE_UNAVAILABLE",
		"the company's database does not answer; ask again with the same request_id");
}

static void take(const struct question *question, const struct database_outcome *outcome)
{
	struct call *call = question->call;
	if (outcome->result == DATABASE_OK) {
		const PGresult *result = outcome->results[0];
		for (int row = 0; question->asking.row && row < PQntuples(result); row++)
			question->asking.row(call, question->asking.target, result, row);
		return;
	}
	if (outcome->result == DATABASE_FAILED && question->asking.refused &&
		database_is_about_data(outcome->sqlstate)) {
		*question->asking.refused = true;
		return;
	}
	service_read_failed(call->service, READ_SOURCE, outcome);
	unavailable(call);
}

static void answered(void *context, const struct database_outcome *outcome)
{
	struct question *question = context;
	struct call *call = question->call;
	bool lives = !call->ended;
	if (wanted(question))
		take(question, outcome);
	assert(call->reads > 0);
	call->reads--;
	if (wanted(question))
		call->awaited--;
	mem_free(question);
	if (call->ended && !call->reads)
		arena_free(call->arena);
	if (lives)
		call_run(call);
}

void company_ask(struct call *call, const struct company_asking *asking)
{
	struct company *company = service_company(call->service);
	const struct rules *rules = rulebook_in_force(service_rulebook(call->service));
	assert(company->database);
	if (!rules) {
		unavailable(call);
		return;
	}
	const char *schema = policy_subjects(rules_policy(rules))->schema;
	struct question *question = mem_calloc(1, sizeof *question);
	*question = (struct question){ .asking = *asking, .call = call, .generation = call->generation };
	question->asking.parameters = NULL; /* the caller's */
	call->reads++;
	call->awaited++;
	database_open(company->database);
	database_add(company->database, statement_of(company, asking->function, schema), asking->parameters);
	database_send(company->database, answered, question);
}
