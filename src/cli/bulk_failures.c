#include "cli/bulk_failures.h"

#include "base/memory.h"
#include "cli/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 20

struct bulk_failure {
	const struct bulk_line *line;
	char reason[64]; /* as in needtoknow_status */
	char *message;
};

/* Of lines that come in any order the first ones are kept. */
static int by_line(const void *left, const void *right)
{
	const struct bulk_failure *a = left, *b = right;

	return a->line->number < b->line->number ? -1 : a->line->number > b->line->number;
}

void bulk_failures_add(struct bulk_failures *failures, const struct bulk_line *line, enum exit_code code,
	const struct needtoknow_status *status)
{
	failures->count++;
	failures->refused += code == EXIT_REFUSED;
	failures->unavailable += code == EXIT_UNAVAILABLE;
	if (failures->kept > SHOWN) {
		qsort(failures->items, failures->kept, sizeof *failures->items, by_line);
		mem_free(failures->items[--failures->kept].message);
	}
	failures->items = mem_realloc(failures->items, (failures->kept + 1) * sizeof *failures->items);
	struct bulk_failure *failure = &failures->items[failures->kept++];
	*failure = (struct bulk_failure){ .line = line, .message = mem_strdup(status->message) };
	snprintf(failure->reason, sizeof failure->reason, "%s",
		status->reason[0] != '\0' ? status->reason : needtoknow_status_name(status->code));
}

enum exit_code bulk_failures_code(const struct bulk_failures *failures)
{
	if (failures->count > failures->refused + failures->unavailable)
		return EXIT_FAILED;
	if (failures->unavailable > 0)
		return EXIT_UNAVAILABLE;
	return failures->refused > 0 ? EXIT_REFUSED : EXIT_OK;
}

void bulk_failures_print(struct bulk_failures *failures, const char *file, const char *results)
{
	size_t shown = failures->kept < SHOWN ? failures->kept : SHOWN;

	if (failures->kept > 0)
		qsort(failures->items, failures->kept, sizeof *failures->items, by_line);
	for (size_t i = 0; i < shown; i++) {
		const struct bulk_failure *failure = &failures->items[i];
		fprintf(stderr, "%s:%zu: ", file, failure->line->number);
		output_text(stderr, failure->line->cells[BULK_SUBJECT]);
		fputs(": ", stderr);
		output_text(stderr, failure->reason);
		fputs(": ", stderr);
		output_text(stderr, failure->message);
		putc('\n', stderr);
	}
	if (failures->count > shown)
		fprintf(stderr, "and %zu more: %s has them all\n", failures->count - shown, results);
}

void bulk_failures_release(struct bulk_failures *failures)
{
	for (size_t i = 0; i < failures->kept; i++)
		mem_free(failures->items[i].message);
	mem_free(failures->items);
	*failures = (struct bulk_failures){ 0 };
}
