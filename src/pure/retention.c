#include "pure/retention.h"

#include "pure/tile.h"
#include "pure/time.h"

#define INTERVAL_MAX (3600 * TIME_SECOND)
#define PARTITIONS_AHEAD 2
#define DAYS_AHEAD 2

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t prune_until(const struct prune_facts *facts)
{
	uint64_t reach = least(least(facts->old, facts->needed), least(facts->signed_size, facts->tiled));
	reach -= reach % TILE_WIDTH;
	return reach > facts->pruned ? reach : 0;
}

int64_t prune_interval(int64_t keep)
{
	int64_t quarter = keep / 4;
	if (quarter < TIME_SECOND)
		return TIME_SECOND;
	return quarter < INTERVAL_MAX ? quarter : INTERVAL_MAX;
}

uint64_t partitions_wanted(uint64_t size, uint64_t last_day)
{
	uint64_t filled = (DAYS_AHEAD * last_day + LEDGER_PARTITION - 1) / LEDGER_PARTITION;
	return size / LEDGER_PARTITION + 1 + (filled > PARTITIONS_AHEAD ? filled : PARTITIONS_AHEAD);
}

bool partitions_are_short(uint64_t size, uint64_t end)
{
	return end < (size / LEDGER_PARTITION + 2) * LEDGER_PARTITION;
}
