#include "cli/progress.h"

#include "cli/when.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define EVERY 200000 /* microseconds */
#define SECOND 1000000
#define BAR 20 /* columns */

static const char full[] = "####################";
_Static_assert(sizeof full == BAR + 1, "as long as the bar");

void progress_start(struct progress *progress, const char *doing, uint64_t begun_at, uint64_t total)
{
	*progress = (struct progress){
		.doing = doing,
		.unit = "entries",
		.total = total,
		.begun_at = begun_at,
		.started = when_now(),
		.terminal = isatty(STDERR_FILENO) == 1,
	};
	progress->shown = progress->started;
}

double progress_seconds(const struct progress *progress)
{
	return (double)(when_now() - progress->started) / SECOND;
}

double progress_rate(const struct progress *progress, uint64_t done)
{
	double seconds = progress_seconds(progress);

	return seconds > 0 && done > progress->begun_at ? (double)(done - progress->begun_at) / seconds : 0;
}

void progress_show(struct progress *progress, uint64_t done)
{
	if (!progress->terminal)
		return;
	int64_t now = when_now();
	if (now - progress->shown < EVERY)
		return;
	progress->shown = now;
	double share = progress->total > 0 ? (double)done / (double)progress->total : 1;
	int bar = (int)(share * BAR);
	fprintf(stderr, "\r%s [%.*s%*s] %" PRIu64 " of %" PRIu64 " %s, %.0f %%, %.0f a second\033[K", progress->doing,
		bar, full, BAR - bar, "", done, progress->total, progress->unit, 100.0 * share,
		progress_rate(progress, done));
	fflush(stderr);
}

void progress_end(struct progress *progress)
{
	if (progress->terminal && progress->shown != progress->started)
		fputs("\r\033[K", stderr);
}
