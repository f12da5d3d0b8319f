#include "service/clearing.h"

#include "service/batch.h"
#include "service/service.h"
#include "service/train.h"
#include "sql.h"

#include <assert.h>

/* Ended in one train at most: half of what it takes, so that others find room beside them. */
#define PAGE 256

struct clear {
	struct clearing *clearing; /* NULL: nobody waits for it */
	enum end_why why;
	const char *recipient_id, *device;
	unsigned found; /* on the last page */
	struct ender ender;
};

/* ---- a revoked device that was ordered to delete everything is not looked at any more ---- */

struct cleared {
	const char *recipient_id, *device;
};

static enum step_result cleared_commit(struct call *call)
{
	return train_board(call);
}

static enum boarding cleared_board(struct call *call, struct departure *departure)
{
	const struct cleared *cleared = call->state;
	departure_write(departure, WRITE_DEVICE_CLEARED,
		(struct cell[]){ cell_text(cleared->recipient_id), cell_text(cleared->device),
			cell_number(departure_now(departure)) });
	return BOARDED;
}

static enum step_result cleared_done(struct call *call)
{
	(void)call;
	return STEP_DONE;
}

static const struct method cleared_method = {
	.steps = { cleared_commit, cleared_done },
	.board = cleared_board,
	.train_class = TRAIN_DELIVERY,
};

static void remember_cleared(const struct call *call, const struct clear *clear)
{
	struct call *own = call_new_own(call->service, &cleared_method);
	struct cleared *cleared = call_alloc(own, sizeof *cleared);
	cleared->recipient_id = arena_strdup(own->arena, clear->recipient_id);
	cleared->device = arena_strdup(own->arena, clear->device);
	own->state = cleared;
	call_run(own);
}

/* ---- page by page ---- */

static void live_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct clear *clear = target;
	clear->found++;
	ender_end(&clear->ender, call, clear->why, result, row, 1);
}

static const struct read_kind live_of_recipient = {
	.statement = &sql_live_of_recipient,
	.from = READ_STATE,
	.types = { PG_TEXT, PG_INT4, PG_INT4 },
	.row = live_row,
};

static const struct read_kind live_of_device = {
	.statement = &sql_live_of_device,
	.from = READ_STATE,
	.types = { PG_TEXT, PG_TEXT, PG_INT4 },
	.row = live_row,
};

static enum step_result clear_ask(struct call *call)
{
	struct clear *clear = call->state;
	clear->found = 0;
	/* What is ended from this reading is as old as it. */
	train_reading(call);
	if (clear->why == END_DEVICE)
		batch_read(call, &live_of_device, clear,
			(struct cell[]){ cell_text(clear->recipient_id), cell_text(clear->device), cell_number(PAGE) });
	else
		batch_read(call, &live_of_recipient, clear,
			(struct cell[]){ cell_text(clear->recipient_id), cell_number(clear->why), cell_number(PAGE) });
	return STEP_NEXT;
}

static enum step_result clear_wait(struct call *call)
{
	struct clear *clear = call->state;
	if (call->awaited || clear->ender.ending)
		return STEP_WAIT;
	if (clear->ender.failed)
		return STEP_DONE;
	if (clear->found) {
		call->step = 0;
		return STEP_NEXT;
	}
	if (clear->clearing)
		clear->clearing->complete = true;
	if (clear->why == END_DEVICE)
		remember_cleared(call, clear);
	return STEP_DONE;
}

static void clear_release(struct call *call)
{
	const struct clear *clear = call->state;
	struct clearing *clearing = clear->clearing;
	if (!clearing)
		return;
	clearing->running = false;
	clearing->call = NULL;
	clearing->done(clearing->context);
}

static const struct method clear_method = {
	.steps = { clear_ask, clear_wait },
	.release = clear_release,
};

static void page_ended(void *context)
{
	call_run(context);
}

void clearing_start(struct clearing *clearing, struct service *service, enum end_why why, const char *recipient_id,
	const char *device, void (*done)(void *context), void *context)
{
	struct call *call = call_new_own(service, &clear_method);
	struct clear *clear = call_alloc(call, sizeof *clear);
	assert(!clearing->running && why != END_EXPIRED);
	*clear = (struct clear){
		.clearing = clearing,
		.why = why,
		.recipient_id = arena_strdup(call->arena, recipient_id),
		.device = arena_strdup(call->arena, device),
		.ender = { .done = page_ended, .context = call },
	};
	call->state = clear;
	*clearing = (struct clearing){ .running = true, .call = call, .done = done, .context = context };
	call_run(call);
}

void clearing_forget(struct clearing *clearing)
{
	if (!clearing->running)
		return;
	struct clear *clear = clearing->call->state;
	clear->clearing = NULL;
	clearing->running = false;
}
