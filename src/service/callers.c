#include "service/callers.h"

#include "base/memory.h"

#include <string.h>
#include <uthash.h>

struct caller {
	char *name;
	uint32_t count;
	UT_hash_handle hh;
};

struct callers {
	struct caller *all;
};

struct callers *callers_new(void)
{
	return mem_calloc(1, sizeof(struct callers));
}

static void remove_caller(struct callers *callers, struct caller *caller)
{
	HASH_DEL(callers->all, caller);
	mem_free(caller->name);
	mem_free(caller);
}

void callers_free(struct callers *callers)
{
	struct caller *caller, *next;
	if (!callers)
		return;
	HASH_ITER (hh, callers->all, caller, next)
		remove_caller(callers, caller);
	mem_free(callers);
}

void callers_enter(struct callers *callers, const char *name)
{
	struct caller *caller;
	if (!*name)
		return;
	HASH_FIND_STR(callers->all, name, caller);
	if (!caller) {
		caller = mem_calloc(1, sizeof *caller);
		caller->name = mem_strdup(name);
		HASH_ADD_KEYPTR(hh, callers->all, caller->name, strlen(caller->name), caller);
	}
	caller->count++;
}

void callers_leave(struct callers *callers, const char *name)
{
	struct caller *caller;
	HASH_FIND_STR(callers->all, name, caller);
	if (caller && !--caller->count)
		remove_caller(callers, caller);
}

uint32_t callers_count(const struct callers *callers, const char *name)
{
	const struct caller *caller;
	HASH_FIND_STR(callers->all, name, caller);
	return caller ? caller->count : 0;
}
