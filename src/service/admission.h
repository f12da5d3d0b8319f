#ifndef NEEDTOKNOW_SERVICE_ADMISSION_H
#define NEEDTOKNOW_SERVICE_ADMISSION_H

#include "service/call.h"

#include <stdbool.h>

/*
 * Who is let in when more is asked for than can be done. Whoever is refused is told so at once, before anything is
 * read for them, with RESOURCE_EXHAUSTED, reason OVERLOADED, and in how long to try again (grpc-retry-pushback-ms); so
 * those who are let in are answered in time.
 *
 * New requests go first: they are refused while those before them wait for the train longer than limits.max_wait_ms,
 * and when four fifths of limits.max_calls are there.
 * Deliveries, acknowledgements, confirmations and whatever ends something are not refused for that: they board before.
 */
struct admission {
	int64_t complained_at; /* loop time */
	uint32_t told; /* how many were told when to come again, to spread them */
};

/* Answers and returns true: the request is not to be begun. */
bool admission_refuses(struct service *service, struct server_stream *stream, const struct method *method);

#endif
