#include "io/server_limits.h"

#include <stddef.h>

#define SECOND INT64_C(1000000)

static const struct {
	size_t offset;
	uint32_t value;
} defaults[] = {
	{ offsetof(struct server_limits, max_connections), 20000 },
	{ offsetof(struct server_limits, max_streams), 100 },
	{ offsetof(struct server_limits, max_header_bytes), 8192 },
	{ offsetof(struct server_limits, max_message_bytes), 1 << 20 },
	{ offsetof(struct server_limits, max_queued_bytes), 2 << 20 },
	{ offsetof(struct server_limits, max_control_frames), 100 },
	{ offsetof(struct server_limits, handshake_timeout_ms), 10000 },
	{ offsetof(struct server_limits, idle_timeout_ms), 300000 },
	{ offsetof(struct server_limits, write_timeout_ms), 20000 },
	{ offsetof(struct server_limits, request_timeout_ms), 10000 },
	{ offsetof(struct server_limits, keepalive_ms), 30000 },
};

_Static_assert(sizeof(struct server_limits) == sizeof defaults / sizeof *defaults * sizeof(uint32_t),
	"every limit has a default");

void server_limits_complete(struct server_limits *limits)
{
	for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++) {
		uint32_t *limit = (uint32_t *)((char *)limits + defaults[i].offset);
		if (*limit == 0)
			*limit = defaults[i].value;
	}
}

bool server_meter_count(struct server_meter *meter, int64_t now, uint32_t limit)
{
	if (meter->count == 0 || now - meter->since >= SECOND)
		*meter = (struct server_meter){ .since = now };
	return ++meter->count > limit;
}
