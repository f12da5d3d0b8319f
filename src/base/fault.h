#ifndef NEEDTOKNOW_BASE_FAULT_H
#define NEEDTOKNOW_BASE_FAULT_H

/*
 * Named places at which a test may have the process die or stand still: NEEDTOKNOW_STOP_AT=<step>[:<count>[:stop]] in
 * the environment sends SIGKILL (or SIGSTOP) when <step> is passed for the count-th time. Only in builds with
 * NEEDTOKNOW_FAULT_HOOKS; nothing otherwise.
 */
#ifdef NEEDTOKNOW_FAULT_HOOKS
void fault_point(const char *step);
#else
static inline void fault_point(const char *step)
{
	(void)step;
}
#endif

#endif
