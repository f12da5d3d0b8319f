#ifndef NEEDTOKNOW_SERVICE_TRAIN_INTERNAL_H
#define NEEDTOKNOW_SERVICE_TRAIN_INTERNAL_H

#include "pure/time.h"
#include "service/train.h"
#include "service/train_clock.h"

/* What train.c (how it runs) and train_recovery.c (how it runs again) share. For no other file. */

#define PROBE_INTERVAL TIME_SECOND

/*
 *             waiting                      aboard, COMMIT sent
 *   STOPPED -> LOCKING ------------------> COMMITTING -> STOPPED
 *                 \-> nobody: UNLOCKING -> STOPPED
 *   an error: UNLOCKING (ROLLBACK) -> STOPPED; a lost COMMIT: FINDING, after reconnecting
 */
enum train_state {
	TRAIN_STATE_STOPPED,
	TRAIN_STATE_LOCKING,
	TRAIN_STATE_COMMITTING,
	TRAIN_STATE_UNLOCKING,
	TRAIN_STATE_FINDING
};

struct train {
	struct service *service;
	struct train_config config;
	struct key_table *keys;
	struct database *database;
	struct departure *departure;
	struct train_clock clock;
	struct train_counters counters;

	enum train_state state;
	const char *notify; /* signed so; NULL: nobody listens */
	bool notified; /* the train under way does */
	bool chained; /* the next lock was asked for behind the COMMIT */
	bool up; /* connected, and the keys' number known */
	bool full; /* the last one left some at the platform */
	bool failing;
	bool lost; /* calls aboard whose COMMIT was not answered */
	uint32_t limit; /* of calls aboard; lower while a guilty call is looked for */
	uint8_t train_id[16];
	uint64_t number; /* of departures and of other news; what a reading is compared with */
	uint64_t arrived; /* readings that begin now see all up to this number */
	uint64_t floor; /* whoever has read before this number reads again: what others wrote since is not known */
	int64_t departed_at, arrived_at; /* loop time */
	int64_t refused_since; /* loop time since which the lock is not had; 0: it was had */
	int64_t known_keys; /* the last train_number of needtoknow.train_keys that we have seen */
	struct merkle_frontier head;

	struct call *platform[TRAIN_CLASSES];
	struct call *aboard;
	size_t aboard_count;
	/* Committed, and not let go yet: hundreds of answers and pushes take as long as the database takes to write the
	 * next train, so that one departs first. Aboard, nothing else moves them. */
	struct call *arriving;
	struct call *readers;
	struct loop_timer probe, patience;
};

/* Closes what is open; nothing is kept. */
void train_unlock(struct train *train);
/* 0, or -1 when the head's row is not a head. */
int train_read_head(struct train *train, const PGresult *head, int64_t *recorded_at);
/* The last statement of what was answered was COMMIT. */
bool train_says_commit(const struct database_outcome *outcome);
enum train_arrival {
	ARRIVED,
	ARRIVED_WITH_NEXT, /* the next lock's answer is on its way */
	ARRIVED_LATE, /* it was known only after a doubt */
};
/* It is committed. */
void train_arrive(struct train *train, enum train_arrival how);
/* All that were aboard read and decide again. */
void train_turn_back(struct train *train);
void train_fail_waiting(struct train *train);

/* The database says no to the train as such: nobody is served until it says otherwise. */
void train_cannot_write(struct train *train, const struct database_outcome *outcome);
/* For the timer: asks whether it can be written again. */
void train_probe(void *context);
/* For the connection. */
void train_up(void *context);
void train_down(void *context);

#endif
