#include "service/queue.h"

#include "base/log.h"
#include "base/memory.h"
#include "pure/time.h"
#include "service/delivery.h"
#include "service/receive.h"
#include "service/service.h"
#include "sql.h"

#include <assert.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

/* Releases asked for at once for one recipient. */
#define LOAD_MAX 256
/* The database is asked again this much after a moment that it named, since clocks read to the microsecond race. */
#define TIMER_SLACK 1000
#define RETRY_INTERVAL TIME_SECOND

/* One release on its way, or held until a time. */
struct flight {
	struct delivery_key key; /* serial counts as 0: a release has one flight */
	int64_t held_until; /* loop time; 0: on its way; INT64_MAX: until the stream can be written to */
	UT_hash_handle hh;
};

/* One delivery sent to a stream and not yet acknowledged. */
struct unacknowledged {
	struct delivery_key key;
	struct subscription *subscription;
	UT_hash_handle hh;
};

struct subscription {
	struct queue *queue;
	struct call *receive; /* NULL once the stream has gone */
	uint32_t window;
	uint32_t unacknowledged;
	uint32_t flying;
	bool until_empty;
	struct subscription *prev, *next;
};

struct queue {
	struct queues *queues;
	char *recipient_id;
	struct subscription *subscriptions;
	struct flight *flights;
	struct unacknowledged *unacknowledged;
	uint32_t flying, held;
	bool wanted; /* something may be due */
	bool loading;
	struct loop_timer timer;
	UT_hash_handle hh;
};

struct queues {
	struct service *service;
	struct queue *all;
	struct queue_counters counters;
};

static void queue_free(struct queue *queue);

/* ---- who listens ---- */

struct queues *queues_new(struct service *service)
{
	struct queues *queues = mem_calloc(1, sizeof *queues);
	queues->service = service;
	return queues;
}

void queues_free(struct queues *queues)
{
	struct queue *queue, *next;
	if (!queues)
		return;
	HASH_ITER(hh, queues->all, queue, next)
	{
		queue->loading = false;
		queue_free(queue);
	}
	mem_free(queues);
}

static void timer_fired(void *context)
{
	struct queue *queue = context;
	queue->wanted = true;
}

static struct queue *find(struct queues *queues, const char *recipient_id)
{
	struct queue *queue;
	HASH_FIND_STR(queues->all, recipient_id, queue);
	return queue;
}

static struct queue *queue_of(struct queues *queues, const char *recipient_id)
{
	struct queue *queue = find(queues, recipient_id);
	if (queue)
		return queue;
	queue = mem_calloc(1, sizeof *queue);
	queue->queues = queues;
	queue->recipient_id = mem_strdup(recipient_id);
	loop_timer_init(&queue->timer, service_loop(queues->service), timer_fired, queue);
	HASH_ADD_KEYPTR(hh, queues->all, queue->recipient_id, strlen(queue->recipient_id), queue);
	queues->counters.recipients++;
	return queue;
}

static void queue_free(struct queue *queue)
{
	struct flight *flight, *next_flight;
	struct unacknowledged *waiting, *next_waiting;
	HASH_ITER(hh, queue->flights, flight, next_flight)
	{
		HASH_DEL(queue->flights, flight);
		mem_free(flight);
	}
	HASH_ITER(hh, queue->unacknowledged, waiting, next_waiting)
	{
		HASH_DEL(queue->unacknowledged, waiting);
		mem_free(waiting);
	}
	HASH_DEL(queue->queues->all, queue);
	queue->queues->counters.recipients--;
	loop_timer_release(&queue->timer);
	mem_free(queue->recipient_id);
	mem_free(queue);
}

/* Nobody listens and nothing is on its way: the recipient costs nothing any more. */
static void queue_free_if_idle(struct queue *queue)
{
	if (!queue->subscriptions && !queue->flying && !queue->loading)
		queue_free(queue);
}

struct subscription *queue_subscribe(struct call *receive, uint32_t window, bool until_empty)
{
	struct queues *queues = service_queues(receive->service);
	struct queue *queue = queue_of(queues, receive->name);
	struct subscription *subscription = mem_calloc(1, sizeof *subscription);
	subscription->queue = queue;
	subscription->receive = receive;
	subscription->window = window;
	subscription->until_empty = until_empty;
	DL_APPEND(queue->subscriptions, subscription);
	queue->wanted = true;
	queues->counters.subscriptions++;
	return subscription;
}

static void subscription_free_if_idle(struct subscription *subscription)
{
	struct queue *queue = subscription->queue;
	if (subscription->receive || subscription->flying)
		return;
	DL_DELETE(queue->subscriptions, subscription);
	mem_free(subscription);
	queue_free_if_idle(queue);
}

/* What the stream had not acknowledged is free for the recipient's others at once. */
static void free_unacknowledged(struct subscription *subscription)
{
	struct queue *queue = subscription->queue;
	struct unacknowledged *waiting, *next;
	HASH_ITER(hh, queue->unacknowledged, waiting, next)
	{
		if (waiting->subscription != subscription)
			continue;
		release_freed(queue->queues->service, queue->recipient_id, &waiting->key);
		HASH_DEL(queue->unacknowledged, waiting);
		mem_free(waiting);
	}
	subscription->unacknowledged = 0;
}

void queue_unsubscribe(struct subscription *subscription)
{
	subscription->queue->queues->counters.subscriptions--;
	subscription->receive = NULL;
	free_unacknowledged(subscription);
	subscription_free_if_idle(subscription);
}

struct call *subscription_call(const struct subscription *subscription)
{
	return subscription->receive;
}

void queue_poke(struct queues *queues, const char *recipient_id)
{
	struct queue *queue = find(queues, recipient_id);
	if (queue)
		queue->wanted = true;
}

void queue_poke_all(struct queues *queues)
{
	struct queue *queue, *next;
	struct subscription *subscription, *next_subscription;
	HASH_ITER(hh, queues->all, queue, next)
	{
		queue->wanted = true;
		DL_FOREACH_SAFE(queue->subscriptions, subscription, next_subscription)
		if (subscription->receive)
			receive_news(subscription->receive);
	}
}

void queue_writable(struct subscription *subscription)
{
	struct queue *queue = subscription->queue;
	struct flight *flight, *next;
	HASH_ITER(hh, queue->flights, flight, next)
	{
		if (flight->held_until != INT64_MAX)
			continue;
		HASH_DEL(queue->flights, flight);
		mem_free(flight);
		queue->held--;
	}
	queue->wanted = true;
}

/* ---- flights ---- */

static struct delivery_key flight_key(const struct delivery_key *key)
{
	struct delivery_key same;
	memset(&same, 0, sizeof same);
	memcpy(same.disclosure, key->disclosure, sizeof same.disclosure);
	same.release = key->release;
	return same;
}

static struct flight *find_flight(const struct queue *queue, const struct delivery_key *key)
{
	struct delivery_key same = flight_key(key);
	struct flight *flight;
	HASH_FIND(hh, queue->flights, &same, sizeof same, flight);
	return flight;
}

static void forget_unacknowledged(struct queue *queue, const struct delivery_key *key)
{
	struct unacknowledged *waiting;
	HASH_FIND(hh, queue->unacknowledged, key, sizeof *key, waiting);
	if (!waiting)
		return;
	waiting->subscription->unacknowledged--;
	HASH_DEL(queue->unacknowledged, waiting);
	mem_free(waiting);
}

void queue_sent(struct subscription *subscription, const struct delivery_key *key, bool pushed)
{
	struct queue *queue = subscription->queue;
	queue->queues->counters.deliveries++;
	if (!pushed || !subscription->receive) {
		release_freed(queue->queues->service, queue->recipient_id, key);
		return;
	}
	forget_unacknowledged(queue, key);
	struct unacknowledged *waiting = mem_calloc(1, sizeof *waiting);
	waiting->key = *key;
	waiting->subscription = subscription;
	HASH_ADD(hh, queue->unacknowledged, key, sizeof waiting->key, waiting);
	subscription->unacknowledged++;
}

static void hold(struct queue *queue, struct flight *flight, int64_t microseconds)
{
	queue->held++;
	queue->queues->counters.held++;
	if (microseconds == QUEUE_HOLD_UNTIL_WRITABLE) {
		flight->held_until = INT64_MAX;
		return;
	}
	flight->held_until = loop_now(service_loop(queue->queues->service)) + microseconds;
	loop_timer_set(&queue->timer, microseconds);
}

void queue_landed(struct subscription *subscription, const struct delivery_key *key, int64_t hold_for)
{
	struct queue *queue = subscription->queue;
	struct flight *flight = find_flight(queue, key);
	assert(flight && !flight->held_until && queue->flying && subscription->flying);
	queue->flying--;
	subscription->flying--;
	if (hold_for) {
		hold(queue, flight, hold_for);
	} else {
		HASH_DEL(queue->flights, flight);
		mem_free(flight);
	}
	queue->wanted = true;
	subscription_free_if_idle(subscription);
}

void queue_acknowledged(struct queues *queues, const char *recipient_id, const struct delivery_key *key)
{
	struct queue *queue = find(queues, recipient_id);
	if (!queue)
		return;
	forget_unacknowledged(queue, key);
	queue->wanted = true;
}

/* ---- loading ---- */

static uint32_t room(const struct subscription *subscription)
{
	uint32_t taken = subscription->unacknowledged + subscription->flying;
	if (!subscription->receive || taken >= subscription->window)
		return 0;
	return subscription->window - taken;
}

/* The one with the most room: streams of one recipient share its deliveries evenly. */
static struct subscription *roomiest(const struct queue *queue)
{
	struct subscription *best = NULL, *each;
	DL_FOREACH(queue->subscriptions, each)
	if (room(each) && (!best || room(each) > room(best)))
		best = each;
	return best;
}

static uint32_t queue_room(const struct queue *queue)
{
	uint32_t sum = 0;
	const struct subscription *each;
	DL_FOREACH(queue->subscriptions, each)
	sum += room(each);
	return sum;
}

static void end_holds(struct queue *queue)
{
	int64_t now = loop_now(service_loop(queue->queues->service));
	struct flight *flight, *next;
	if (!queue->held)
		return;
	HASH_ITER(hh, queue->flights, flight, next)
	{
		if (!flight->held_until || flight->held_until > now)
			continue;
		HASH_DEL(queue->flights, flight);
		mem_free(flight);
		queue->held--;
	}
}

struct load {
	struct queue *queue;
	uint32_t amount;
	int64_t now, next;
	uint32_t rows, started, left; /* due; of them sent on their way, and without room */
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
	.types = { PG_TEXT, PG_INT4 },
	.row = load_row,
};

static enum step_result load_ask(struct call *call)
{
	struct load *load = call->state;
	batch_read(call, &queue_next, load,
		(struct cell[]){ cell_text(load->queue->recipient_id), cell_number(load->amount) });
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

static void start(struct queue *queue, struct subscription *subscription, const PGresult *result, int row,
	const struct delivery_key *key)
{
	struct due *due;
	struct flight *flight = mem_calloc(1, sizeof *flight);
	struct call *call = delivery_new(queue->queues->service, subscription, &due);
	struct disclosure *disclosure = &due->disclosure;

	flight->key = flight_key(key);
	HASH_ADD(hh, queue->flights, key, sizeof flight->key, flight);
	queue->flying++;
	subscription->flying++;

	due->key = *key;
	due->due_at = row_time(result, row, 3);
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
	disclosure->recipient_id = arena_strdup(call->arena, queue->recipient_id);
	due_read_facts(call, result, row, 17, disclosure_rule(call, disclosure), due);
	if (due->repeat)
		queue->queues->counters.repeats++;
	call_run(call);
}

/* One release that is due, or none: every recipient that was asked for has at least one row. */
static void load_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct load *load = target;
	struct queue *queue = load->queue;
	struct delivery_key key;
	struct subscription *subscription;
	(void)call;
	load->now = row_time(result, row, 1);
	load->next = row_time(result, row, 2);
	memset(&key, 0, sizeof key);
	if (row_bytes(result, row, 7, key.disclosure, sizeof key.disclosure))
		return;
	load->rows++;
	key.release = (int16_t)row_int(result, row, 4);
	key.serial = (int16_t)row_int(result, row, 5);
	/* What has ended is the sweeper's; its rows go with the entry that ends it. */
	if (find_flight(queue, &key) ||
		row_int(result, row, 16) != NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_ACTIVE ||
		row_time(result, row, 14) - load->now <= TIME_SECOND)
		return;
	subscription = roomiest(queue);
	if (!subscription) {
		load->left++;
		return;
	}
	load->started++;
	start(queue, subscription, result, row, &key);
}

/* Something is held only for a moment: a database that did not answer, a stream that was full. */
static bool something_follows(const struct queue *queue)
{
	int64_t soon = loop_now(service_loop(queue->queues->service)) + 2 * TIME_SECOND;
	const struct flight *flight, *next;
	HASH_ITER(hh, queue->flights, flight, next)
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
	DL_FOREACH_SAFE(queue->subscriptions, subscription, next)
	if (subscription->until_empty && subscription->receive)
		receive_finish(subscription->receive);
}

static enum step_result load_done(struct call *call)
{
	struct load *load = call->state;
	struct queue *queue = load->queue;
	if (call->reads)
		return STEP_WAIT;
	service_learn_time(call->service, load->now);
	if (load->next != TIME_NONE)
		loop_timer_set(&queue->timer, load->next - load->now + TIMER_SLACK);
	queue->wanted |= load->started > 0 && load->rows >= load->amount;
	if (!load->started && !load->left && !queue->flying && !queue->wanted)
		end_the_patient(queue);
	return STEP_DONE;
}

static void load_release(struct call *call)
{
	struct load *load = call->state;
	load->queue->loading = false;
	if (call->failed) {
		loop_timer_set(&load->queue->timer, RETRY_INTERVAL);
	}
	queue_free_if_idle(load->queue);
}

/* A stream that ends when nothing waits has to know, also while its window is full. */
static bool somebody_is_patient(const struct queue *queue)
{
	const struct subscription *each;
	DL_FOREACH (queue->subscriptions, each)
		if (each->until_empty && each->receive)
			return true;
	return false;
}

static void load(struct queue *queue)
{
	uint32_t amount = queue_room(queue) + 1;
	struct call *call;
	struct load *load;
	amount = (amount < LOAD_MAX ? amount : LOAD_MAX) + queue->flying + queue->held;
	call = call_new_own(queue->queues->service, &load_method);
	load = call_alloc(call, sizeof *load);
	load->queue = queue;
	load->amount = amount;
	call->state = load;
	queue->wanted = false;
	queue->loading = true;
	call_run(call);
}

int queues_flush(struct queues *queues)
{
	struct queue *queue, *next;
	int asked = 0;
	if (service_state(queues->service) != SERVICE_SERVING)
		return 0;
	HASH_ITER(hh, queues->all, queue, next)
	{
		if (!queue->wanted || queue->loading)
			continue;
		end_holds(queue);
		if (!queue_room(queue) && !somebody_is_patient(queue))
			continue;
		load(queue);
		asked = 1;
	}
	return asked;
}

/* ---- withdrawals ---- */

void queue_drop(struct queues *queues, const uint8_t disclosure_id[16])
{
	server_drop(service_server(queues->service), disclosure_id);
}

void queue_withdrawn(struct queues *queues, const char *recipient_id, const char *device)
{
	struct queue *queue = find(queues, recipient_id);
	struct subscription *subscription, *next;
	if (!queue)
		return;
	DL_FOREACH_SAFE(queue->subscriptions, subscription, next)
	if (subscription->receive && !strcmp(subscription->receive->device, device))
		receive_news(subscription->receive);
}

const struct queue_counters *queue_counters(const struct queues *queues)
{
	return &queues->counters;
}

struct queue_counters *queue_count(struct queues *queues)
{
	return &queues->counters;
}
