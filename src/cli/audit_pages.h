#ifndef NEEDTOKNOW_CLI_AUDIT_PAGES_H
#define NEEDTOKNOW_CLI_AUDIT_PAGES_H

#include "cli/command.h"
#include "cli/csv.h"
#include "cli/format.h"
#include "cli/table.h"

#include <needtoknow/client.h>

/* How many lines are asked for at once. */
#define AUDIT_PAGE_SIZE 1000

/* Where the lines of an answer go. */
struct audit_view {
	enum format format;
	struct table *table; /* of FORMAT_TEXT */
	struct csv csv; /* of FORMAT_CSV */
};

/* A question of auditors whose answer comes in pages. `context` is whoever asks'. */
struct audit_question {
	const char *const *text_headings, *const *csv_headings;
	size_t text_count, csv_count;
	/* Asks for the page that `token` names, "" for the first, and keeps it in the context; `next` is of that page.
	 * 0, or -1 with the status. */
	int (*ask)(void *context, struct needtoknow_client *client, char *token, const char **next,
		struct needtoknow_status *status);
	/* Writes the page's lines to the view. 0, or -1: they cannot be written. */
	int (*show)(const void *context, struct audit_view *view);
};

/* Connects, asks for all pages, and prints each when it has come. */
enum exit_code audit_pages_print(
	const struct invocation *invocation, const struct audit_question *question, enum format format, void *context);

#endif
