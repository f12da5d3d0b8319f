#include "io/loop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What ran, in order. */
struct trace {
	struct loop *loop;
	char text[64];
	int again; /* times that the hook asks for another round */
	struct loop_hook hooks[4];
	struct loop_timer timer;
};

static void note(struct trace *trace, const char *what)
{
	strncat(trace->text, what, sizeof trace->text - strlen(trace->text) - 1);
}

static int begin(void **state)
{
	static struct trace trace;
	memset(&trace, 0, sizeof trace);
	trace.loop = loop_new();
	*state = &trace;
	return trace.loop ? 0 : -1;
}

static int end(void **state)
{
	struct trace *trace = *state;
	loop_free(trace->loop);
	return 0;
}

static int run_service(void *context)
{
	note(context, "s");
	return 0;
}

static int run_database(void *context)
{
	struct trace *trace = context;
	note(trace, "d");
	return trace->again-- > 0;
}

static int run_server(void *context)
{
	note(context, "h");
	return 0;
}

static int run_and_remove(void *context)
{
	struct trace *trace = context;
	note(trace, "r");
	loop_hook_remove(trace->loop, LOOP_PHASE_SERVICE, &trace->hooks[0]);
	loop_hook_remove(trace->loop, LOOP_PHASE_SERVICE, &trace->hooks[1]);
	return 0;
}

static void fire_and_stop(void *context)
{
	struct trace *trace = context;
	note(trace, "t");
	loop_stop(trace->loop);
}

static void fire_again(void *context)
{
	struct trace *trace = context;
	note(trace, "t");
	if (strlen(trace->text) < 3)
		loop_timer_set(&trace->timer, 1000);
	else
		loop_stop(trace->loop);
}

static void runs_hooks_by_phase_until_quiet(void **state)
{
	struct trace *trace = *state;
	struct loop_hook *hooks = trace->hooks;
	hooks[0] = (struct loop_hook){ run_server, trace, NULL };
	hooks[1] = (struct loop_hook){ run_service, trace, NULL };
	hooks[2] = (struct loop_hook){ run_database, trace, NULL };
	loop_hook_add(trace->loop, LOOP_PHASE_SERVER, &hooks[0]);
	loop_hook_add(trace->loop, LOOP_PHASE_SERVICE, &hooks[1]);
	loop_hook_add(trace->loop, LOOP_PHASE_DATABASE, &hooks[2]);
	loop_timer_init(&trace->timer, trace->loop, fire_and_stop, trace);
	loop_timer_set(&trace->timer, 0);
	trace->again = 1;
	assert_int_equal(loop_run(trace->loop), 0);
	/* Twice before the first turn, since one asked for it; the turn; and the hooks once after it. */
	assert_string_equal(trace->text, "sdhsdhtsdh");
	loop_hook_remove(trace->loop, LOOP_PHASE_SERVER, &hooks[0]);
	loop_hook_remove(trace->loop, LOOP_PHASE_SERVICE, &hooks[1]);
	loop_hook_remove(trace->loop, LOOP_PHASE_DATABASE, &hooks[2]);
	loop_timer_release(&trace->timer);
}

static void lets_a_hook_remove_itself_and_the_next(void **state)
{
	struct trace *trace = *state;
	struct loop_hook *hooks = trace->hooks;
	hooks[0] = (struct loop_hook){ run_and_remove, trace, NULL };
	hooks[1] = (struct loop_hook){ run_server, trace, NULL };
	hooks[2] = (struct loop_hook){ run_service, trace, NULL };
	for (int i = 0; i < 3; i++)
		loop_hook_add(trace->loop, LOOP_PHASE_SERVICE, &hooks[i]);
	loop_timer_init(&trace->timer, trace->loop, fire_and_stop, trace);
	loop_timer_set(&trace->timer, 0);
	assert_int_equal(loop_run(trace->loop), 0);
	assert_string_equal(trace->text, "rsts");
	loop_hook_remove(trace->loop, LOOP_PHASE_SERVICE, &hooks[2]);
	/* One that is not there is no harm. */
	loop_hook_remove(trace->loop, LOOP_PHASE_SERVICE, &hooks[2]);
	loop_timer_release(&trace->timer);
}

static void fires_timers_once_and_again_when_set_again(void **state)
{
	struct trace *trace = *state;
	loop_timer_init(&trace->timer, trace->loop, fire_again, trace);
	int64_t before = loop_now(trace->loop);
	loop_timer_set(&trace->timer, 1000);
	assert_int_equal(loop_run(trace->loop), 0);
	assert_string_equal(trace->text, "ttt");
	assert_true(loop_now(trace->loop) - before >= 3000);
	loop_timer_release(&trace->timer);
	loop_timer_release(&trace->timer);
}

static void does_not_fire_what_was_cleared(void **state)
{
	struct trace *trace = *state;
	struct loop_timer cleared;
	loop_timer_init(&cleared, trace->loop, fire_again, trace);
	loop_timer_init(&trace->timer, trace->loop, fire_and_stop, trace);
	loop_timer_set(&cleared, 1000);
	loop_timer_clear(&cleared);
	loop_timer_set(&trace->timer, 5000);
	loop_run(trace->loop);
	assert_string_equal(trace->text, "t");
	loop_timer_release(&cleared);
	loop_timer_release(&trace->timer);
}

static void takes_times_beyond_all_bounds(void **state)
{
	struct trace *trace = *state;
	struct loop_timer far;
	loop_timer_init(&far, trace->loop, fire_again, trace);
	loop_timer_init(&trace->timer, trace->loop, fire_and_stop, trace);
	loop_timer_set(&far, INT64_MAX);
	loop_timer_set(&trace->timer, -1);
	loop_run(trace->loop);
	assert_string_equal(trace->text, "t");
	loop_timer_release(&far);
	loop_timer_release(&trace->timer);
}

static void reads_the_clock_once_a_turn(void **state)
{
	struct trace *trace = *state;
	int64_t now = loop_now(trace->loop);
	usleep(2000);
	assert_int_equal(loop_now(trace->loop), now);
	loop_timer_init(&trace->timer, trace->loop, fire_and_stop, trace);
	loop_timer_set(&trace->timer, 0);
	loop_run(trace->loop);
	assert_true(loop_now(trace->loop) >= now + 2000);
	loop_timer_release(&trace->timer);
}

static void says_when_nothing_can_happen_any_more(void **state)
{
	struct trace *trace = *state;
	assert_int_equal(loop_run(trace->loop), -1);
}

static bool always(const void *context)
{
	(void)context;
	return true;
}

static bool never(const void *context)
{
	(void)context;
	return false;
}

static void urgent_ready(void *context)
{
	note(context, "u");
}

static void heeds_what_is_urgent_when_it_is_wanted_and_has_come(void **state)
{
	struct trace *trace = *state;
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	struct loop_urgent wanted = { .fd = ends[0], .wanted = always, .ready = urgent_ready, .context = trace };
	struct loop_urgent unwanted = { .fd = ends[0], .wanted = never, .ready = urgent_ready, .context = trace };
	loop_heed(trace->loop);
	loop_urge(trace->loop, &wanted);
	loop_heed(trace->loop);
	assert_string_equal(trace->text, "");
	assert_int_equal(write(ends[1], "x", 1), 1);
	loop_heed(trace->loop);
	assert_string_equal(trace->text, "u");
	loop_urge(trace->loop, &unwanted);
	loop_heed(trace->loop);
	loop_urge(trace->loop, NULL);
	loop_heed(trace->loop);
	assert_string_equal(trace->text, "u");
	close(ends[0]);
	close(ends[1]);
}

#define loop_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		loop_test(runs_hooks_by_phase_until_quiet),
		loop_test(lets_a_hook_remove_itself_and_the_next),
		loop_test(fires_timers_once_and_again_when_set_again),
		loop_test(does_not_fire_what_was_cleared),
		loop_test(takes_times_beyond_all_bounds),
		loop_test(reads_the_clock_once_a_turn),
		loop_test(heeds_what_is_urgent_when_it_is_wanted_and_has_come),
		loop_test(says_when_nothing_can_happen_any_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
