#ifndef NEEDTOKNOW_DAEMON_METRICS_H
#define NEEDTOKNOW_DAEMON_METRICS_H

#include "io/server.h"
#include "service/corrector.h"
#include "service/eraser.h"
#include "service/ledger_room.h"
#include "service/queue.h"
#include "service/retention_sweeper.h"
#include "service/service.h"
#include "service/signer.h"
#include "service/sweeper.h"
#include "service/train.h"

#include <event2/buffer.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What the workers tell the supervisor: a page of shared memory each, of plain atomic numbers, written by the worker
 * and read by the supervisor, which never waits for a worker and never asks one. No personal data is ever in it.
 *
 * Workers are numbered from 1. A page outlives its worker: what a worker that ended had counted is carried over to the
 * next one in its place, so a counter never falls while the supervisor lives.
 */
struct metrics;

/* Shared by everything that is forked afterwards. NULL, with errno, when there is no memory. */
struct metrics *metrics_new(unsigned workers);
/* NULL is allowed. */
void metrics_free(struct metrics *metrics);

/* ---- for a worker ---- */

struct metrics_sample {
	enum service_state state;
	const char *why; /* an operator's sentence; "" while it serves */
	int64_t certificate_expiry; /* seconds since the epoch */
	const struct server_counters *server;
	const struct train_counters *train; /* NULL: not there yet */
	const struct queue_counters *queue;
	const struct ledger_room_counters *room;
	const struct signer_counters *signer;
	const struct corrector_counters *corrector;
	const struct sweeper_counters *sweeper;
	const struct eraser_counters *eraser;
	const struct retention_sweeper_counters *retention_sweeper;
};

void metrics_publish(struct metrics *metrics, unsigned worker, const struct metrics_sample *sample);

/* ---- for the supervisor ---- */

void metrics_worker_started(struct metrics *metrics, unsigned worker);
void metrics_worker_ended(struct metrics *metrics, unsigned worker);

/* So many workers of before a rolling restart still serve: their pages were the supervisor's that was. */
void metrics_set_elders(struct metrics *metrics, unsigned elders);
unsigned metrics_elders(const struct metrics *metrics);

bool metrics_is_alive(const struct metrics *metrics, unsigned worker);
enum service_state metrics_state(const struct metrics *metrics, unsigned worker);
/* It has been SERVING, now or before, in this place. */
bool metrics_has_served(const struct metrics *metrics, unsigned worker);
/* Seconds since the epoch at which it was started or last published. */
int64_t metrics_heard(const struct metrics *metrics, unsigned worker);

unsigned metrics_alive(const struct metrics *metrics);
unsigned metrics_serving(const struct metrics *metrics);
/* Why no worker serves, in one sentence; "serving" when one does, of now or of before. The text is good until the next
 * call. */
const char *metrics_why(struct metrics *metrics);

/* All of it, in Prometheus' text exposition format 0.0.4. */
void metrics_write(const struct metrics *metrics, struct evbuffer *out);

#endif
