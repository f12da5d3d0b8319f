#ifndef NEEDTOKNOW_CLI_SHARE_H
#define NEEDTOKNOW_CLI_SHARE_H

#include "cli/command.h"

extern const struct flag share_flags[];
extern const struct flag explain_flags[];

enum exit_code share_run(const struct invocation *invocation);
enum exit_code explain_run(const struct invocation *invocation);

#endif
