#include "pure/duration.h"

#include "pure/time.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct unit {
	char letter;
	int64_t microseconds;
} units[] = {
	{ 's', TIME_SECOND },
	{ 'm', 60 * TIME_SECOND },
	{ 'h', 3600 * TIME_SECOND },
	{ 'd', 86400 * TIME_SECOND },
	{ 'y', 365 * 86400 * TIME_SECOND },
};

static int64_t unit_of(char letter)
{
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (units[i].letter == letter)
			return units[i].microseconds;
	}
	return 0;
}

int duration_parse(const char *text, int64_t *out)
{
	const int64_t longest = TIME_SECOND * 86400 * 365 * DURATION_MAX_YEARS;
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 12 || strlen(text) != digits + 1)
		return -1;
	int64_t unit = unit_of(text[digits]);
	if (unit == 0)
		return -1;
	int64_t number = 0;
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (text[i] - '0');
	if (number > longest / unit)
		return -1;
	*out = number * unit;
	return 0;
}

int duration_parse_anchored(const char *text, const char *const *anchors, size_t count, size_t *anchor, int64_t *offset)
{
	size_t best = count;
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(anchors[i]);
		if (strncmp(text, anchors[i], length) == 0 && (best == count || length > strlen(anchors[best])))
			best = i;
	}
	if (best == count)
		return -1;

	const char *rest = text + strlen(anchors[best]);
	int64_t length = 0;
	if (*rest != '\0' && ((*rest != '+' && *rest != '-') || duration_parse(rest + 1, &length) != 0))
		return -1;
	*anchor = best;
	*offset = *rest == '-' ? -length : length;
	return 0;
}

void duration_format(int64_t microseconds, char out[DURATION_TEXT_MAX])
{
	const struct unit *unit = units;
	for (size_t i = 1; i < sizeof units / sizeof *units; i++) {
		bool whole = microseconds % units[i].microseconds == 0 && microseconds >= units[i].microseconds;
		if (whole && (units[i].letter != 'd' || microseconds > 2 * units[i].microseconds))
			unit = &units[i];
	}
	snprintf(out, DURATION_TEXT_MAX, "%" PRId64 "%c", microseconds / unit->microseconds, unit->letter);
}
