#ifndef NEEDTOKNOW_CLI_BULK_FAILURES_H
#define NEEDTOKNOW_CLI_BULK_FAILURES_H

#include "cli/bulk_file.h"

#include <needtoknow/status.h>

/* Which lines of a file of requests were not done, and why. Zeroed: none. */
struct bulk_failure;

struct bulk_failures {
	struct bulk_failure *items; /* the first of them */
	size_t count, kept;
	size_t refused, unavailable; /* of them */
};

void bulk_failures_add(struct bulk_failures *failures, const struct bulk_line *line, enum exit_code code,
	const struct needtoknow_status *status);
/* What the process should end with: the worst of theirs. */
enum exit_code bulk_failures_code(const struct bulk_failures *failures);
/* On standard error, `FILE:LINE: why`, in the file's order; of very many the first. */
void bulk_failures_print(struct bulk_failures *failures, const char *file, const char *results);
void bulk_failures_release(struct bulk_failures *failures);

#endif
