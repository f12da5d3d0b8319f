#ifndef NEEDTOKNOW_CLI_PROGRESS_H
#define NEEDTOKNOW_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* How far it is, on a terminal's standard error alone, and how fast it was. */
struct progress {
	const char *doing; /* `verified` */
	const char *unit; /* [entries] of what */
	uint64_t total;
	uint64_t begun_at; /* how many were done before */
	int64_t started, shown; /* microseconds */
	bool terminal;
};

void progress_start(struct progress *progress, const char *doing, uint64_t begun_at, uint64_t total);
/* Cheap enough for every tile. */
void progress_show(struct progress *progress, uint64_t done);
/* Takes the line away. */
void progress_end(struct progress *progress);
/* Since the start. */
double progress_seconds(const struct progress *progress);
double progress_rate(const struct progress *progress, uint64_t done);

#endif
