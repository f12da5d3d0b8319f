#ifndef NEEDTOKNOW_CLI_AUDIT_EXPOSURE_H
#define NEEDTOKNOW_CLI_AUDIT_EXPOSURE_H

#include "cli/command.h"

extern const struct flag audit_exposure_flags[];

enum exit_code audit_exposure_run(const struct invocation *invocation);

#endif
