#ifndef NEEDTOKNOW_IO_SERVER_LIMITS_H
#define NEEDTOKNOW_IO_SERVER_LIMITS_H

#include "io/server.h"

#include <stdbool.h>
#include <stdint.h>

/* Every limit that is 0 takes its default. */
void server_limits_complete(struct server_limits *limits);

/* Counts what a peer may do only so often a second. All zero is a new one. */
struct server_meter {
	int64_t since; /* loop_now() of the first one counted */
	uint32_t count;
};

/* One more. True when that is more than `limit` within a second. */
bool server_meter_count(struct server_meter *meter, int64_t now, uint32_t limit);

#endif
