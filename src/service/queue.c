#include "service/queue_internal.h"

#include "base/log.h"
#include "base/memory.h"
#include "pure/time.h"
#include "service/receive.h"
#include "service/service.h"

#include <assert.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

/* Bytes of a delivery, until some have been seen. */
#define TYPICAL_FIRST 1024

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
	struct recipient *recipient, *next;
	struct queue *queue, *next_queue;
	if (!queues)
		return;
	HASH_ITER (hh, queues->recipients, recipient, next)
		DL_FOREACH_SAFE (recipient->queues, queue, next_queue) {
			queue->loading = false;
			queue_free(queue);
		}
	mem_free(queues);
}

static void timer_fired(void *context)
{
	struct queue *queue = context;
	queue->wake = INT64_MAX;
	queue->wanted = true;
}

/* The queue is looked at then, or earlier: what comes first counts. */
void queue_wake_at(struct queue *queue, int64_t when)
{
	int64_t now = loop_now(service_loop(queue->queues->service));
	if (when >= queue->wake)
		return;
	queue->wake = when;
	loop_timer_set(&queue->timer, when > now ? when - now : 0);
}

void queue_begin_again(struct queue *queue)
{
	memset(&queue->place, 0, sizeof queue->place);
}

static struct recipient *find(struct queues *queues, const char *recipient_id)
{
	struct recipient *recipient;
	HASH_FIND_STR(queues->recipients, recipient_id, recipient);
	return recipient;
}

static struct recipient *recipient_of(struct queues *queues, const char *recipient_id)
{
	struct recipient *recipient = find(queues, recipient_id);
	if (recipient)
		return recipient;
	recipient = mem_calloc(1, sizeof *recipient);
	recipient->id = mem_strdup(recipient_id);
	HASH_ADD_KEYPTR(hh, queues->recipients, recipient->id, strlen(recipient->id), recipient);
	queues->counters.recipients++;
	return recipient;
}

static void recipient_free_if_idle(struct queues *queues, struct recipient *recipient)
{
	if (recipient->listeners || recipient->queues)
		return;
	HASH_DEL(queues->recipients, recipient);
	queues->counters.recipients--;
	mem_free(recipient->id);
	mem_free(recipient);
}

static struct queue *queue_of(struct queues *queues, const char *recipient_id, const char *device)
{
	struct recipient *recipient = recipient_of(queues, recipient_id);
	struct queue *queue;
	DL_FOREACH (recipient->queues, queue)
		if (!strcmp(queue->device, device))
			return queue;
	queue = mem_calloc(1, sizeof *queue);
	queue->queues = queues;
	queue->recipient = recipient;
	queue->device = mem_strdup(device);
	queue->wake = INT64_MAX;
	queue->others_told = true;
	queue->recount_after = TIME_SECOND;
	loop_timer_init(&queue->timer, service_loop(queues->service), timer_fired, queue);
	DL_APPEND(recipient->queues, queue);
	return queue;
}

static void queue_free(struct queue *queue)
{
	struct recipient *recipient = queue->recipient;
	struct unacknowledged *waiting, *next_waiting;
	while (queue->flights.all)
		flights_remove(&queue->flights, queue->flights.all);
	HASH_ITER (hh, queue->unacknowledged, waiting, next_waiting) {
		HASH_DEL(queue->unacknowledged, waiting);
		mem_free(waiting);
	}
	DL_DELETE(recipient->queues, queue);
	recipient_free_if_idle(queue->queues, recipient);
	loop_timer_release(&queue->timer);
	mem_free(queue->device);
	mem_free(queue);
}

/* Nobody is served from it and nothing is on its way: it costs nothing any more. */
void queue_free_if_idle(struct queue *queue)
{
	if (!queue->subscriptions && !queue->flying && !queue->loading && !queue->recounting && !queue->freeing)
		queue_free(queue);
}

struct listener *queue_listen(struct call *receive)
{
	struct listener *listener = mem_calloc(1, sizeof *listener);
	listener->recipient = recipient_of(service_queues(receive->service), receive->name);
	listener->receive = receive;
	DL_APPEND(listener->recipient->listeners, listener);
	return listener;
}

void queue_unlisten(struct listener *listener)
{
	struct recipient *recipient = listener->recipient;
	struct queues *queues = service_queues(listener->receive->service);
	DL_DELETE(recipient->listeners, listener);
	mem_free(listener);
	recipient_free_if_idle(queues, recipient);
}

void listener_bar(struct listener *listener)
{
	listener->barred = true;
}

struct subscription *queue_subscribe(struct call *receive, const char *device, uint32_t window, bool until_empty)
{
	struct queues *queues = service_queues(receive->service);
	struct queue *queue = queue_of(queues, receive->name, device);
	struct subscription *subscription = mem_calloc(1, sizeof *subscription);
	subscription->queue = queue;
	subscription->receive = receive;
	subscription->device = mem_strdup(receive->device);
	subscription->window = window;
	subscription->typical = TYPICAL_FIRST;
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
	mem_free(subscription->device);
	mem_free(subscription);
	queue_free_if_idle(queue);
}

static void give_back(const struct subscription *subscription, const struct delivery_key *key)
{
	struct queue *queue = subscription->queue;
	queue->freeing++;
	release_freed(queue->queues->service, queue, subscription->device, key);
}

void queue_freed(struct queue *queue)
{
	queue->freeing--;
	queue->wanted = true;
	queue_free_if_idle(queue);
}

/* What the stream had not acknowledged is free for the recipient's others at once. */
static void free_unacknowledged(struct subscription *subscription)
{
	struct queue *queue = subscription->queue;
	struct unacknowledged *waiting, *next;
	HASH_ITER (hh, queue->unacknowledged, waiting, next) {
		if (waiting->subscription != subscription)
			continue;
		give_back(subscription, &waiting->key);
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
	/* Nor will it say any more that there is room for what was held: others may have it. */
	queue_writable(subscription);
	subscription_free_if_idle(subscription);
}

static void end_if_landed(struct subscription *subscription)
{
	if (subscription->receive && !subscription->flying)
		receive_leave(subscription->receive, RECEIVE_DRAINING);
}

static void drain(struct recipient *recipient)
{
	struct queue *queue, *next;
	struct subscription *subscription, *next_subscription;
	struct listener *listener, *next_listener;
	DL_FOREACH_SAFE (recipient->queues, queue, next)
		DL_FOREACH_SAFE (queue->subscriptions, subscription, next_subscription)
			end_if_landed(subscription);
	DL_FOREACH_SAFE (recipient->listeners, listener, next_listener)
		if (listener->barred)
			receive_leave(listener->receive, RECEIVE_DRAINING);
}

void queues_drain(struct queues *queues)
{
	struct recipient *recipient, *next;
	queues->draining = true;
	HASH_ITER (hh, queues->recipients, recipient, next)
		drain(recipient);
}

bool queues_draining(const struct queues *queues)
{
	return queues->draining;
}

bool subscription_claim(struct subscription *subscription, size_t length)
{
	const struct server_stream *stream = subscription->receive->stream;
	size_t credit = server_stream_credit(stream), typical = subscription->typical;
	bool alone = !subscription->claims && !server_stream_queued(stream);
	subscription->typical = length > typical ? length : typical - (typical - length) / 8;
	if (credit < subscription->claimed + length && !(alone && credit >= QUEUE_CREDIT_ENOUGH))
		return false;
	subscription->claims++;
	subscription->claimed += length;
	return true;
}

void subscription_unclaim(struct subscription *subscription, size_t length, bool pushed)
{
	subscription->claims--;
	subscription->claimed -= length;
	/* Nobody else will say that there is room for what was held. */
	if (!pushed)
		queue_writable(subscription);
}

struct call *subscription_call(const struct subscription *subscription)
{
	return subscription->receive;
}

static void want_all(struct recipient *recipient)
{
	struct queue *queue;
	DL_FOREACH (recipient->queues, queue)
		queue->wanted = true;
}

/* Streams that get withdrawals alone may perhaps be served again. */
void queue_poke(struct queues *queues, const char *recipient_id)
{
	struct recipient *recipient = find(queues, recipient_id);
	struct listener *listener, *next;
	if (!recipient)
		return;
	want_all(recipient);
	DL_FOREACH_SAFE (recipient->listeners, listener, next)
		if (listener->barred)
			receive_news(listener->receive);
}

void queue_poke_all(struct queues *queues)
{
	struct recipient *recipient, *next;
	struct listener *listener, *next_listener;
	struct queue *queue;
	HASH_ITER (hh, queues->recipients, recipient, next) {
		want_all(recipient);
		DL_FOREACH (recipient->queues, queue)
			queue->others_told = true;
		DL_FOREACH_SAFE (recipient->listeners, listener, next_listener)
			receive_news(listener->receive);
	}
}

/* Ends the holds that wait for the stream, or all. */
static void lift_holds(struct queue *queue, bool all)
{
	struct flight *flight, *next;
	queue->wanted = true;
	if (!queue->held)
		return;
	DL_FOREACH_SAFE (queue->flights.all, flight, next) {
		if (!flight->held_until || (!all && flight->held_until != INT64_MAX))
			continue;
		flights_remove(&queue->flights, flight);
		queue->held--;
		queue_begin_again(queue);
	}
}

void queue_writable(struct subscription *subscription)
{
	lift_holds(subscription->queue, false);
}

void queue_lift_holds(struct queues *queues)
{
	struct recipient *recipient, *next;
	struct queue *queue;
	HASH_ITER (hh, queues->recipients, recipient, next)
		DL_FOREACH (recipient->queues, queue)
			lift_holds(queue, true);
}

/* ---- flights ---- */

struct flight *queue_find_flight(const struct queue *queue, const struct delivery_key *key)
{
	return flights_find(&queue->flights, key->disclosure, key->release);
}

void queue_add_flight(struct subscription *subscription, const struct delivery_key *key, int64_t due_at)
{
	struct queue *queue = subscription->queue;
	struct flight *flight = flights_add(&queue->flights, key->disclosure, key->release);
	flight->due_at = due_at;
	flight->asking = true;
	queue->flying++;
	subscription->flying++;
}

static struct flight *flight_of_release(const struct queue *queue, const struct flight *of, int16_t release)
{
	return release == of->release ? NULL : flights_find(&queue->flights, of->disclosure, release);
}

bool queue_may_board(struct subscription *subscription, const struct delivery_key *key, struct call *delivery)
{
	const struct queue *queue = subscription->queue;
	struct flight *flight = queue_find_flight(queue, key);
	if (!flights_has_others(&queue->flights, flight))
		return true;
	for (int16_t release = 0; release < POLICY_RELEASES_MAX; release++) {
		const struct flight *other = flight_of_release(queue, flight, release);
		if (!other || !other->asking || other->due_at > flight->due_at ||
			(other->due_at == flight->due_at && release > key->release))
			continue;
		flight->waiting = delivery;
		return false;
	}
	return true;
}

/* Whoever waited for it looks again. */
static void flight_boarded(struct queue *queue, struct flight *flight)
{
	flight->asking = false;
	if (!flights_has_others(&queue->flights, flight))
		return;
	for (int16_t release = 0; release < POLICY_RELEASES_MAX; release++) {
		struct flight *other = flight_of_release(queue, flight, release);
		struct call *waiting = other ? other->waiting : NULL;
		if (!waiting)
			continue;
		other->waiting = NULL;
		call_run(waiting);
	}
}

void queue_boarded(struct subscription *subscription, const struct delivery_key *key)
{
	struct flight *flight = queue_find_flight(subscription->queue, key);
	if (flight->asking)
		flight_boarded(subscription->queue, flight);
}

void queue_forget_unacknowledged(struct queue *queue, const struct delivery_key *key)
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
		give_back(subscription, key);
		return;
	}
	queue_forget_unacknowledged(queue, key);
	/* What corrects another takes its place. */
	if (key->serial > 1) {
		struct delivery_key before = *key;
		before.serial--;
		queue_forget_unacknowledged(queue, &before);
	}
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
	flight->held_until = INT64_MAX;
	if (microseconds == QUEUE_HOLD_UNTIL_WRITABLE)
		return;
	flight->held_until = loop_now(service_loop(queue->queues->service)) + microseconds;
	queue_wake_at(queue, flight->held_until);
}

void queue_landed(struct subscription *subscription, const struct delivery_key *key, int64_t hold_for, bool done)
{
	struct queue *queue = subscription->queue;
	struct flight *flight = queue_find_flight(queue, key);
	assert(flight && !flight->held_until && queue->flying && subscription->flying);
	if (flight->asking)
		flight_boarded(queue, flight);
	queue->flying--;
	subscription->flying--;
	/* What is still due is behind the place up to which the queue was read. */
	if (!done)
		queue_begin_again(queue);
	if (hold_for) {
		hold(queue, flight, hold_for);
	} else if (queue->loading) {
		LL_PREPEND2(queue->landed, flight, next_landed);
	} else {
		flights_remove(&queue->flights, flight);
	}
	queue->wanted = true;
	if (queue->queues->draining)
		end_if_landed(subscription);
	subscription_free_if_idle(subscription);
}

void queue_forget_landed(struct queue *queue)
{
	struct flight *flight;
	while ((flight = queue->landed)) {
		LL_DELETE2(queue->landed, flight, next_landed);
		flights_remove(&queue->flights, flight);
	}
}

void queue_ended(struct queues *queues, const char *recipient_id, const uint8_t disclosure_id[16])
{
	struct recipient *recipient = find(queues, recipient_id);
	struct unacknowledged *waiting, *next;
	struct queue *queue;
	if (!recipient)
		return;
	DL_FOREACH (recipient->queues, queue) {
		HASH_ITER (hh, queue->unacknowledged, waiting, next)
			if (!memcmp(waiting->key.disclosure, disclosure_id, sizeof waiting->key.disclosure))
				queue_forget_unacknowledged(queue, &waiting->key);
		queue->wanted = true;
	}
}

void queue_moved(struct queues *queues, const char *recipient_id)
{
	struct recipient *recipient = find(queues, recipient_id);
	struct queue *queue;
	if (!recipient)
		return;
	DL_FOREACH (recipient->queues, queue)
		lift_holds(queue, true);
}

void queue_acknowledged(
	struct queues *queues, const char *recipient_id, const char *device, const struct delivery_key *key)
{
	struct recipient *recipient = find(queues, recipient_id);
	struct queue *queue;
	if (!recipient)
		return;
	DL_FOREACH (recipient->queues, queue) {
		if (*queue->device && strcmp(queue->device, device) != 0)
			continue;
		queue_forget_unacknowledged(queue, key);
		queue->wanted = true;
	}
}

/* ---- withdrawals ---- */

void queue_drop(struct queues *queues, const uint8_t disclosure_id[16])
{
	server_drop(service_server(queues->service), disclosure_id);
}

void queue_withdrawn(struct queues *queues, const char *recipient_id, const char *device)
{
	struct recipient *recipient = find(queues, recipient_id);
	struct listener *listener, *next;
	if (!recipient)
		return;
	DL_FOREACH_SAFE (recipient->listeners, listener, next)
		if (!strcmp(listener->receive->device, device))
			receive_news(listener->receive);
}

/* Those that get withdrawals alone have been closed before, and came back. */
static bool all_barred(const struct recipient *recipient, const char *device)
{
	const struct listener *listener;
	unsigned barred = 0;
	DL_FOREACH (recipient->listeners, listener) {
		if (device && strcmp(listener->receive->device, device) != 0)
			continue;
		if (!listener->barred)
			return false;
		barred++;
	}
	return barred > 0;
}

void queue_close(struct queues *queues, const char *recipient_id, const char *device)
{
	const struct recipient *recipient = find(queues, recipient_id);
	if (!recipient || !all_barred(recipient, device))
		server_close_recipient(service_server(queues->service), recipient_id, device);
}

const struct queue_counters *queue_counters(const struct queues *queues)
{
	return &queues->counters;
}

struct queue_counters *queue_count(struct queues *queues)
{
	return &queues->counters;
}
