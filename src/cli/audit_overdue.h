#ifndef NEEDTOKNOW_CLI_AUDIT_OVERDUE_H
#define NEEDTOKNOW_CLI_AUDIT_OVERDUE_H

#include "cli/command.h"

extern const struct flag audit_overdue_flags[];

enum exit_code audit_overdue_run(const struct invocation *invocation);

#endif
