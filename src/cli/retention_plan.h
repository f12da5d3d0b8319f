#ifndef NEEDTOKNOW_CLI_RETENTION_PLAN_H
#define NEEDTOKNOW_CLI_RETENTION_PLAN_H

#include "cli/command.h"

/* `retention plan`: whose columns the policy's retention would have erased now. A dry run. */
extern const struct flag retention_plan_flags[];
enum exit_code retention_plan_run(const struct invocation *invocation);

#endif
