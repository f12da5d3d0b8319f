#ifndef NEEDTOKNOW_CLI_AUDIT_FAILURE_H
#define NEEDTOKNOW_CLI_AUDIT_FAILURE_H

#include "cli/command.h"

#include <needtoknow/client.h>

/* failure_report() for auditors: what is not found is no refusal, and another thing is to be done about it. */
enum exit_code audit_failure(const struct invocation *invocation, const struct needtoknow_status *status);

#endif
