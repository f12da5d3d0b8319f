#ifndef NEEDTOKNOW_CLI_AUDIT_REPORT_H
#define NEEDTOKNOW_CLI_AUDIT_REPORT_H

#include "cli/command.h"

extern const struct flag audit_report_flags[];

enum exit_code audit_report_run(const struct invocation *invocation);

#endif
