#ifndef NEEDTOKNOW_CLI_PROVE_H
#define NEEDTOKNOW_CLI_PROVE_H

#include "cli/command.h"

extern const struct flag audit_prove_flags[];
enum exit_code audit_prove_run(const struct invocation *invocation);

#endif
