#ifndef NEEDTOKNOW_CLI_BULK_RESULTS_H
#define NEEDTOKNOW_CLI_BULK_RESULTS_H

#include "cli/bulk_file.h"
#include "cli/csv.h"

#include <limits.h>

/*
 * What became of each line of a file of requests: a file beside it, readable by its owner alone, a line each as soon as
 * it is answered. It is what a second run goes on from: what was done is not asked again. It names clients, and holds
 * none of their data.
 */
struct bulk_results {
	struct csv csv; /* its file is NULL while there is none */
	char path[PATH_MAX];
};

/*
 * Marks the lines that were done before, and begins the file anew with what was done; `path`: NULL for the file's own
 * name with `.results.csv` behind it. `anew`: lines of the file are asked again though they were done, as a value that
 * was changed since is not told from what a request id is made of. EXIT_OK; or EXIT_USAGE or EXIT_FAILED after a line.
 */
enum exit_code bulk_results_open(
	struct bulk_results *results, const char *path, const char *of, bool anew, struct bulk_file *file);
/* What an answer says; `reason` and `message` are "" where it was done. */
struct bulk_result {
	const char *outcome; /* DONE, REFUSED, FAILED or UNAVAILABLE */
	const char *reason, *message;
};
/* 0, or -1: it cannot be written. */
int bulk_results_add(struct bulk_results *results, const struct bulk_line *line, const struct bulk_result *result);
/* 0, or -1: something could not be written. */
int bulk_results_close(struct bulk_results *results);

#endif
