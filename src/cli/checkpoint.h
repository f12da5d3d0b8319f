#ifndef NEEDTOKNOW_CLI_CHECKPOINT_H
#define NEEDTOKNOW_CLI_CHECKPOINT_H

#include "cli/command.h"

extern const struct flag audit_checkpoint_flags[];
enum exit_code audit_checkpoint_run(const struct invocation *invocation);

#endif
