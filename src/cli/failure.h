#ifndef NEEDTOKNOW_CLI_FAILURE_H
#define NEEDTOKNOW_CLI_FAILURE_H

#include "cli/command.h"

#include <needtoknow/client.h>

/* How a command connects, and how it says that something went wrong: what, why, and what to do, on standard error. */

/* From the flags or the environment. NULL after a line, and *code. */
struct needtoknow_client *failure_connect(const struct invocation *invocation, enum exit_code *code);

/* What the process should end with. */
enum exit_code failure_code(const struct needtoknow_status *status);

/* Writes it out, and returns failure_code(). */
enum exit_code failure_report(const struct invocation *invocation, const struct needtoknow_status *status);
/* The same for who knows better what it means and what to do; returns `code`. The hint may be NULL. */
enum exit_code failure_report_as(const struct invocation *invocation, const struct needtoknow_status *status,
	enum exit_code code, const char *hint);

#endif
