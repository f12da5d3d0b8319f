#ifndef NEEDTOKNOW_CLI_CHANGE_H
#define NEEDTOKNOW_CLI_CHANGE_H

#include "cli/command.h"

/* What becomes of a disclosure: its window moves, it ends, or another gets the job. */

extern const struct flag disclosure_reschedule_flags[];
extern const struct flag disclosure_revoke_flags[];
extern const struct flag disclosure_reassign_flags[];

enum exit_code disclosure_reschedule_run(const struct invocation *invocation);
enum exit_code disclosure_revoke_run(const struct invocation *invocation);
enum exit_code disclosure_reassign_run(const struct invocation *invocation);

#endif
