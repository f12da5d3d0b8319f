#ifndef NEEDTOKNOW_BENCH_PHASES_H
#define NEEDTOKNOW_BENCH_PHASES_H

#include "load.h"

#include <jansson.h>

/*
 * What is measured, one thing at a time:
 *   share        count bookings are shared; no recipient's stream is connected
 *   deliver      the recipients connect to the backlog that `share` left, and receive all of it
 *   acknowledge  what `deliver` received is acknowledged; then the streams are closed
 *   booking      count bookings from Share to acknowledged, streams connected
 */
struct phases;

struct phase_order {
	const char *name;
	uint32_t count; /* of share and booking */
	double rate; /* a second, of share and booking; 0: closed loop */
	uint32_t in_flight; /* closed loop; 0: options.in_flight */
};

struct phases *phases_new(struct load *load);
void phases_free(struct phases *phases);

/* The phase's report, the caller's; NULL: it failed, and load->failure says why. */
json_t *phases_run(struct phases *phases, const struct phase_order *order);

#endif
