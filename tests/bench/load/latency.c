#include "latency.h"

#include "base/memory.h"

#include <stdlib.h>
#include <time.h>

void latencies_add(struct latencies *latencies, int64_t microseconds)
{
	if (latencies->count == latencies->capacity) {
		latencies->capacity = latencies->capacity != 0 ? latencies->capacity * 2 : 4096;
		latencies->values = mem_realloc(latencies->values, latencies->capacity * sizeof *latencies->values);
	}
	latencies->values[latencies->count++] = microseconds;
}

static int ascending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

double latencies_quantile(struct latencies *latencies, double fraction)
{
	if (latencies->count == 0)
		return 0;
	qsort(latencies->values, latencies->count, sizeof *latencies->values, ascending);
	size_t rank = (size_t)(fraction * (double)latencies->count);
	return (double)latencies->values[rank < latencies->count ? rank : latencies->count - 1] / 1000.0;
}

void latencies_release(struct latencies *latencies)
{
	mem_free(latencies->values);
	*latencies = (struct latencies){ 0 };
}

int64_t latency_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
