#include "cli/policy_database.h"

#include "catalogue/ask.h"
#include "cli/output.h"
#include "io/database.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define REASON_MAX 1024

static void print_problem(const struct catalogue_problem *problem)
{
	bool wrong = problem->severity == CATALOGUE_ERROR;

	fputs(output_style(stdout, wrong ? STYLE_BAD : STYLE_WARNING), stdout);
	fputs(wrong ? "wrong: " : "warning: ", stdout);
	fputs(output_style(stdout, STYLE_PLAIN), stdout);
	output_text(stdout, problem->message);
	putchar('\n');
}

static void print_plan(const struct policy_source *source, const struct catalogue_plan *plan)
{
	printf("lookup: ");
	output_text(stdout, source->schema);
	putchar('.');
	output_text(stdout, source->view);
	fputs(" by ", stdout);
	output_text(stdout, source->key);
	if (plan == NULL) {
		puts(": no plan, since something is wrong with it");
		return;
	}
	printf("%s, cost %s\n", plan->by_key ? "" : ": NOT by key", plan->cost);
	for (const char *line = plan->text; *line != '\0';) {
		size_t length = strcspn(line, "\n");
		char text[REASON_MAX];
		snprintf(text, sizeof text, "%.*s", (int)length, line);
		fputs("  ", stdout);
		output_text(stdout, text);
		putchar('\n');
		line += length + (line[length] == '\n');
	}
}

enum exit_code policy_database_check(const struct policy *policy, const char *conninfo)
{
	char reason[REASON_MAX];

	if (database_check_library(reason, sizeof reason) != 0) {
		fprintf(stderr, "needtoknow policy check: %s\n", reason);
		return EXIT_FAILED;
	}
	struct catalogue *catalogue = catalogue_ask(conninfo, policy, false, reason, sizeof reason);
	if (catalogue == NULL) {
		fputs("needtoknow policy check: the database: ", stderr);
		output_text(stderr, reason);
		putc('\n', stderr);
		return EXIT_UNAVAILABLE;
	}
	for (size_t i = 0; i < policy_source_count(policy); i++)
		print_plan(policy_source_at(policy, i), catalogue_plan(catalogue, i));
	for (size_t i = 0; i < catalogue_problem_count(catalogue); i++)
		print_problem(catalogue_problem_at(catalogue, i));
	bool fits = catalogue_result(catalogue) == CATALOGUE_FIT;
	puts(fits ? "The policy fits the database." : "The policy does not fit the database.");
	catalogue_free(catalogue);
	return fits ? EXIT_OK : EXIT_FAILED;
}
