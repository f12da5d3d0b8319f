#ifndef NEEDTOKNOW_CLI_RECEIVE_H
#define NEEDTOKNOW_CLI_RECEIVE_H

#include "cli/command.h"

extern const struct flag receive_flags[];

enum exit_code receive_run(const struct invocation *invocation);

#endif
