#include "service/sweeper.h"

#include "base/memory.h"
#include "pure/time.h"
#include "service/ending.h"
#include "service/service.h"
#include "service/train.h"
#include "sql.h"

#include <assert.h>
#include <string.h>

#define SWEEP_MAX 256
/* Another worker's share is not announced here: nothing waits longer than this to be looked for. */
#define INTERVAL_MAX TIME_SECOND
#define FORGET_INTERVAL (60 * TIME_SECOND)
#define TIMER_SLACK 1000

struct sweeper {
	struct service *service;
	struct loop_timer timer, forget;
	bool wanted, asking;
	unsigned ending; /* calls that end a disclosure, on their way */
	int64_t next; /* the next expiry that is known of, of the database's clock; INT64_MAX: none */
};

/* ---- one disclosure's end ---- */

struct expiry {
	const struct call *reader; /* only in the first step */
	struct sweeper *sweeper;
	struct ending ending;
};

static enum step_result expiry_ask(struct call *call)
{
	const struct expiry *expiry = call->state;
	if (call->tries)
		return STEP_DONE; /* something else happened to it: the next sweep looks again */
	train_reading_with(call, expiry->reader);
	ending_keys(call, &expiry->ending.disclosure);
	return STEP_NEXT;
}

static enum step_result expiry_commit(struct call *call)
{
	return train_board(call);
}

static enum boarding expiry_board(struct call *call, struct departure *departure)
{
	struct expiry *expiry = call->state;
	if (departure_now(departure) < expiry->ending.disclosure.expires_at)
		return BOARD_AGAIN;
	ending_board(call, departure, &expiry->ending);
	return BOARDED;
}

static enum step_result expiry_done(struct call *call)
{
	const struct expiry *expiry = call->state;
	ending_committed(call, &expiry->ending);
	return STEP_DONE;
}

static void expiry_release(struct call *call)
{
	const struct expiry *expiry = call->state;
	expiry->sweeper->ending--;
	if (call->failed || call->tries)
		loop_timer_set(&expiry->sweeper->timer, INTERVAL_MAX);
	else
		expiry->sweeper->wanted = true;
}

static const struct method expiry_method = {
	.steps = { expiry_ask, expiry_commit, expiry_done },
	.board = expiry_board,
	.train_class = TRAIN_CONTROL,
	.release = expiry_release,
};

/* ---- looking for them ---- */

struct sweep {
	struct sweeper *sweeper;
	int64_t now, next;
	unsigned found;
};

static void sweep_row(struct call *call, void *target, const PGresult *result, int row);

static const struct read_kind expired_next = {
	.statement = &sql_expired_next,
	.from = READ_STATE,
	.types = { PG_INT4 },
	.row = sweep_row,
};

static void sweep_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct sweep *sweep = target;
	sweep->now = row_time(result, row, 1);
	sweep->next = row_time(result, row, 2);
	if (row_is_null(result, row, 3))
		return;
	struct call *end = call_new_own(call->service, &expiry_method);
	struct expiry *expiry = call_alloc(end, sizeof *expiry);
	int failed = ending_read(end, result, row, 3, &expiry->ending);
	assert(!failed);
	(void)failed;
	expiry->sweeper = sweep->sweeper;
	expiry->reader = call;
	expiry->ending.kind = NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_EXPIRED;
	expiry->ending.reason = NEEDTOKNOW__V1__REASON__REASON_EXPIRED;
	expiry->ending.state = NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_EXPIRED;
	expiry->ending.cause = NEEDTOKNOW__V1__WITHDRAWAL_CAUSE__WITHDRAWAL_CAUSE_EXPIRED;
	end->state = expiry;
	sweep->sweeper->ending++;
	sweep->found++;
	call_run(end);
}

static enum step_result sweep_ask(struct call *call)
{
	/* What is ended from this reading is as old as it. */
	train_reading(call);
	batch_read(call, &expired_next, call->state, (struct cell[]){ cell_number(SWEEP_MAX) });
	return STEP_NEXT;
}

static enum step_result sweep_done(struct call *call)
{
	const struct sweep *sweep = call->state;
	struct sweeper *sweeper = sweep->sweeper;
	if (call->awaited)
		return STEP_WAIT;
	service_learn_time(call->service, sweep->now);
	sweeper->next = sweep->next == TIME_NONE ? INT64_MAX : sweep->next;
	int64_t wait = sweeper->next == INT64_MAX ? INTERVAL_MAX : sweeper->next - sweep->now + TIMER_SLACK;
	loop_timer_set(&sweeper->timer, wait < INTERVAL_MAX ? wait : INTERVAL_MAX);
	return STEP_DONE;
}

static void sweep_release(struct call *call)
{
	const struct sweep *sweep = call->state;
	sweep->sweeper->asking = false;
	if (call->failed)
		loop_timer_set(&sweep->sweeper->timer, INTERVAL_MAX);
}

static const struct method sweep_method = {
	.steps = { sweep_ask, sweep_done },
	.release = sweep_release,
};

int sweeper_flush(struct sweeper *sweeper)
{
	if (!sweeper->wanted || sweeper->asking || sweeper->ending ||
		service_state(sweeper->service) == SERVICE_STARTING)
		return 0;
	struct call *call = call_new_own(sweeper->service, &sweep_method);
	struct sweep *sweep = call_alloc(call, sizeof *sweep);
	sweep->sweeper = sweeper;
	call->state = sweep;
	sweeper->wanted = false;
	sweeper->asking = true;
	call_run(call);
	return 1;
}

static void timer_fired(void *context)
{
	struct sweeper *sweeper = context;
	sweeper->wanted = true;
}

void sweeper_wake(struct sweeper *sweeper)
{
	sweeper->wanted = true;
}

void sweeper_expects(struct sweeper *sweeper, int64_t expires_at)
{
	if (expires_at >= sweeper->next)
		return;
	sweeper->next = expires_at;
	int64_t wait = service_loop_time(sweeper->service, expires_at) - loop_now(service_loop(sweeper->service)) +
		TIMER_SLACK;
	if (wait < INTERVAL_MAX)
		loop_timer_set(&sweeper->timer, wait > 0 ? wait : 0);
}

/* Keys that trains wrote are of use for as long as a call may take; by then nobody has read before them. */
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
	if (!database_up(state))
		return;
	database_open(state);
	database_add(state, &sql_train_keys_forget, NULL);
	database_send(state, forgotten, sweeper);
}

struct sweeper *sweeper_new(struct service *service)
{
	struct sweeper *sweeper = mem_calloc(1, sizeof *sweeper);
	sweeper->service = service;
	sweeper->next = INT64_MAX;
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
