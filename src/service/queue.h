#ifndef NEEDTOKNOW_SERVICE_QUEUE_H
#define NEEDTOKNOW_SERVICE_QUEUE_H

#include "pure/decision.h"
#include "pure/delivery_id.h"
#include "service/call.h"
#include "service/disclosure.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What waits for each recipient that is connected to this worker. The queue itself is in the database (needtoknow.due,
 * and what was sent and not acknowledged); here is only who listens, how much they may still be sent, and what is on
 * its way. A recipient that is not connected costs nothing. With ANY_DEVICE the streams of a recipient share one queue;
 * with EVERY_DEVICE each device has its own.
 */
struct queues;
struct queue; /* of one recipient, or of one device of it (EVERY_DEVICE) */
struct listener; /* a stream, from its opening on: it is told of withdrawals */
struct subscription; /* a stream that is sent deliveries */

struct queues *queues_new(struct service *service);
void queues_free(struct queues *queues);

/* A Receive call begins and ends to listen. */
struct listener *queue_listen(struct call *receive);
void queue_unlisten(struct listener *listener);
/* It may be told of withdrawals and nothing else. */
void listener_bar(struct listener *listener);

/* `device`: "", the queue that a recipient's devices share, or the stream's own. */
struct subscription *queue_subscribe(struct call *receive, const char *device, uint32_t window, bool until_empty);
void queue_unsubscribe(struct subscription *subscription);
/* The stream's output has drained. */
void queue_writable(struct subscription *subscription);

/* Something may be due for this recipient: it is asked for when the turn ends. */
void queue_poke(struct queues *queues, const char *recipient_id);
/* Something may be due, or withdrawn, for anybody: another worker has committed, or the database is back. */
void queue_poke_all(struct queues *queues);
/* Another policy is in force, or it is known again which one: what was held is looked at again. */
void queue_lift_holds(struct queues *queues);

/* Committed: this device has acknowledged it. */
void queue_acknowledged(
	struct queues *queues, const char *recipient_id, const char *device, const struct delivery_key *key);

/* Committed: nothing of this disclosure may leave any more. */
void queue_drop(struct queues *queues, const uint8_t disclosure_id[16]);
/* Committed: its deliveries are no longer waited for. */
void queue_ended(struct queues *queues, const char *recipient_id, const uint8_t disclosure_id[16]);
/* Committed: something of this recipient's becomes due at another time; what was held is looked at again. */
void queue_moved(struct queues *queues, const char *recipient_id);
/* Committed: there is a withdrawal for this device. */
void queue_withdrawn(struct queues *queues, const char *recipient_id, const char *device);

/* Committed: this recipient is suspended, or this device of it revoked (NULL: all of them). Its connections here end,
 * and what had not left them yet with them; whoever comes back is asked again who it is. */
void queue_close(struct queues *queues, const char *recipient_id, const char *device);

/* Asks for what is due where it is wanted; at the end of a turn. Nonzero when it asked. */
int queues_flush(struct queues *queues);

/* The worker is to end: nothing starts on its way any more, and each stream ends once nothing of it is, so that its app
 * goes to another. */
void queues_drain(struct queues *queues);
bool queues_draining(const struct queues *queues);

struct queue_counters {
	uint64_t recipients, subscriptions, deliveries, repeats, withdrawals, held, abandoned;
};
const struct queue_counters *queue_counters(const struct queues *queues);

/* ---- for delivery.c: one release on its way ---- */

/* A message larger than a peer's whole window may begin when this much of it is open. */
#define QUEUE_CREDIT_ENOUGH ((size_t)4 << 10)

/* What the queue's reading said of one release that is due. Strings are in the delivery's arena. */
struct due {
	struct disclosure disclosure;
	struct subject subject;
	struct delivery_key key;
	int64_t due_at; /* its row in needtoknow.due; with `repeat`, when it became free */
	bool perhaps; /* of an app that fetches: it may have no row */
	bool repeat;
	int16_t latest; /* the highest serial of this release's delivery ids */
	uint8_t commitment[32]; /* with `repeat`: of what was sent */
	const char *device; /* for which its row is: "" or, with EVERY_DEVICE, that one */
	const char *agreement_ref;
	/* What the decision needs beside the sources' answer; its time is the train's. */
	struct share_facts facts;
};

/* From the nine columns agreement_ref to rights in force, which follow one another in every reading that has them. */
void due_read_facts(
	struct call *call, const PGresult *result, int row, int column, const struct rule *rule, struct due *out);

/* The delivery was recorded for this stream: it is waited for until it is acknowledged, or freed at once when it could
 * not be `pushed`. */
void queue_sent(struct subscription *subscription, const struct delivery_key *key, bool pushed);
/* The delivery is over. `hold`: microseconds until what is still due of it may be tried again; `done`: it was
 * recorded, nothing of it is due any more. */
#define QUEUE_HOLD_UNTIL_WRITABLE INT64_C(-1)
void queue_landed(struct subscription *subscription, const struct delivery_key *key, int64_t hold, bool done);
/* What release_freed() was asked for is done, or has failed. */
void queue_freed(struct queue *queue);
/* Releases of one disclosure board in the order in which they became due, whichever source answers first. False: an
 * earlier one is still being read, and the delivery's call is run again. */
bool queue_may_board(struct subscription *subscription, const struct delivery_key *key, struct call *delivery);
/* It has boarded: the next may. */
void queue_boarded(struct subscription *subscription, const struct delivery_key *key);

/* A delivery of this length may be recorded for the stream: its credit covers it, beside what others on their way have
 * claimed of it. A message larger than the peer's whole window begins when nothing else is under way. The claim is
 * given back when the delivery is in the stream's output, or is not going to be. */
bool subscription_claim(struct subscription *subscription, size_t length);
void subscription_unclaim(struct subscription *subscription, size_t length, bool pushed);
/* The stream, or NULL when it has gone. */
struct call *subscription_call(const struct subscription *subscription);
struct queue_counters *queue_count(struct queues *queues);

#endif
