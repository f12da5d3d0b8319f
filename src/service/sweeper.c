#include "service/sweeper.h"

#include "base/memory.h"
#include "pure/time.h"
#include "service/batch.h"
#include "service/clearing.h"
#include "service/ender.h"
#include "service/restriction.h"
#include "service/service.h"
#include "service/train.h"
#include "sql.h"

/* Ended in one train at most: half of what it takes, so that others find room beside them. */
#define PAGE 256
/* What was not announced here waits no longer than this to be looked for. */
#define INTERVAL_MAX TIME_SECOND
/* Others commit hundreds of times a second: on their account it is asked no more often than this. */
#define NEWS_INTERVAL (TIME_SECOND / 20)
#define FORGET_INTERVAL (60 * TIME_SECOND)
/* The database is asked this much after a moment that it named, since clocks read to the microsecond race. */
#define TIMER_SLACK 1000
#define CLEARINGS 4

struct sweeper {
	struct service *service;
	struct loop_timer timer, forget;
	int64_t wake; /* loop time at which `timer` fires; INT64_MAX: it does not */
	bool wanted, asking;
	bool wide; /* recipients and devices are looked at, too */
	struct ender ender;
	int64_t next; /* the next expiry that is known of, of the database's clock; INT64_MAX: none */
	int64_t next_agreement; /* that ends, likewise */
	int64_t widened_at; /* loop time */
	struct clearing clearings[CLEARINGS];
	struct telling telling;
	struct sweeper_counters counters;
};

/* ---- when ---- */

static void wake_at(struct sweeper *sweeper, int64_t when)
{
	int64_t now = loop_now(service_loop(sweeper->service));
	if (when >= sweeper->wake)
		return;
	sweeper->wake = when;
	loop_timer_set(&sweeper->timer, when > now ? when - now : 0);
}

static void wake_in(struct sweeper *sweeper, int64_t wait)
{
	wake_at(sweeper, loop_now(service_loop(sweeper->service)) + wait);
}

static void wake_for(struct sweeper *sweeper, int64_t moment)
{
	if (moment != INT64_MAX)
		wake_at(sweeper, service_loop_time(sweeper->service, moment) + TIMER_SLACK);
}

static void timer_fired(void *context)
{
	struct sweeper *sweeper = context;
	sweeper->wake = INT64_MAX;
	sweeper->wanted = true;
	wake_in(sweeper, INTERVAL_MAX);
}

void sweeper_wake(struct sweeper *sweeper)
{
	sweeper->wanted = sweeper->wide = true;
	wake_in(sweeper, INTERVAL_MAX);
}

void sweeper_news(struct sweeper *sweeper)
{
	wake_in(sweeper, NEWS_INTERVAL);
}

void sweeper_expects(struct sweeper *sweeper, int64_t expires_at)
{
	if (expires_at >= sweeper->next)
		return;
	sweeper->next = expires_at;
	wake_for(sweeper, expires_at);
}

/* ---- what has expired ---- */

struct sweep {
	struct sweeper *sweeper;
	int64_t now, next;
	int64_t oldest; /* expiry that was found */
	unsigned found;
};

static void expired_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct sweep *sweep = target;
	sweep->now = row_time(result, row, 1);
	sweep->next = row_time(result, row, 2);
	if (row_is_null(result, row, 3))
		return;
	if (!sweep->found++)
		sweep->oldest = row_time(result, row, 10);
	ender_end(&sweep->sweeper->ender, call, END_EXPIRED, result, row, 3);
}

static const struct read_kind expired_next = {
	.statement = &sql_expired_next,
	.from = READ_STATE,
	.types = { PG_INT4 },
	.row = expired_row,
};

static enum step_result expired_ask(struct call *call)
{
	/* What is ended from this reading is as old as it. */
	train_reading(call);
	batch_read(call, &expired_next, call->state, (struct cell[]){ cell_number(PAGE) });
	return STEP_NEXT;
}

static enum step_result expired_done(struct call *call)
{
	const struct sweep *sweep = call->state;
	struct sweeper *sweeper = sweep->sweeper;
	if (call->awaited)
		return STEP_WAIT;
	service_learn_time(call->service, sweep->now);
	sweeper->counters.found += sweep->found;
	if (sweep->found)
		sweeper->counters.late = (uint64_t)(sweep->now - sweep->oldest);
	sweeper->next = sweep->next == TIME_NONE ? INT64_MAX : sweep->next;
	wake_for(sweeper, sweeper->next);
	return STEP_DONE;
}

static void sweep_release(struct call *call)
{
	const struct sweep *sweep = call->state;
	sweep->sweeper->asking = false;
}

static const struct method expired_method = {
	.steps = { expired_ask, expired_done },
	.release = sweep_release,
};

/* All of a page are ended, or were by others: there may be more. */
static void page_ended(void *context)
{
	struct sweeper *sweeper = context;
	sweeper->wanted |= !sweeper->ender.failed;
	sweeper->ender.failed = false;
}

/* ---- who has no right to what is live ---- */

/* There may be others; what could not be ended is found again in its time. */
static void cleared(void *context)
{
	struct sweeper *sweeper = context;
	sweeper->wide = true;
	wake_in(sweeper, NEWS_INTERVAL);
}

static struct clearing *free_clearing(struct sweeper *sweeper)
{
	for (int i = 0; i < CLEARINGS; i++)
		if (!sweeper->clearings[i].running)
			return &sweeper->clearings[i];
	return NULL;
}

static void over_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct sweep *sweep = target;
	sweep->now = row_time(result, row, 1);
	sweep->next = row_time(result, row, 2);
	if (row_is_null(result, row, 3))
		return;
	struct clearing *clearing = free_clearing(sweep->sweeper);
	if (clearing)
		clearing_start(clearing, call->service, (enum end_why)row_int(result, row, 3),
			row_text(result, row, 4, call), row_text(result, row, 5, call), cleared, sweep->sweeper);
}

static const struct read_kind recipients_over = {
	.statement = &sql_recipients_over,
	.from = READ_STATE,
	.types = { PG_INT4 },
	.row = over_row,
};

static enum step_result over_ask(struct call *call)
{
	batch_read(call, &recipients_over, call->state, (struct cell[]){ cell_number(CLEARINGS) });
	return STEP_NEXT;
}

static enum step_result over_done(struct call *call)
{
	const struct sweep *sweep = call->state;
	struct sweeper *sweeper = sweep->sweeper;
	if (call->awaited)
		return STEP_WAIT;
	sweeper->next_agreement = sweep->next == TIME_NONE ? INT64_MAX : sweep->next;
	wake_for(sweeper, sweeper->next_agreement);
	return STEP_DONE;
}

static const struct method over_method = {
	.steps = { over_ask, over_done },
};

/* ---- who was not told of a restriction ---- */

/* There may be others; what could not be told is found again in its time. */
static void told(void *context)
{
	struct sweeper *sweeper = context;
	sweeper->wide |= sweeper->telling.complete;
}

static void untold_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct sweep *sweep = target;
	uint8_t key[16];
	if (sweep->sweeper->telling.running || row_bytes(result, row, 1, key, sizeof key))
		return;
	telling_start(&sweep->sweeper->telling, call->service, key, row_text(result, row, 2, call),
		row_bool(result, row, 3), told, sweep->sweeper);
}

static const struct read_kind restrictions_untold = {
	.statement = &sql_restrictions_untold,
	.from = READ_STATE,
	.types = { PG_INT4 },
	.row = untold_row,
};

static enum step_result untold_ask(struct call *call)
{
	batch_read(call, &restrictions_untold, call->state, (struct cell[]){ cell_number(1) });
	return STEP_NEXT;
}

static enum step_result untold_done(struct call *call)
{
	return call->awaited ? STEP_WAIT : STEP_DONE;
}

static const struct method untold_method = {
	.steps = { untold_ask, untold_done },
};

/* ---- looking ---- */

static void look(struct sweeper *sweeper, const struct method *method)
{
	struct call *call = call_new_own(sweeper->service, method);
	struct sweep *sweep = call_alloc(call, sizeof *sweep);
	sweep->sweeper = sweeper;
	call->state = sweep;
	sweeper->counters.looks++;
	call_run(call);
}

/* Whoever is being cleared would be found again. */
static bool is_wide(const struct sweeper *sweeper)
{
	for (int i = 0; i < CLEARINGS; i++)
		if (sweeper->clearings[i].running)
			return false;
	return sweeper->wide || service_guess_time(sweeper->service) >= sweeper->next_agreement ||
		loop_now(service_loop(sweeper->service)) - sweeper->widened_at >= INTERVAL_MAX;
}

int sweeper_flush(struct sweeper *sweeper)
{
	if (!sweeper->wanted || sweeper->asking || sweeper->ender.ending ||
		service_state(sweeper->service) == SERVICE_STARTING)
		return 0;
	sweeper->wanted = false;
	if (!service_elected(sweeper->service)) {
		sweeper->wide = true; /* should it be, one day */
		return 0;
	}
	sweeper->asking = true;
	look(sweeper, &expired_method);
	if (!is_wide(sweeper))
		return 1;
	sweeper->wide = false;
	sweeper->widened_at = loop_now(service_loop(sweeper->service));
	sweeper->next_agreement = INT64_MAX;
	look(sweeper, &over_method);
	if (!sweeper->telling.running)
		look(sweeper, &untold_method);
	return 1;
}

const struct sweeper_counters *sweeper_counters(const struct sweeper *sweeper)
{
	return &sweeper->counters;
}

/* ---- keys that trains wrote: of use for as long as a call may take; by then nobody has read before them ---- */

static void forgotten(void *context, const struct database_outcome *outcome)
{
	(void)context;
	(void)outcome; /* tried again in a minute */
}

static void forget_keys(void *context)
{
	struct sweeper *sweeper = context;
	struct database *state = service_database_state(sweeper->service);
	loop_timer_set(&sweeper->forget, FORGET_INTERVAL);
	if (!database_up(state) || !service_elected(sweeper->service))
		return;
	database_open(state);
	database_add(state, &sql_train_keys_forget, NULL);
	database_send(state, forgotten, sweeper);
}

struct sweeper *sweeper_new(struct service *service)
{
	struct sweeper *sweeper = mem_calloc(1, sizeof *sweeper);
	sweeper->service = service;
	sweeper->wake = sweeper->next = sweeper->next_agreement = INT64_MAX;
	sweeper->ender.done = page_ended;
	sweeper->ender.context = sweeper;
	loop_timer_init(&sweeper->timer, service_loop(service), timer_fired, sweeper);
	loop_timer_init(&sweeper->forget, service_loop(service), forget_keys, sweeper);
	loop_timer_set(&sweeper->forget, FORGET_INTERVAL);
	return sweeper;
}

void sweeper_free(struct sweeper *sweeper)
{
	if (!sweeper)
		return;
	loop_timer_release(&sweeper->timer);
	loop_timer_release(&sweeper->forget);
	mem_free(sweeper);
}
