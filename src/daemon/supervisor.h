#ifndef NEEDTOKNOW_DAEMON_SUPERVISOR_H
#define NEEDTOKNOW_DAEMON_SUPERVISOR_H

#include "daemon/configuration.h"
#include "daemon/handover.h"

#include <openssl/ssl.h>

/*
 * The daemon's first process. It holds the listening sockets, keeps `workers` workers alive, tells the service manager
 * and the monitoring how they are, and passes signals on. It reads no byte of a caller's, and never speaks to a
 * database.
 *
 * SIGTERM, SIGINT: the workers drain; who has not ended 5 s after drain_timeout_ms is killed. SIGHUP: the workers read
 * certificate, key, lists and policy again, and those started later start with what was good then. SIGUSR2: a rolling
 * restart (handover.h): the program that lies there now and the configuration as it is now are looked at (`check`);
 * when they are in order, the supervisor becomes that program, starts the workers anew, and has the old ones drain one
 * by one as the new ones come to serve. While none does, the old ones go on. Counters begin anew then.
 */

/*
 * Until it is told to stop. Closes the handover's sockets, and takes a reference of its own of `tls`. Returns the exit
 * code: 0 after an orderly stop; 1 when a worker ended otherwise than in order then, when the workers never came to
 * serve, or when it could not start (said in the log).
 */
int supervisor_run(const struct configuration *configuration, const struct program *program, struct handover *handover,
	SSL_CTX *tls);

#endif
