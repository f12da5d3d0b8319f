#ifndef NEEDTOKNOW_CLI_POLICY_FILE_H
#define NEEDTOKNOW_CLI_POLICY_FILE_H

#include "pure/policy.h"

/* The policy in a file; policy_free() it. NULL after `FILE:LINE:COLUMN: message` on standard error. */
struct policy *policy_file_load(const char *path);

#endif
