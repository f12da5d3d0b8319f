#ifndef NEEDTOKNOW_CLI_RECIPIENT_H
#define NEEDTOKNOW_CLI_RECIPIENT_H

#include "cli/command.h"

#include <needtoknow/v1/registry.pb-c.h>

extern const struct flag recipient_put_flags[];
extern const struct flag recipient_get_flags[];
extern const struct flag recipient_list_flags[];

enum exit_code recipient_put_run(const struct invocation *invocation);
enum exit_code recipient_get_run(const struct invocation *invocation);
enum exit_code recipient_list_run(const struct invocation *invocation);

/* For people, on standard output. NULL: nothing. */
void recipient_show(const Needtoknow__V1__Recipient *recipient);

#endif
