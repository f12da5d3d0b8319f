#include "service/queue_internal.h"

#include "base/memory.h"
#include "pure/time.h"
#include "service/batch.h"
#include "service/delivery.h"
#include "service/receive.h"
#include "service/service.h"
#include "service/train.h"
#include "sql.h"

#include <string.h>
#include <utlist.h>

/* Releases asked for at once for one recipient. */
#define LOAD_MAX 256
/* On their way at once, to all of a recipient's streams. */
#define FLYING_MAX 1024
/* The database is asked again this much after a moment that it named, since clocks read to the microsecond race. */
#define TIMER_SLACK 1000
#define RETRY_INTERVAL TIME_SECOND
/* A full window is counted again so soon after others were told of; else ever more rarely while nothing comes of it. */
#define RECOUNT_INTERVAL TIME_SECOND
#define RECOUNT_INTERVAL_MAX (30 * TIME_SECOND)

/* ---- who has room ---- */

static uint32_t room(const struct subscription *subscription)
{
	uint32_t taken = subscription->unacknowledged + subscription->flying;
	if (!subscription->receive || subscription->finished || taken >= subscription->window)
		return 0;
	/* A device that does not read is not read for; one that reads slowly, for as much as it will probably take. */
	size_t credit = server_stream_credit(subscription->receive->stream);
	if (credit < subscription->claimed + QUEUE_CREDIT_ENOUGH)
		return 0;
	size_t fit = (credit - subscription->claimed) / subscription->typical;
	uint32_t unclaimed = subscription->flying - subscription->claims, left = subscription->window - taken;
	if (fit <= unclaimed)
		return subscription->flying ? 0 : 1;
	return fit - unclaimed < left ? (uint32_t)(fit - unclaimed) : left;
}

/* The one with the most room: streams of one recipient share its deliveries evenly. */
static struct subscription *roomiest(const struct queue *queue)
{
	struct subscription *best = NULL, *each;
	DL_FOREACH (queue->subscriptions, each)
		if (room(each) && (!best || room(each) > room(best)))
			best = each;
	return best;
}

static uint32_t queue_room(const struct queue *queue)
{
	uint32_t sum = 0;
	const struct subscription *each;
	DL_FOREACH (queue->subscriptions, each)
		sum += room(each);
	/* Values that are read wait in memory for their train: no more of them than it will soon take. */
	uint32_t more = queue->flying < FLYING_MAX ? FLYING_MAX - queue->flying : 0;
	return sum < more ? sum : more;
}

static void end_holds(struct queue *queue)
{
	int64_t now = loop_now(service_loop(queue->queues->service));
	struct flight *flight, *next;
	if (!queue->held)
		return;
	DL_FOREACH_SAFE (queue->flights.all, flight, next) {
		if (!flight->held_until || flight->held_until > now)
			continue;
		flights_remove(&queue->flights, flight);
		queue->held--;
		queue_begin_again(queue);
	}
}

struct load {
	struct queue *queue;
	uint32_t amount;
	int64_t now, next;
	uint32_t fresh; /* never sent before */
	uint32_t started, left; /* sent on their way; due, and without room */
	bool asked_who, barred; /* whether the queue may be served has been looked at, and it may not */
	struct place last; /* the last that need not be read again */
};

static enum step_result load_ask(struct call *call);
static enum step_result load_done(struct call *call);
static void load_release(struct call *call);

static const struct method load_method = {
	.steps = { load_ask, load_done },
	.release = load_release,
};

static void load_row(struct call *call, void *target, const PGresult *result, int row);

static const struct read_kind queue_next = {
	.statement = &sql_queue_next,
	.from = READ_STATE,
	.types = { PG_TEXT, PG_TEXT, PG_INT4, PG_TIMESTAMPTZ, PG_UUID, PG_INT2 },
	.row = load_row,
};

static enum step_result load_ask(struct call *call)
{
	struct load *load = call->state;
	const struct place *place = &load->queue->place;
	load->last = *place;
	/* What is delivered from this reading is as old as it. */
	train_reading(call);
	batch_read(call, &queue_next, load,
		(struct cell[]){ cell_text(load->queue->recipient->id), cell_text(load->queue->device),
			cell_number(load->amount), cell_number(place->due_at),
			cell_bytes(place->disclosure, sizeof place->disclosure), cell_number(place->release) });
	return STEP_NEXT;
}

void due_read_facts(
	struct call *call, const PGresult *result, int row, int column, const struct rule *rule, struct due *out)
{
	out->agreement_ref = row_text(result, row, column, call);
	out->facts = (struct share_facts){
		.starts_at = out->disclosure.starts_at,
		.ends_at = out->disclosure.ends_at,
		.recipient_known = !row_is_null(result, row, column + 4),
		.agreement_from = row_time(result, row, column + 1),
		.agreement_until = row_time(result, row, column + 2),
		.recipient_suspended = row_bool(result, row, column + 3),
		.service_authorised = row_bool(result, row, column + 5),
	};
	if (out->facts.recipient_known)
		out->facts.recipient_kind = (enum recipient_kind)row_int(result, row, column + 4);
	subject_read(result, row, column + 6, &out->subject);
	out->facts.subject_rights = subject_rights(result, row, column + 8, rule ? rule->service->purpose : "");
}

static void start(struct call *reader, struct queue *queue, struct subscription *subscription, const PGresult *result,
	int row, const struct delivery_key *key)
{
	struct due *due;
	struct call *call = delivery_new(reader, subscription, &due);
	struct disclosure *disclosure = &due->disclosure;

	due->key = *key;
	due->due_at = row_time(result, row, 3);
	queue_add_flight(subscription, key, due->due_at);
	due->repeat = !row_bytes(result, row, 6, due->commitment, sizeof due->commitment);
	memcpy(disclosure->id, key->disclosure, sizeof disclosure->id);
	disclosure->booking_id = row_text(result, row, 8, call);
	disclosure->subject_id = row_text(result, row, 9, call);
	disclosure->service = row_text(result, row, 10, call);
	disclosure->policy_number = (int)row_int(result, row, 11);
	disclosure->starts_at = row_time(result, row, 12);
	disclosure->ends_at = row_time(result, row, 13);
	disclosure->expires_at = row_time(result, row, 14);
	disclosure->created_at = row_time(result, row, 15);
	disclosure->recipient_id = arena_strdup(call->arena, queue->recipient->id);
	due->device = arena_strdup(call->arena, queue->device);
	const struct rule *rule = disclosure_rule_now(call, disclosure);
	disclosure->expires_at = disclosure_expires_at(disclosure, rule);
	due_read_facts(call, result, row, 17, rule, due);
	if (due->repeat) {
		due->latest = (int16_t)row_int(result, row, 16);
		queue->queues->counters.repeats++;
	}
	call_run(call);
}

/* A page is read on from its last row, unless one before it was left for lack of room. */
static void remember_place(struct load *load, const struct delivery_key *key, int64_t due_at)
{
	load->fresh++;
	if (load->left)
		return;
	load->last.due_at = due_at;
	load->last.release = key->release;
	memcpy(load->last.disclosure, key->disclosure, sizeof load->last.disclosure);
}

/* `a\nb`: is it one of these? */
static bool is_among(const char *lines, const char *name)
{
	size_t length = strlen(name);
	for (const char *at = lines; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strcspn(at, "\n") == length && !memcmp(at, name, length))
			return true;
	}
	return false;
}

/* Another worker may have suspended the recipient, revoked a device, or changed to whom its deliveries go: a stream
 * that may no longer be served as it was opened ends, and its app is asked again who it is. */
static bool may_be_served(struct call *call, struct queue *queue, const PGresult *result, int row)
{
	struct queues *queues = queue->queues;
	struct subscription *each, *next;
	const char *revoked = row_text(result, row, 27, call);
	bool suspended = row_bool(result, row, 20), moved = row_bool(result, row, 26) != (*queue->device != '\0');
	DL_FOREACH_SAFE (queue->subscriptions, each, next) {
		bool lost = each->receive && revoked && is_among(revoked, each->receive->device);
		if (!each->receive || each->finished || !(suspended || moved || lost))
			continue;
		each->finished = true;
		if (suspended || lost)
			queue_close(queues, queue->recipient->id, suspended ? NULL : each->receive->device);
		else
			receive_leave(each->receive, RECEIVE_CHANGED);
	}
	return !suspended && !moved;
}

/* One release that is due, or none: every recipient that was asked for has at least one row. */
static void load_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct load *load = target;
	struct queue *queue = load->queue;
	struct delivery_key key;
	struct subscription *subscription;
	load->now = row_time(result, row, 1);
	load->next = row_time(result, row, 2);
	if (!load->asked_who)
		load->barred = !may_be_served(call, queue, result, row);
	load->asked_who = true;
	if (load->barred)
		return;
	memset(&key, 0, sizeof key);
	if (row_bytes(result, row, 7, key.disclosure, sizeof key.disclosure))
		return;
	key.release = (int16_t)row_int(result, row, 4);
	key.serial = (int16_t)row_int(result, row, 5);
	subscription = roomiest(queue);
	bool passed = queue_find_flight(queue, &key) != NULL;
	if (!passed && !subscription) {
		load->left++;
		return;
	}
	if (row_is_null(result, row, 6))
		remember_place(load, &key, row_time(result, row, 3));
	if (passed)
		return;
	load->started++;
	start(call, queue, subscription, result, row, &key);
}

/* Something is held only for a moment: a database that did not answer, a stream that was full. */
static bool something_follows(const struct queue *queue)
{
	int64_t soon = loop_now(service_loop(queue->queues->service)) + 2 * TIME_SECOND;
	const struct flight *flight;
	DL_FOREACH (queue->flights.all, flight)
		if (flight->held_until < soon || flight->held_until == INT64_MAX)
			return true;
	return false;
}

/* A stream that asked for what waits, and no more, ends when nothing does. */
static void end_the_patient(struct queue *queue)
{
	struct subscription *subscription, *next;
	if (something_follows(queue))
		return;
	DL_FOREACH_SAFE (queue->subscriptions, subscription, next)
		if (subscription->until_empty && subscription->receive && !subscription->finished) {
			subscription->finished = true;
			receive_finish(subscription->receive);
		}
}

/* When there will be something: what becomes due next, or the end of a hold. */
static void wake_for_what_follows(struct queue *queue, const struct load *load)
{
	const struct flight *flight;
	queue->wake = INT64_MAX;
	loop_timer_clear(&queue->timer);
	if (load->next != TIME_NONE)
		queue_wake_at(queue, service_loop_time(queue->queues->service, load->next) + TIMER_SLACK);
	if (!queue->held)
		return;
	DL_FOREACH (queue->flights.all, flight)
		if (flight->held_until)
			queue_wake_at(queue, flight->held_until);
}

/* A full page has another behind it. At the end of the pages the queue is looked at from its front once more: what was
 * committed while they were read may stand before them. */
static void turn_the_page(struct queue *queue, const struct load *load)
{
	bool was_paging = queue->place.due_at != 0;
	if (load->fresh >= load->amount || load->left) {
		queue->place = load->last;
		queue->wanted |= !load->left;
		return;
	}
	queue_begin_again(queue);
	queue->wanted |= was_paging;
}

static enum step_result load_done(struct call *call)
{
	struct load *load = call->state;
	struct queue *queue = load->queue;
	if (call->awaited)
		return STEP_WAIT;
	service_learn_time(call->service, load->now);
	queue_forget_landed(queue);
	wake_for_what_follows(queue, load);
	turn_the_page(queue, load);
	if (!load->started && !load->left && !queue->flying && !queue->freeing && !queue->wanted)
		end_the_patient(queue);
	return STEP_DONE;
}

static void load_release(struct call *call)
{
	struct load *load = call->state;
	struct queue *queue = load->queue;
	queue->loading = false;
	queue_forget_landed(queue);
	if (call->failed)
		queue_wake_at(queue, loop_now(service_loop(call->service)) + RETRY_INTERVAL);
	queue_free_if_idle(queue);
}

/* A stream that ends when nothing waits has to know, also while its window is full. */
static bool somebody_is_patient(const struct queue *queue)
{
	const struct subscription *each;
	DL_FOREACH (queue->subscriptions, each)
		if (each->until_empty && each->receive && !each->finished)
			return true;
	return false;
}

static void load(struct queue *queue)
{
	uint32_t amount = queue_room(queue) + 1;
	struct call *call;
	struct load *load;
	amount = amount < LOAD_MAX ? amount : LOAD_MAX;
	/* From the front, what is on its way comes first. */
	if (!queue->place.due_at)
		amount += queue->flying + queue->held;
	call = call_new_own(queue->queues->service, &load_method);
	load = call_alloc(call, sizeof *load);
	load->queue = queue;
	load->amount = amount;
	call->state = load;
	queue->wanted = false;
	queue->loading = true;
	call_run(call);
}

/* ---- what another worker was told ---- */

/*
 * An acknowledgement may come to another worker. A stream whose window is full asks, once a second at most, which of
 * its deliveries are still waited for: when other workers have told of something, and now and then.
 */
struct recount {
	struct queue *queue;
	size_t count;
	struct counted {
		struct delivery_key key;
		bool open;
	} * all;
};

static void open_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct counted *counted = target;
	(void)call;
	(void)result;
	(void)row;
	counted->open = true;
}

static const struct read_kind sent_open = {
	.statement = &sql_sent_open,
	.from = READ_STATE,
	.types = { PG_UUID, PG_INT2, PG_INT2, PG_TEXT },
	.row = open_row,
};

static enum step_result recount_ask(struct call *call)
{
	struct recount *recount = call->state;
	struct unacknowledged *waiting, *next;
	HASH_ITER (hh, recount->queue->unacknowledged, waiting, next) {
		struct counted *counted = &recount->all[recount->count++];
		counted->key = waiting->key;
		batch_read(call, &sent_open, counted,
			(struct cell[]){ cell_bytes(waiting->key.disclosure, sizeof waiting->key.disclosure),
				cell_number(waiting->key.release), cell_number(waiting->key.serial),
				cell_text(recount->queue->device) });
	}
	return STEP_NEXT;
}

static enum step_result recount_done(struct call *call)
{
	const struct recount *recount = call->state;
	struct queue *queue = recount->queue;
	unsigned before = HASH_COUNT(queue->unacknowledged);
	if (call->awaited)
		return STEP_WAIT;
	for (size_t i = 0; i < recount->count; i++)
		if (!recount->all[i].open)
			queue_forget_unacknowledged(queue, &recount->all[i].key);
	queue->recount_after = HASH_COUNT(queue->unacknowledged) < before ? RECOUNT_INTERVAL : 2 * queue->recount_after;
	if (queue->recount_after > RECOUNT_INTERVAL_MAX)
		queue->recount_after = RECOUNT_INTERVAL_MAX;
	queue->wanted = true;
	return STEP_DONE;
}

static void recount_release(struct call *call)
{
	const struct recount *recount = call->state;
	recount->queue->recounting = false;
	queue_free_if_idle(recount->queue);
}

static const struct method recount_method = {
	.steps = { recount_ask, recount_done },
	.release = recount_release,
};

static int64_t recount_due(const struct queue *queue)
{
	return queue->recounted_at + (queue->others_told ? RECOUNT_INTERVAL : queue->recount_after);
}

static bool recount(struct queue *queue)
{
	int64_t now = loop_now(service_loop(queue->queues->service));
	unsigned count = HASH_COUNT(queue->unacknowledged);
	if (queue->recounting || !count || now < recount_due(queue))
		return false;
	queue->recounting = true;
	queue->recounted_at = now;
	queue->others_told = false;
	struct call *call = call_new_own(queue->queues->service, &recount_method);
	struct recount *recount = call_alloc(call, sizeof *recount);
	recount->all = call_alloc(call, count * sizeof *recount->all);
	recount->queue = queue;
	call->state = recount;
	call_run(call);
	return true;
}

/* True when it asked. */
static bool flush(struct queue *queue)
{
	bool asked = false;
	if (!queue->wanted || queue->loading)
		return false;
	end_holds(queue);
	if (!queue_room(queue))
		asked = recount(queue);
	if (!queue_room(queue) && !somebody_is_patient(queue)) {
		queue->wanted = false;
		if (!queue->recounting)
			queue_wake_at(queue, recount_due(queue));
		return asked;
	}
	load(queue);
	return true;
}

int queues_flush(struct queues *queues)
{
	struct recipient *recipient, *next;
	struct queue *queue, *next_queue;
	int asked = 0;
	if (service_state(queues->service) != SERVICE_SERVING)
		return 0;
	HASH_ITER (hh, queues->recipients, recipient, next)
		DL_FOREACH_SAFE (recipient->queues, queue, next_queue)
			asked |= flush(queue);
	return asked;
}
