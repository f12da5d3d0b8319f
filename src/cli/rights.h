#ifndef NEEDTOKNOW_CLI_RIGHTS_H
#define NEEDTOKNOW_CLI_RIGHTS_H

#include "cli/command.h"

/* `needtoknow rights ...`: what clients ask for under the GDPR, as the privacy desk enters it. Role rights. */

extern const struct flag rights_register_flags[], rights_record_flags[], rights_rectify_flags[], rights_erase_flags[],
	rights_object_flags[], rights_restrict_flags[], rights_list_flags[], rights_extend_flags[];

enum exit_code rights_register_run(const struct invocation *invocation);
enum exit_code rights_record_run(const struct invocation *invocation);
enum exit_code rights_rectify_run(const struct invocation *invocation);
enum exit_code rights_erase_run(const struct invocation *invocation);
enum exit_code rights_object_run(const struct invocation *invocation);
enum exit_code rights_restrict_run(const struct invocation *invocation);
enum exit_code rights_list_run(const struct invocation *invocation);
enum exit_code rights_extend_run(const struct invocation *invocation);

#endif
