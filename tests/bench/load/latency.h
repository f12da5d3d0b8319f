#ifndef NEEDTOKNOW_BENCH_LATENCY_H
#define NEEDTOKNOW_BENCH_LATENCY_H

#include <stddef.h>
#include <stdint.h>

/* Durations in microseconds, all of them kept: quantiles are exact. Zeroed: empty. */
struct latencies {
	int64_t *values;
	size_t count, capacity;
};

void latencies_add(struct latencies *latencies, int64_t microseconds);
/* Sorts them. `fraction`: 0.5 is the median, 1 the longest. Milliseconds; 0 of none. */
double latencies_quantile(struct latencies *latencies, double fraction);
void latencies_release(struct latencies *latencies);

/* Microseconds of CLOCK_MONOTONIC, read now: loop_now() is that of the turn. */
int64_t latency_clock(void);

#endif
