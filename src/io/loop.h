#ifndef NEEDTOKNOW_IO_LOOP_H
#define NEEDTOKNOW_IO_LOOP_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The one event loop of a process, over libevent. A turn handles every event that is ready; at its end the hooks run,
 * in the order of their phase, until none of them has anything left to do. So all that one turn brought leaves as one
 * statement, one transaction and one write: batches grow with load by themselves and nothing waits on a timer.
 */
struct loop;

enum loop_phase {
	LOOP_PHASE_SERVICE, /* calls take their steps, reads are gathered, the train departs */
	LOOP_PHASE_DATABASE, /* what was queued for PostgreSQL is flushed */
	LOOP_PHASE_SERVER, /* what was queued for HTTP/2 peers is flushed */
	LOOP_PHASES,
};

/* NULL when libevent or the kernel refuses. */
struct loop *loop_new(void);
/* Everything that used the loop must be gone. NULL is allowed. */
void loop_free(struct loop *loop);

/* Returns after loop_stop(), at the end of that turn; 0, or -1 when libevent failed. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* For events of one's own (sockets, signals). */
struct event_base *loop_base(struct loop *loop);

/*
 * Microseconds of a clock that only goes forward (CLOCK_BOOTTIME: the time of a suspended machine counts), read once a
 * turn and again before what is queued for peers leaves. For timeouts; never for what is recorded.
 */
int64_t loop_now(const struct loop *loop);

/*
 * A hook, run at the end of each turn. Returns nonzero when it queued work for an earlier phase or itself, which has
 * all hooks run once more. The storage is the caller's and must be zeroed before the first loop_hook_add().
 */
struct loop_hook {
	int (*run)(void *context);
	void *context;
	struct loop_hook *next;
};
void loop_hook_add(struct loop *loop, enum loop_phase phase, struct loop_hook *hook);
void loop_hook_remove(struct loop *loop, enum loop_phase phase, struct loop_hook *hook);

/*
 * One socket on which others wait more than on any: it is looked at between two events, not only at its place in a
 * turn, while `wanted`. Not copied; the one before is forgotten, NULL for none.
 */
struct loop_urgent {
	int fd;
	bool (*wanted)(const void *context);
	void (*ready)(void *context);
	void *context;
};
void loop_urge(struct loop *loop, const struct loop_urgent *urgent);
/* For the end of an event's callback that may have taken long. */
void loop_heed(struct loop *loop);

/*
 * A timer that fires once. The storage is the caller's: loop_timer_init() before the first use, loop_timer_release()
 * after the last. Setting it again moves it. The callback may set it again or release it.
 */
struct loop_timer {
	struct event *event;
	void (*fire)(void *context);
	void *context;
};
void loop_timer_init(struct loop_timer *timer, struct loop *loop, void (*fire)(void *context), void *context);
/* From now on; 0 or less: in the next turn. */
void loop_timer_set(struct loop_timer *timer, int64_t microseconds);
void loop_timer_clear(struct loop_timer *timer);
void loop_timer_release(struct loop_timer *timer);

#endif
