#ifndef NEEDTOKNOW_CLI_WHEN_H
#define NEEDTOKNOW_CLI_WHEN_H

#include <stdint.h>

/* Times as people type them: RFC 3339, or by how much before or after now. */
#define WHEN_ALLOWED "now, +2h, -30s, now+1d, or as 2026-11-23T09:00:00+01:00 (units s, m, h, d, y)"

/* `now` and *out are microseconds since 1970. 0, or -1 and *out untouched. */
int when_parse(const char *text, int64_t now, int64_t *out);

/* By this computer's clock. */
int64_t when_now(void);

#endif
