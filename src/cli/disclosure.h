#ifndef NEEDTOKNOW_CLI_DISCLOSURE_H
#define NEEDTOKNOW_CLI_DISCLOSURE_H

#include "cli/command.h"

extern const struct flag disclosure_get_flags[];
extern const struct flag disclosure_list_flags[];

enum exit_code disclosure_get_run(const struct invocation *invocation);
enum exit_code disclosure_list_run(const struct invocation *invocation);

#endif
