#include "base/fault.h"

#ifdef NEEDTOKNOW_FAULT_HOOKS

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static struct {
	bool read;
	char step[64];
	long left;
	int signal;
} fault;

static void fault_read(void)
{
	const char *text = getenv("NEEDTOKNOW_STOP_AT");
	fault.read = true;
	if (!text)
		return;
	size_t length = strcspn(text, ":");
	if (length >= sizeof fault.step)
		return;
	memcpy(fault.step, text, length);
	fault.left = 1;
	fault.signal = SIGKILL;
	if (!text[length])
		return;
	char *end;
	fault.left = strtol(text + length + 1, &end, 10);
	if (!strcmp(end, ":stop"))
		fault.signal = SIGSTOP;
}

void fault_point(const char *step)
{
	if (!fault.read)
		fault_read();
	if (fault.left > 0 && !strcmp(step, fault.step) && --fault.left == 0)
		raise(fault.signal);
}

#else

/* ISO C forbids an empty translation unit. */
typedef int fault_nothing;

#endif
