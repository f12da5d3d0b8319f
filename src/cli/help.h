#ifndef NEEDTOKNOW_CLI_HELP_H
#define NEEDTOKNOW_CLI_HELP_H

#include "cli/command.h"

#include <stdio.h>

/* All of it comes from the table of commands. */

/* Every command, a line each; with a `group` of two-word commands (`recipient`), those alone. */
void help_overview(FILE *file, const char *group);
/* One command: how to call it, its flags, what it does, examples. */
void help_command(FILE *file, const struct command *command);

#endif
