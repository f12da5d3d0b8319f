#ifndef NEEDTOKNOW_PURE_DURATION_H
#define NEEDTOKNOW_PURE_DURATION_H

#include <stddef.h>
#include <stdint.h>

/*
 * Lengths of time as the policy file writes them: digits and one unit, `s m h d y`, lower case. A day is 24 hours and a
 * year 365 days. There is no month: `m` is a minute, and how long a month lasts depends on which. Whatever else is
 * written is refused.
 */
#define DURATION_ALLOWED "digits and one of s, m, h, d, y, such as 30s, 24h or 5y"
#define DURATION_MAX_YEARS 1000

/* Microseconds, 0 or more. 0, or -1 and *out untouched: not of this form, or over a thousand years. */
int duration_parse(const char *text, int64_t *out);

/*
 * One of `anchors`, or one of them with `+` or `-` and a duration: `start-24h`. The longest anchor that fits is taken,
 * so that anchors may have a `-` in them. 0, or -1 and nothing touched.
 */
int duration_parse_anchored(
	const char *text, const char *const *anchors, size_t count, size_t *anchor, int64_t *offset);

/* And back, in the largest unit that leaves no remainder; up to two days are written in hours, `24h`. Fractions of a
 * second are left out. `microseconds` is 0 or more. */
#define DURATION_TEXT_MAX 24
void duration_format(int64_t microseconds, char out[DURATION_TEXT_MAX]);

#endif
