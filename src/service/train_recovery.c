#include "service/train_internal.h"

#include "base/log.h"
#include "service/batch.h"
#include "service/service.h"
#include "sql.h"

#include <string.h>

/* ---- the connection ---- */

static void ready(struct train *train)
{
	/* Whoever read while we did not listen to the others reads again. */
	train->arrived = train->floor = ++train->number;
	train->up = true;
	service_changed(train->service);
}

/* An OK that a crash could take back would be none (P6). */
static void check_durability(const PGresult *result)
{
	const char *commit = PQgetvalue(result, 0, 0);
	if (strcmp(commit, "on") != 0 && strcmp(commit, "remote_apply") != 0)
		log_warning("train",
			"synchronous_commit was %s for our role: it is on for this connection; switch it on for good",
			commit);
	if (!row_bool(result, 0, 1))
		log_error("train",
			"the database runs with fsync off: what is answered OK does not survive a crash of its "
			"machine");
}

static void found(void *context, const struct database_outcome *outcome)
{
	struct train *train = context;
	train->state = TRAIN_STATE_STOPPED;
	if (outcome->result == DATABASE_LOST || outcome->result == DATABASE_DOWN)
		return; /* asked again after the next reconnection */
	if (outcome->result == DATABASE_FAILED || outcome->warned || !train_says_commit(outcome)) {
		log_warning("train", "the ledger's head cannot be had: %s (SQLSTATE %s)", outcome->message,
			outcome->sqlstate);
		database_reset(train->database);
		return;
	}
	check_durability(outcome->results[4]);
	train->known_keys = row_int(outcome->results[1], 0, 0);
	if (train->lost) {
		bool arrived = row_bool(outcome->results[3], 0, 0);
		log_info("train", "the COMMIT in doubt %s", arrived ? "had happened" : "had not happened");
		train->lost = false;
		ready(train);
		if (arrived)
			train_arrive(train, ARRIVED_LATE);
		else
			train_turn_back(train);
	} else {
		ready(train);
	}
}

/* Connected: how far the others are, and what became of a COMMIT that was not answered. */
void train_up(void *context)
{
	struct train *train = context;
	uint8_t first[8];
	train->state = TRAIN_STATE_FINDING;
	train->chained = false;
	pg_put_int8(first, (int64_t)departure_first_index(train->departure));
	database_open(train->database);
	database_add_text(train->database, "BEGIN");
	database_add(train->database, &sql_train_keys_last, NULL);
	database_add(train->database, &sql_head_lock, NULL);
	database_add(train->database, &sql_train_find, (struct parameter[]){ { train->train_id, 16 }, { first, 8 } });
	database_add(train->database, &sql_durability, NULL);
	database_add_text(train->database, "COMMIT");
	database_send(train->database, found, train);
}

void train_down(void *context)
{
	struct train *train = context;
	train->up = false;
	train->state = TRAIN_STATE_STOPPED;
	train->chained = false;
	train_fail_waiting(train);
	service_changed(train->service);
}

/* ---- while the ledger cannot be written ---- */

static bool probed_well(struct train *train, const struct database_outcome *outcome)
{
	int64_t recorded_at;
	if (outcome->result != DATABASE_OK || train_read_head(train, outcome->results[1], &recorded_at))
		return false;
	int64_t now = row_time(outcome->results[2], 0, 0);
	return !train_clock_check(&train->clock, now, recorded_at, loop_now(service_loop(train->service)));
}

static void probed(void *context, const struct database_outcome *outcome)
{
	struct train *train = context;
	if (train->state != TRAIN_STATE_UNLOCKING)
		return;
	train->state = TRAIN_STATE_STOPPED;
	if (outcome->result == DATABASE_FAILED)
		train_unlock(train);
	if (!probed_well(train, outcome)) {
		loop_timer_set(&train->probe, PROBE_INTERVAL);
		return;
	}
	log_info("train", "the ledger can be written again");
	train->failing = false;
	train->refused_since = 0;
	service_changed(train->service);
}

/* Nobody calls a service that says NOT_SERVING, so it finds out by itself when it may say SERVING again. */
void train_probe(void *context)
{
	struct train *train = context;
	uint8_t known[8];
	if (!train->failing && !train_clock_wrong(&train->clock))
		return;
	if (!train->up || train->lost || train->state != TRAIN_STATE_STOPPED) {
		loop_timer_set(&train->probe, PROBE_INTERVAL);
		return;
	}
	pg_put_int8(known, train->known_keys);
	train->state = TRAIN_STATE_UNLOCKING;
	database_open(train->database);
	database_add_text(train->database, "BEGIN");
	database_add(train->database, &sql_head_lock, NULL);
	database_add(train->database, &sql_head_news, (struct parameter[]){ { known, 8 } });
	database_add(train->database, &sql_ledger_probe, NULL);
	database_add_text(train->database, "ROLLBACK");
	database_send(train->database, probed, train);
}

void train_cannot_write(struct train *train, const struct database_outcome *outcome)
{
	if (!train->failing)
		log_error(
			"train", "the ledger cannot be written: %s (SQLSTATE %s)", outcome->message, outcome->sqlstate);
	train->failing = true;
	loop_timer_set(&train->probe, PROBE_INTERVAL);
	train_fail_waiting(train);
	service_changed(train->service);
}
