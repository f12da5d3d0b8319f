#include "service/eraser.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "pure/time.h"
#include "service/batch.h"
#include "service/company.h"
#include "service/erasing.h"
#include "service/train.h"
#include "sql.h"

#include <string.h>

#define INTERVAL (2 * TIME_SECOND)
#define PENDING_PAGE 8
#define FORGET_PAGE 32

/* Where the next page begins. Those that fail, or that somebody does not confirm, keep no other from its turn. */
struct place {
	int64_t at;
	uint8_t key[16];
};
static const struct place beginning = { .at = 0 };

struct eraser {
	struct service *service;
	struct loop_timer timer;
	bool looking; /* for either */
	struct place pending, due;
	struct erasing erasings[PENDING_PAGE];
	unsigned erasing; /* of them, those on their way */
	bool complaining; /* the company's database did not answer, and that was said */
	size_t waiting; /* on the pages of this round so far */
	struct eraser_counters counters;
};

/* ---- forgetting one ---- */

struct forgetting {
	struct eraser *eraser;
	const char *subject_id;
	bool kept;
};

static void keeps_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct forgetting *forgetting = target;
	(void)call;
	forgetting->kept = row_bool(result, row, 1);
}

static const struct read_kind erasure_keeps_subject = {
	.statement = &sql_erasure_keeps_subject,
	.from = READ_STATE,
	.types = { PG_TEXT },
	.row = keeps_row,
};

static void forgotten_row(struct call *call, void *target, const PGresult *result, int row)
{
	(void)call;
	(void)target;
	(void)result;
	(void)row;
}

/* Of a client of many years this takes longer than a train may. What it does may be done again. */
static const struct read_kind forget_subject = {
	.statement = &sql_forget_subject,
	.from = READ_LISTING,
	.types = { PG_TEXT },
	.row = forgotten_row,
};

static enum step_result forget_ask(struct call *call)
{
	struct forgetting *forgetting = call->state;
	forgetting->kept = true;
	call_key(call, KEY_SUBJECT, forgetting->subject_id, strlen(forgetting->subject_id), KEY_EXCLUSIVE);
	batch_read(call, &erasure_keeps_subject, forgetting, (struct cell[]){ cell_text(forgetting->subject_id) });
	return STEP_NEXT;
}

static enum step_result forget_commit(struct call *call)
{
	const struct forgetting *forgetting = call->state;
	if (call->awaited)
		return STEP_WAIT;
	return forgetting->kept ? STEP_DONE : train_board(call);
}

/* In a train, so that whoever read the key before it reads again and names nobody by it afterwards. */
static enum boarding forget_board(struct call *call, struct departure *departure)
{
	const struct forgetting *forgetting = call->state;
	departure_write(departure, WRITE_SUBJECT_KEY_DESTROYED, (struct cell[]){ cell_text(forgetting->subject_id) });
	return BOARDED;
}

static enum step_result forget_rest(struct call *call)
{
	struct forgetting *forgetting = call->state;
	fault_point("forget.key_destroyed");
	batch_read(call, &forget_subject, forgetting, (struct cell[]){ cell_text(forgetting->subject_id) });
	return STEP_NEXT;
}

static enum step_result forget_done(struct call *call)
{
	const struct forgetting *forgetting = call->state;
	if (call->awaited)
		return STEP_WAIT;
	forgetting->eraser->counters.forgotten++;
	log_info("erasure", "a client who was erased is forgotten: nothing leads from the ledger to them any more");
	return STEP_DONE;
}

static const struct method forget_method = {
	.steps = { forget_ask, forget_commit, forget_rest, forget_done },
	.board = forget_board,
	.train_class = TRAIN_SHARE,
};

static void forget(struct eraser *eraser, const char *subject_id)
{
	struct call *call = call_new_own(eraser->service, &forget_method);
	struct forgetting *forgetting = call_alloc(call, sizeof *forgetting);
	*forgetting = (struct forgetting){ .eraser = eraser, .subject_id = arena_strdup(call->arena, subject_id) };
	call->state = forgetting;
	call_run(call);
}

/* ---- looking ---- */

struct look {
	struct eraser *eraser;
	size_t pending, due; /* rows that were found */
	struct place pending_last, due_last, keys[PENDING_PAGE];
	const char *subjects[FORGET_PAGE];
	size_t subject_count;
};

static void read_place(const PGresult *result, int row, int time_column, int key_column, struct place *out)
{
	out->at = row_time(result, row, time_column);
	if (row_bytes(result, row, key_column, out->key, sizeof out->key))
		memset(out->key, 0, sizeof out->key);
}

static void pending_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct look *look = target;
	(void)call;
	if (look->pending == PENDING_PAGE)
		return;
	read_place(result, row, 2, 1, &look->pending_last);
	look->keys[look->pending++] = look->pending_last;
}

static const struct read_kind erasures_pending = {
	.statement = &sql_erasures_pending,
	.from = READ_LISTING,
	.types = { PG_TIMESTAMPTZ, PG_UUID, PG_INT4 },
	.row = pending_row,
};

static void due_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct look *look = target;
	if (look->due == FORGET_PAGE)
		return;
	look->due++;
	read_place(result, row, 3, 1, &look->due_last);
	if (row_bool(result, row, 4))
		look->subjects[look->subject_count++] = row_text(result, row, 2, call);
}

static const struct read_kind erasures_to_forget = {
	.statement = &sql_erasures_to_forget,
	.from = READ_LISTING,
	.types = { PG_TIMESTAMPTZ, PG_UUID, PG_INT4 },
	.row = due_row,
};

static void ask_page(struct call *call, const struct read_kind *kind, const struct place *after, int64_t amount)
{
	batch_read(call, kind, call->state,
		(struct cell[]){ cell_number(after->at), cell_bytes(after->key, 16), cell_number(amount) });
}

static enum step_result look_ask(struct call *call)
{
	const struct look *look = call->state;
	if (company_configured(service_company(call->service)))
		ask_page(call, &erasures_pending, &look->eraser->pending, PENDING_PAGE);
	ask_page(call, &erasures_to_forget, &look->eraser->due, FORGET_PAGE);
	return STEP_NEXT;
}

/* Said once, however often it is asked again. */
static void complain(struct eraser *eraser, bool complete)
{
	if (complete == !eraser->complaining || service_state(eraser->service) != SERVICE_SERVING)
		return;
	eraser->complaining = !complete;
	if (complete)
		log_info("erasure", "the company's database answers again: what it was to erase is erased");
	else
		log_warning("erasure",
			"the company's database does not answer an erasure: it holds here, and is asked of it until "
			"it does");
}

static void erased(void *context)
{
	struct eraser *eraser = context;
	eraser->erasing--;
	for (int i = 0; i < PENDING_PAGE; i++)
		if (eraser->erasings[i].done && !eraser->erasings[i].running) {
			eraser->erasings[i].done = NULL;
			eraser->counters.resumed += eraser->erasings[i].complete;
			complain(eraser, eraser->erasings[i].complete);
		}
}

static enum step_result look_done(struct call *call)
{
	const struct look *look = call->state;
	struct eraser *eraser = look->eraser;
	if (call->awaited)
		return STEP_WAIT;
	eraser->waiting += look->pending;
	if (look->pending < PENDING_PAGE) {
		eraser->counters.waiting = eraser->waiting;
		eraser->waiting = 0;
	}
	eraser->pending = look->pending == PENDING_PAGE ? look->pending_last : beginning;
	eraser->due = look->due == FORGET_PAGE ? look->due_last : beginning;
	eraser->erasing += (unsigned)look->pending;
	for (size_t i = 0; i < look->pending; i++)
		erasing_start(&eraser->erasings[i], call->service, look->keys[i].key, erased, eraser);
	for (size_t i = 0; i < look->subject_count; i++)
		forget(eraser, look->subjects[i]);
	return STEP_DONE;
}

static void look_release(struct call *call)
{
	const struct look *look = call->state;
	look->eraser->looking = false;
}

static const struct method look_method = {
	.steps = { look_ask, look_done },
	.release = look_release,
};

static void ticked(void *context)
{
	struct eraser *eraser = context;
	loop_timer_set(&eraser->timer, INTERVAL);
	if (!service_elected(eraser->service)) {
		eraser->waiting = eraser->counters.waiting = 0;
		eraser->complaining = false;
	}
	eraser->counters.stopped = eraser->complaining;
	if (eraser->looking || eraser->erasing || service_state(eraser->service) != SERVICE_SERVING ||
		!service_elected(eraser->service))
		return;
	struct call *call = call_new_own(eraser->service, &look_method);
	struct look *look = call_alloc(call, sizeof *look);
	*look = (struct look){ .eraser = eraser };
	call->state = look;
	eraser->looking = true;
	call_run(call);
}

struct eraser *eraser_new(struct service *service)
{
	struct eraser *eraser = mem_calloc(1, sizeof *eraser);
	eraser->service = service;
	loop_timer_init(&eraser->timer, service_loop(service), ticked, eraser);
	loop_timer_set(&eraser->timer, INTERVAL);
	return eraser;
}

const struct eraser_counters *eraser_counters(const struct eraser *eraser)
{
	return &eraser->counters;
}

void eraser_free(struct eraser *eraser)
{
	if (!eraser)
		return;
	loop_timer_release(&eraser->timer);
	mem_free(eraser);
}
