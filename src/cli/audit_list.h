#ifndef NEEDTOKNOW_CLI_AUDIT_LIST_H
#define NEEDTOKNOW_CLI_AUDIT_LIST_H

#include "cli/command.h"

extern const struct flag audit_list_flags[];

enum exit_code audit_list_run(const struct invocation *invocation);

#endif
