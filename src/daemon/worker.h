#ifndef NEEDTOKNOW_DAEMON_WORKER_H
#define NEEDTOKNOW_DAEMON_WORKER_H

#include "daemon/configuration.h"
#include "daemon/listeners.h"
#include "daemon/metrics.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * One process that serves: a loop with a service on it. It listens from its first moment on: while it cannot serve,
 * health says NOT_SERVING and calls are answered UNAVAILABLE, which tells a caller more than a closed port does. Where
 * others serve already, it listens once it serves itself, so that nobody is answered worse for its start.
 *
 * SIGTERM, SIGINT: no new connection, calls finish (drain_timeout_ms), then it ends. SIGHUP: certificate, key, lists
 * and policy are read again; what cannot be read is said, and what was there stays. When its supervisor dies it drains
 * and ends, so that nobody serves whom nobody watches. SIGUSR1: it listens now, whether it serves or not.
 */
struct worker_config {
	const struct configuration *configuration;
	unsigned number;
	pid_t supervisor;
	struct listeners *listeners; /* this process's copies; closed when it drains */
	bool others_serve; /* it need not listen before it serves */
	SSL_CTX *tls; /* what it starts with */
	struct metrics *metrics;
	int changed; /* an eventfd(2), written when the service's state has changed */
};

/* In a process of its own, after signals_block(). Returns its exit code. */
int worker_run(const struct worker_config *config);

#endif
