#ifndef NEEDTOKNOW_CLI_SUSPENSION_H
#define NEEDTOKNOW_CLI_SUSPENSION_H

#include "cli/command.h"

/* A recipient that gets nothing any more, or again; a device of it that was lost. */

extern const struct flag recipient_suspend_flags[];
extern const struct flag recipient_resume_flags[];
extern const struct flag recipient_revoke_device_flags[];

enum exit_code recipient_suspend_run(const struct invocation *invocation);
enum exit_code recipient_resume_run(const struct invocation *invocation);
enum exit_code recipient_revoke_device_run(const struct invocation *invocation);

#endif
