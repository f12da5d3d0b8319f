#ifndef NEEDTOKNOW_CLI_REGISTER_PRINT_H
#define NEEDTOKNOW_CLI_REGISTER_PRINT_H

#include "cli/command.h"
#include "cli/format.h"

#include <needtoknow/v1/audit.pb-c.h>

/* The record of processing activities (GDPR art. 30), on standard output. EXIT_FAILED: it could not be written. */
enum exit_code register_print(const Needtoknow__V1__GetRegisterResponse *record, enum format format);

#endif
