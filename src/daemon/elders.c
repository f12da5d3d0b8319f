#include "daemon/elders.h"

#include <signal.h>

void elders_init(struct elders *elders, const struct handover *handover, int64_t now, int64_t patience)
{
	*elders = (struct elders){ 0 };
	for (unsigned i = 0; i < handover->elder_count; i++)
		elders->all[elders->count++].pid = handover->elders[i];
	for (unsigned i = 0; i < handover->leaving_count; i++)
		elders->all[elders->count++] =
			(struct elder){ .pid = handover->leaving[i], .deadline = now + patience };
}

unsigned elders_alive(const struct elders *elders)
{
	unsigned alive = 0;
	for (unsigned i = 0; i < elders->count; i++)
		alive += elders->all[i].pid != 0;
	return alive;
}

unsigned elders_serving(const struct elders *elders)
{
	unsigned serving = 0;
	for (unsigned i = 0; i < elders->count; i++)
		serving += elders->all[i].pid != 0 && elders->all[i].deadline == 0;
	return serving;
}

bool elders_ended(struct elders *elders, pid_t pid)
{
	for (unsigned i = 0; i < elders->count; i++) {
		if (elders->all[i].pid == pid) {
			elders->all[i].pid = 0;
			return true;
		}
	}
	return false;
}

struct elders_order elders_next(
	struct elders *elders, unsigned serving, unsigned workers, int64_t now, int64_t patience)
{
	struct elder *next = NULL;
	unsigned told = 0;
	bool draining = false;
	for (unsigned i = 0; i < elders->count; i++) {
		struct elder *elder = &elders->all[i];
		bool asked = elder->deadline != 0;
		if (elder->pid && asked && !elder->killed && now >= elder->deadline) {
			elder->killed = true;
			return (struct elders_order){ elder->pid, SIGKILL };
		}
		draining |= elder->pid && asked;
		told += asked || !elder->pid;
		if (elder->pid && !asked && !next)
			next = elder;
	}
	if (!next || draining || serving < (told + 1 < workers ? told + 1 : workers))
		return (struct elders_order){ 0, 0 };
	next->deadline = now + patience;
	return (struct elders_order){ next->pid, SIGTERM };
}
