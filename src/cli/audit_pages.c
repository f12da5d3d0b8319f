#include "cli/audit_pages.h"

#include "cli/audit_failure.h"
#include "cli/failure.h"
#include "cli/output.h"

#include <stdio.h>

static enum exit_code print_all(const struct invocation *invocation, const struct audit_question *question,
	struct needtoknow_client *client, struct audit_view *view, void *context)
{
	struct needtoknow_status status;
	const char *next;
	char token[1024] = "";

	do {
		if (question->ask(context, client, token, &next, &status) != 0)
			return audit_failure(invocation, &status);
		if (question->show(context, view) != 0)
			return EXIT_FAILED;
		if (view->format == FORMAT_TEXT)
			table_print(view->table, stdout);
		if (output_flush() != 0)
			return EXIT_FAILED;
		snprintf(token, sizeof token, "%s", next);
	} while (token[0] != '\0');
	return EXIT_OK;
}

enum exit_code audit_pages_print(
	const struct invocation *invocation, const struct audit_question *question, enum format format, void *context)
{
	struct audit_view view = { .format = format };
	enum exit_code code;
	struct needtoknow_client *client = failure_connect(invocation, &code);

	if (client == NULL)
		return code;
	if (format == FORMAT_TEXT)
		view.table = table_new(question->text_headings, question->text_count);
	if (format == FORMAT_CSV)
		csv_begin(&view.csv, stdout, question->csv_headings, question->csv_count);
	code = print_all(invocation, question, client, &view, context);
	table_free(view.table);
	needtoknow_client_free(client);
	return code;
}
