#include "io/loop.h"

#include "base/memory.h"

#include <assert.h>
#include <poll.h>
#include <stdbool.h>
#include <time.h>

#define MICROSECONDS INT64_C(1000000)

struct loop {
	struct event_base *base;
	struct loop_hook *hooks[LOOP_PHASES];
	struct loop_hook *next; /* the hook to run after the present one, so that one may remove any */
	const struct loop_urgent *urgent;
	int64_t now; /* 0: not yet read in this turn */
	bool stopped;
};

struct loop *loop_new(void)
{
	struct event_config *config = event_config_new();
	if (!config)
		return NULL;
	/* One thread; and a clock that is not the coarse one, whose steps of 4 ms would blur short deadlines. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	struct event_base *base = event_base_new_with_config(config);
	event_config_free(config);
	if (!base)
		return NULL;
	struct loop *loop = mem_calloc(1, sizeof *loop);
	loop->base = base;
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	for (size_t phase = 0; phase < LOOP_PHASES; phase++)
		assert(!loop->hooks[phase]);
	event_base_free(loop->base);
	mem_free(loop);
}

static void loop_run_hooks(struct loop *loop)
{
	bool again = true;
	while (again) {
		again = false;
		for (size_t phase = 0; phase < LOOP_PHASES; phase++) {
			/* A process that stood still since must not send what has died meanwhile. */
			if (phase == LOOP_PHASE_SERVER)
				loop->now = 0;
			for (struct loop_hook *hook = loop->hooks[phase]; hook; hook = loop->next) {
				loop->next = hook->next;
				again |= hook->run(hook->context) != 0;
			}
		}
	}
}

int loop_run(struct loop *loop)
{
	loop->stopped = false;
	/* What was queued before the first turn leaves before it waits. */
	loop_run_hooks(loop);
	while (!loop->stopped) {
		loop->now = 0;
		/* 1: no event is there to wait for, so nothing can ever happen again. */
		if (event_base_loop(loop->base, EVLOOP_ONCE) != 0)
			return -1;
		loop_run_hooks(loop);
	}
	loop->now = 0;
	return 0;
}

void loop_urge(struct loop *loop, const struct loop_urgent *urgent)
{
	loop->urgent = urgent;
}

void loop_heed(struct loop *loop)
{
	const struct loop_urgent *urgent = loop->urgent;
	if (!urgent || !urgent->wanted(urgent->context))
		return;
	struct pollfd look = { .fd = urgent->fd, .events = POLLIN };
	if (poll(&look, 1, 0) > 0)
		urgent->ready(urgent->context);
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

int64_t loop_now(const struct loop *loop)
{
	/* Read when it is first asked for in a turn: libevent has no place between its waiting and its first callback.
	 */
	if (loop->now == 0) {
		struct timespec now;
		clock_gettime(CLOCK_BOOTTIME, &now);
		((struct loop *)loop)->now = now.tv_sec * MICROSECONDS + now.tv_nsec / 1000;
	}
	return loop->now;
}

void loop_hook_add(struct loop *loop, enum loop_phase phase, struct loop_hook *hook)
{
	struct loop_hook **end = &loop->hooks[phase];
	assert(hook->run && !hook->next);
	while (*end) {
		assert(*end != hook);
		end = &(*end)->next;
	}
	*end = hook;
}

void loop_hook_remove(struct loop *loop, enum loop_phase phase, struct loop_hook *hook)
{
	struct loop_hook **link = &loop->hooks[phase];
	while (*link && *link != hook)
		link = &(*link)->next;
	if (!*link)
		return;
	*link = hook->next;
	if (loop->next == hook)
		loop->next = hook->next;
	hook->next = NULL;
}

static void loop_timer_fired(evutil_socket_t fd, short what, void *context)
{
	struct loop_timer *timer = context;
	(void)fd;
	(void)what;
	timer->fire(timer->context);
}

void loop_timer_init(struct loop_timer *timer, struct loop *loop, void (*fire)(void *context), void *context)
{
	timer->fire = fire;
	timer->context = context;
	timer->event = evtimer_new(loop->base, loop_timer_fired, timer);
	assert(timer->event);
}

void loop_timer_set(struct loop_timer *timer, int64_t microseconds)
{
	if (microseconds < 0)
		microseconds = 0;
	/* Whole seconds that libevent can add to its clock: a timer that far away never fires anyway. */
	if (microseconds > INT32_MAX * MICROSECONDS)
		microseconds = INT32_MAX * MICROSECONDS;
	struct timeval after = { .tv_sec = microseconds / MICROSECONDS, .tv_usec = microseconds % MICROSECONDS };
	int rc = evtimer_add(timer->event, &after);
	assert(rc == 0);
}

void loop_timer_clear(struct loop_timer *timer)
{
	evtimer_del(timer->event);
}

void loop_timer_release(struct loop_timer *timer)
{
	if (timer->event)
		event_free(timer->event);
	timer->event = NULL;
}
