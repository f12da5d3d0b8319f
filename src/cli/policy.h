#ifndef NEEDTOKNOW_CLI_POLICY_H
#define NEEDTOKNOW_CLI_POLICY_H

#include "cli/command.h"

extern const struct flag policy_check_flags[];
extern const struct flag policy_explain_flags[];
extern const struct flag policy_grants_flags[];
extern const struct flag policy_register_flags[];
extern const struct flag policy_reload_flags[];

enum exit_code policy_check_run(const struct invocation *invocation);
enum exit_code policy_explain_run(const struct invocation *invocation);
/* EXIT_FAILED when anybody would see more, EXIT_USAGE when a file is no policy. */
enum exit_code policy_diff_run(const struct invocation *invocation);
enum exit_code policy_register_run(const struct invocation *invocation);
enum exit_code policy_reload_run(const struct invocation *invocation);
enum exit_code policy_grants_run(const struct invocation *invocation);

#endif
