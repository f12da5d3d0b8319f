#include "cli/retention_plan.h"

#include "cli/csv.h"
#include "cli/format.h"
#include "cli/output.h"
#include "cli/policy_file.h"
#include "cli/retention_question.h"
#include "cli/table.h"
#include "io/database.h"
#include "pure/column_retention.h"
#include "pure/time.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 20
#define REASON_MAX 1024
#define COLUMNS_TEXT_MAX 4096

const struct flag retention_plan_flags[] = {
	{ "database", "DSN", "libpq's connection string, as the role that calls the company's functions", true },
	{ "limit", "N", "name at most as many clients of each group, oldest first; 0: all [20]", false },
	FORMAT_FLAG,
	{ 0 },
};

static const char *const text_headings[] = { "CLIENT", "SINCE", "COLUMNS" };
static const char *const csv_headings[] = { "keep", "subject_id", "since", "columns" };

struct plan {
	const struct policy *policy;
	enum format format;
	struct csv csv;
	/* Of the question that is being told. */
	struct retention_question question;
	struct table *table;
	uint64_t clients, told;
	json_t *list;
};

/* Columns a line each -> in one line, with a space between two. */
static void in_one_line(const char *columns, char out[COLUMNS_TEXT_MAX])
{
	snprintf(out, COLUMNS_TEXT_MAX, "%s", columns);
	for (char *at = out; *at != '\0'; at++) {
		if (*at == '\n')
			*at = ' ';
	}
}

/* As the policy writes it. */
static const char *keep_of(const struct retention_question *question)
{
	return question->columns != NULL ? question->columns->after.text : question->anchor;
}

/* ---- for people ---- */

static void print_heading(const struct plan *plan)
{
	const struct policy_column_retention *columns = plan->question.columns;

	fputs(output_style(stdout, STYLE_BOLD), stdout);
	if (columns == NULL)
		fputs("Held by an erasure until a law's date that has come", stdout);
	for (size_t i = 0; columns != NULL && i < columns->field_count; i++) {
		fputs(i > 0 ? ", " : "", stdout);
		output_text(stdout, columns->fields[i].name);
	}
	fputs(output_style(stdout, STYLE_PLAIN), stdout);
	if (columns != NULL) {
		fputs(": kept until ", stdout);
		output_text(stdout, columns->after.text);
	}
	if (columns != NULL && columns->after.because != NULL) {
		fputs(" (", stdout);
		output_text(stdout, columns->after.because);
		putchar(')');
	}
	putchar('\n');
}

static void begin_text(struct plan *plan)
{
	print_heading(plan);
	plan->table = table_new(text_headings, sizeof text_headings / sizeof *text_headings);
	if (plan->clients == 0)
		puts("  nobody");
}

static void client_text(struct plan *plan, const struct retention_line *line, const Google__Protobuf__Timestamp *since)
{
	char columns[COLUMNS_TEXT_MAX], time[OUTPUT_TIME_MAX];

	if (plan->told == 1)
		printf("%" PRIu64 " client%s, the oldest since %s\n", plan->clients, plan->clients == 1 ? "" : "s",
			output_time(since, time));
	table_cell(plan->table, line->subject_id);
	table_cell(plan->table, output_time(since, time));
	in_one_line(line->columns, columns);
	table_cell(plan->table, columns);
}

static void end_text(struct plan *plan)
{
	table_print(plan->table, stdout);
	table_free(plan->table);
	plan->table = NULL;
	if (plan->clients > plan->told)
		printf("and %" PRIu64 " more\n", plan->clients - plan->told);
	putchar('\n');
}

/* ---- for programs ---- */

static void client_csv(struct plan *plan, const struct retention_line *line, const Google__Protobuf__Timestamp *since)
{
	char columns[COLUMNS_TEXT_MAX];

	csv_text(&plan->csv, keep_of(&plan->question));
	csv_text(&plan->csv, line->subject_id);
	csv_time(&plan->csv, since);
	in_one_line(line->columns, columns);
	csv_text(&plan->csv, columns);
	csv_end(&plan->csv);
}

static json_t *columns_json(const char *columns)
{
	json_t *list = json_array();

	while (*columns != '\0') {
		size_t length = strcspn(columns, "\n");
		json_array_append_new(list, json_stringn(columns, length));
		columns += length + (columns[length] == '\n');
	}
	return list;
}

static void client_json(struct plan *plan, const struct retention_line *line, const Google__Protobuf__Timestamp *since)
{
	char time[OUTPUT_TIME_MAX];

	json_array_append_new(plan->list,
		json_pack("{s:s, s:o, s:o}", "subject_id", line->subject_id, "since",
			since != NULL ? json_string(output_time(since, time)) : json_null(), "columns",
			columns_json(line->columns)));
}

static void end_json(struct plan *plan)
{
	const struct policy_column_retention *columns = plan->question.columns;
	json_t *fields = json_array();

	for (size_t i = 0; columns != NULL && i < columns->field_count; i++)
		json_array_append_new(fields, json_string(columns->fields[i].name));
	output_json_line(json_pack("{s:s, s:o, s:I, s:o}", "keep", keep_of(&plan->question), "fields", fields,
		"clients", (json_int_t)plan->clients, "oldest", plan->list));
}

/* ---- the command ---- */

static void begin(void *context, size_t question, uint64_t clients)
{
	struct plan *plan = context;

	retention_question(plan->policy, question, &plan->question);
	plan->clients = clients;
	plan->told = 0;
	if (plan->format == FORMAT_TEXT)
		begin_text(plan);
	else if (plan->format == FORMAT_JSON)
		plan->list = json_array();
}

static void client(void *context, const struct retention_line *line)
{
	static void (*const tell[])(
		struct plan * plan, const struct retention_line *line, const Google__Protobuf__Timestamp *since) = {
		[FORMAT_TEXT] = client_text,
		[FORMAT_JSON] = client_json,
		[FORMAT_CSV] = client_csv,
	};
	struct plan *plan = context;
	Google__Protobuf__Timestamp since = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	if (line->since != TIME_NONE)
		time_to_timestamp(line->since, &since);
	plan->told++;
	tell[plan->format](plan, line, line->since != TIME_NONE ? &since : NULL);
}

static void end(void *context)
{
	struct plan *plan = context;

	if (plan->format == FORMAT_TEXT)
		end_text(plan);
	else if (plan->format == FORMAT_JSON)
		end_json(plan);
}

/* 0: all. False after a line on standard error. */
static bool read_limit(const struct invocation *invocation, int64_t *limit)
{
	const char *text = flag_value(invocation, "limit");
	size_t digits = text != NULL ? strspn(text, "0123456789") : 0;

	*limit = LIMIT_DEFAULT;
	if (text == NULL)
		return true;
	if (digits == 0 || digits > 9 || text[digits] != '\0') {
		fprintf(stderr, "needtoknow retention plan: --limit: `%s` is not a number of at most nine digits\n",
			text);
		return false;
	}
	*limit = strtol(text, NULL, 10);
	if (*limit == 0)
		*limit = RETENTION_ALL;
	return true;
}

static enum exit_code ask(const struct invocation *invocation, struct plan *plan, int64_t limit)
{
	struct retention_listener listener = { begin, client, end, plan };
	char reason[REASON_MAX];

	if (database_check_library(reason, sizeof reason) != 0) {
		fprintf(stderr, "needtoknow retention plan: %s\n", reason);
		return EXIT_FAILED;
	}
	if (plan->format == FORMAT_CSV)
		csv_begin(&plan->csv, stdout, csv_headings, sizeof csv_headings / sizeof *csv_headings);
	if (retention_ask(flag_value(invocation, "database"), plan->policy, limit, &listener, reason, sizeof reason) !=
		0) {
		fputs("needtoknow retention plan: the database: ", stderr);
		output_text(stderr, reason);
		putc('\n', stderr);
		return EXIT_UNAVAILABLE;
	}
	if (plan->format == FORMAT_TEXT)
		puts("Nothing was changed. needtoknowd has it erased where its configuration says `sweep_columns: "
		     "true`; "
		     "what an erasure held\ngoes in any case.");
	return EXIT_OK;
}

enum exit_code retention_plan_run(const struct invocation *invocation)
{
	struct plan plan = { 0 };
	int64_t limit;
	enum exit_code code = format_read(invocation, FORMAT_CSV, &plan.format);

	if (code != EXIT_OK)
		return code;
	if (!read_limit(invocation, &limit))
		return EXIT_USAGE;
	struct policy *policy = policy_file_load(invocation->operand);
	if (policy == NULL)
		return EXIT_FAILED;
	plan.policy = policy;
	code = ask(invocation, &plan, limit);
	policy_free(policy);
	return code;
}
