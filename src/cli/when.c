#include "cli/when.h"

#include "pure/duration.h"
#include "pure/time.h"

#include <string.h>
#include <time.h>

int when_parse(const char *text, int64_t now, int64_t *out)
{
	int64_t offset;

	if (strncmp(text, "now", 3) == 0) {
		text += 3;
		if (*text == '\0') {
			*out = now;
			return 0;
		}
		if (*text != '+' && *text != '-')
			return -1;
	}
	if (*text != '+' && *text != '-')
		return time_parse(text, out);
	if (duration_parse(text + 1, &offset) != 0)
		return -1;
	*out = *text == '+' ? now + offset : now - offset;
	return 0;
}

int64_t when_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * TIME_SECOND + now.tv_nsec / 1000;
}
