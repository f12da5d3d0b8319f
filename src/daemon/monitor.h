#ifndef NEEDTOKNOW_DAEMON_MONITOR_H
#define NEEDTOKNOW_DAEMON_MONITOR_H

#include "daemon/configuration.h"
#include "daemon/metrics.h"
#include "io/loop.h"

/*
 * Plain HTTP on loopback, for the machine's own monitoring; served by the supervisor from what the workers have
 * published, so it answers whatever they do.
 *
 *   GET /metrics   Prometheus' text format
 *   GET /healthz   200 while a worker is alive, else 503
 *   GET /readyz    200 while a worker serves, else 503 and why not
 */
struct monitor;

/* NULL, with errno, when it cannot listen there. */
struct monitor *monitor_new(struct loop *loop, const struct listen_address *address, struct metrics *metrics);
/* NULL is allowed. */
void monitor_free(struct monitor *monitor);

#endif
