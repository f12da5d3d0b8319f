#include "service/tail.h"

#include "base/memory.h"
#include "pure/time.h"
#include "service/service.h"

#include <utlist.h>

#define NEWS_INTERVAL (TIME_SECOND / 20)

struct tail {
	struct follower *followers;
	struct loop_timer news, poll;
	bool grew; /* the news' timer is set */
};

void tail_wake(struct tail *tail)
{
	struct follower *follower, *next;
	DL_FOREACH_SAFE (tail->followers, follower, next) {
		follower->told = true;
		call_run(follower->call);
	}
}

static void told(void *context)
{
	struct tail *tail = context;
	tail->grew = false;
	tail_wake(tail);
}

static void poll(void *context)
{
	struct tail *tail = context;
	if (tail->followers)
		loop_timer_set(&tail->poll, TIME_SECOND);
	tail_wake(tail);
}

struct tail *tail_new(struct service *service)
{
	struct tail *tail = mem_calloc(1, sizeof *tail);
	loop_timer_init(&tail->news, service_loop(service), told, tail);
	loop_timer_init(&tail->poll, service_loop(service), poll, tail);
	return tail;
}

void tail_free(struct tail *tail)
{
	if (!tail)
		return;
	loop_timer_release(&tail->news);
	loop_timer_release(&tail->poll);
	mem_free(tail);
}

void tail_follow(struct tail *tail, struct follower *follower, struct call *call)
{
	if (!tail->followers)
		loop_timer_set(&tail->poll, TIME_SECOND);
	follower->call = call;
	DL_APPEND(tail->followers, follower);
}

void tail_leave(struct tail *tail, struct follower *follower)
{
	if (!follower->call)
		return;
	DL_DELETE(tail->followers, follower);
	follower->call = NULL;
}

void tail_grew(struct tail *tail)
{
	if (!tail->followers || tail->grew)
		return;
	tail->grew = true;
	loop_timer_set(&tail->news, NEWS_INTERVAL);
}
