#ifndef NEEDTOKNOW_DAEMON_MIGRATE_TEXT_H
#define NEEDTOKNOW_DAEMON_MIGRATE_TEXT_H

#include "base/buffer.h"

#include <stddef.h>

/* What :"name" in a migration stands for, as in psql. */
struct placeholder {
	const char *name;
	const char *quoted; /* a quoted SQL identifier */
};

/*
 * Puts each placeholder's identifier in its place. Strings, quoted identifiers, comments and bodies between dollar
 * quotes stay as they are. 0, or -1 with a line in `error`: a placeholder that is not in the table, or a text too large
 * for the buffer.
 */
int migrate_substitute(const char *text, const struct placeholder *placeholders, size_t count, struct buffer *out,
	char *error, size_t error_size);

#endif
