#ifndef NEEDTOKNOW_CLI_AUDIT_REGISTER_H
#define NEEDTOKNOW_CLI_AUDIT_REGISTER_H

#include "cli/command.h"

extern const struct flag audit_register_flags[];

enum exit_code audit_register_run(const struct invocation *invocation);

#endif
