#ifndef NEEDTOKNOW_SERVICE_QUEUE_INTERNAL_H
#define NEEDTOKNOW_SERVICE_QUEUE_INTERNAL_H

#include "service/flights.h"
#include "service/queue.h"

#include <uthash.h>

/* What queue.c (who listens, what is on its way) and queue_load.c (asking for what is due) share. For no other file. */

/* One delivery sent to a stream and not yet acknowledged. */
struct unacknowledged {
	struct delivery_key key;
	struct subscription *subscription;
	UT_hash_handle hh;
};

struct subscription {
	struct queue *queue;
	struct call *receive; /* NULL once the stream has gone */
	char *device; /* the stream's */
	uint32_t window;
	uint32_t unacknowledged;
	uint32_t flying;
	uint32_t claims; /* of them, those that have claimed of the stream's credit */
	size_t claimed; /* bytes */
	size_t typical; /* length of a delivery, as they come */
	bool until_empty, finished; /* ends when nothing waits; has been ended */
	struct subscription *prev, *next;
};

/* A place in a recipient's queue, in its order; all zero is before the first. */
struct place {
	int64_t due_at;
	uint8_t disclosure[16];
	int16_t release;
};

struct queue {
	struct queues *queues;
	struct recipient *recipient;
	char *device; /* "" for whichever comes first */
	struct subscription *subscriptions;
	struct flights flights;
	struct unacknowledged *unacknowledged;
	struct flight *landed; /* since the loading began, which may have read them as due: forgotten when it is done */
	uint32_t flying, held;
	uint32_t freeing; /* deliveries whose stream has gone, being given back to the queue */
	bool wanted; /* something may be due */
	bool loading;
	struct place place; /* up to where the queue has been read; a backlog is read in pages */
	struct loop_timer timer;
	int64_t wake; /* loop time at which the timer fires; INT64_MAX: never */
	bool recounting;
	bool others_told; /* since then, that they have committed something */
	int64_t recounted_at, recount_after;
	struct queue *prev, *next; /* of the same recipient */
};

struct listener {
	struct recipient *recipient;
	struct call *receive;
	bool barred;
	struct listener *prev, *next;
};

/* One that is connected. */
struct recipient {
	char *id;
	struct listener *listeners;
	struct queue *queues;
	UT_hash_handle hh;
};

struct queues {
	struct service *service;
	bool draining;
	struct recipient *recipients;
	struct queue_counters counters;
};

/* What may become due is looked for then, or earlier. Loop time. */
void queue_wake_at(struct queue *queue, int64_t when);
/* The queue is read from its front. */
void queue_begin_again(struct queue *queue);
/* NULL: it is not on its way. */
struct flight *queue_find_flight(const struct queue *queue, const struct delivery_key *key);
/* Something due starts on its way. */
void queue_add_flight(struct subscription *subscription, const struct delivery_key *key, int64_t due_at);
/* What landed while the queue was read is forgotten. */
void queue_forget_landed(struct queue *queue);
void queue_forget_unacknowledged(struct queue *queue, const struct delivery_key *key);
/* Nobody listens and nothing is on its way: it goes. */
void queue_free_if_idle(struct queue *queue);

#endif
