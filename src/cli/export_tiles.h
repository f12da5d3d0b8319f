#ifndef NEEDTOKNOW_CLI_EXPORT_TILES_H
#define NEEDTOKNOW_CLI_EXPORT_TILES_H

#include "cli/command.h"

extern const struct flag audit_export_tiles_flags[];
enum exit_code audit_export_tiles_run(const struct invocation *invocation);

#endif
