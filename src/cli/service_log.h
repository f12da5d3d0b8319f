#ifndef NEEDTOKNOW_CLI_SERVICE_LOG_H
#define NEEDTOKNOW_CLI_SERVICE_LOG_H

#include "cli/trust.h"

#include <needtoknow/client.h>

/* The log as a service shows it: its last checkpoint, and that what one has is its beginning. */
struct service_log {
	const struct invocation *invocation;
	struct needtoknow_client *client;
	struct buffer note;
	struct checkpoint checkpoint;
};

/* Connects and asks for the last checkpoint. EXIT_OK; else after a line. *result is why the note does not verify: then
 * nothing was said, and the code is EXIT_FAILED. Closed in any case. */
enum exit_code service_log_open(struct service_log *log, const struct invocation *invocation, const struct trust *trust,
	enum note_result *result);
void service_log_close(struct service_log *log);

enum proof_result {
	PROOF_HOLDS,
	PROOF_WRONG, /* the service has another history, or cannot prove that it has not */
	PROOF_FAILED, /* no proof was to be had; *code, after a line */
};

/* Does the last checkpoint continue the log that had `size` leaves, at least 1, and this root? */
enum proof_result service_log_continues(
	struct service_log *log, uint64_t size, const struct merkle_hash *root, enum exit_code *code);

#endif
