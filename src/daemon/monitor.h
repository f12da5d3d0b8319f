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
 *   GET /readyz    200 while a worker serves, else 503 and why not; in a rolling restart also while one of before does
 */
struct monitor;

/* At `socket`, which listens and becomes the monitor's, or at the address when it is -1. NULL, with errno, when it
 * cannot. */
struct monitor *monitor_new(
	struct loop *loop, const struct listen_address *address, int socket, struct metrics *metrics);
/* The listening socket; it stays the monitor's. */
int monitor_socket(const struct monitor *monitor);
/* NULL is allowed. */
void monitor_free(struct monitor *monitor);

#endif
