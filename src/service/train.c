#include "service/train_internal.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "pure/time.h"
#include "service/batch.h"
#include "service/rulebook.h"
#include "service/service.h"
#include "service/tail.h"
#include "sql.h"

#include <assert.h>
#include <openssl/rand.h>
#include <string.h>
#include <utlist.h>

#define BUSY_FOR (TIME_SECOND / 20)
/* Behind the sender, in what the other workers are told. */
#define POLICY_NEWS " policy"
#define RECIPIENTS_NEWS " recipients"
#define LIFTED_NEWS " lifted"
#define LOCK_TIMEOUT_MS 50
/* Trains come and go. */
#define ARRIVES_WITHIN (TIME_SECOND / 4)
#define STATEMENT_TIMEOUT_MS 250
#define COMMIT_TIMEOUT_MS 5000
/* A call may bring a thousand entries: so many that a train's statements stay well within their timeout. */
#define ENTRIES_MAX 2048
/* More news than this are not read under the lock: everybody reads again instead. */
#define NEWS_MAX 512
/* The lock is not had for as long: somebody holds it, and callers are told. */
#define LOCK_PATIENCE (5 * TIME_SECOND)
#define CALL_TRIES_MAX 50
/* A train with as many calls has the next one ask for the lock behind its COMMIT: more calls will have come by then. */
#define CHAIN_FROM_CALLS 8
/* Those whose train has arrived wait no longer than this for the next one to depart. */
#define DISEMBARK_PATIENCE (TIME_SECOND / 1000)

static void send_lock(struct train *train);

/* ---- the platform ---- */

enum step_result train_board(struct call *call)
{
	struct train *train = service_train(call->service);
	switch (call->boarding) {
	case CALL_COMMITTED:
		return STEP_NEXT;
	case CALL_WAITING:
	case CALL_ABOARD:
		return STEP_WAIT;
	case CALL_ASHORE:
		break;
	}
	if (!train || !train->up) {
		call_fail(call, GRPC_UNAVAILABLE, "DATABASE_UNAVAILABLE",
			"the database does not answer; nothing was recorded; try again");
		return STEP_NEXT;
	}
	call->boarding = CALL_WAITING;
	call->waits_since = loop_now(service_loop(call->service));
	DL_APPEND(train->platform[call->method->train_class], call);
	return STEP_WAIT;
}

int64_t train_waited(const struct train *train, enum train_class train_class)
{
	const struct call *oldest = train->platform[train_class];
	int64_t now = loop_now(service_loop(train->service));
	if (!oldest || !train->full || train_health(train) != TRAIN_RUNNING || now - train->arrived_at > ARRIVES_WITHIN)
		return 0;
	return now - oldest->waits_since;
}

/* In the order of their age, oldest first: what the oldest has read since is what must be remembered. */
static void add_reader(struct train *train, struct call *call)
{
	struct call *after = train->readers ? train->readers->reader_prev : NULL;
	while (after && after->read_train > call->read_train)
		after = after == train->readers ? NULL : after->reader_prev;
	if (after)
		DL_APPEND_ELEM2(train->readers, after, call, reader_prev, reader_next);
	else
		DL_PREPEND2(train->readers, call, reader_prev, reader_next);
}

static void set_reader(struct train *train, struct call *call, uint64_t read_train)
{
	if (call->reading)
		DL_DELETE2(train->readers, call, reader_prev, reader_next);
	call->reading = true;
	call->read_train = read_train;
	add_reader(train, call);
}

void train_reading(struct call *call)
{
	struct train *train = service_train(call->service);
	set_reader(train, call, train->arrived);
}

void train_reading_with(struct call *call, const struct call *reader)
{
	assert(reader->reading);
	set_reader(service_train(call->service), call, reader->read_train);
}

void train_leave(struct call *call)
{
	struct train *train = service_train(call->service);
	if (call->reading)
		DL_DELETE2(train->readers, call, reader_prev, reader_next);
	call->reading = false;
	if (call->boarding == CALL_WAITING)
		DL_DELETE(train->platform[call->method->train_class], call);
	assert(call->boarding != CALL_ABOARD);
	call->boarding = CALL_ASHORE;
}

static bool anybody_waits(const struct train *train)
{
	for (int rank = 0; rank < TRAIN_CLASSES; rank++)
		if (train->platform[rank])
			return true;
	return false;
}

static void go_ashore(struct train *train, struct call *call)
{
	if (call->boarding == CALL_WAITING)
		DL_DELETE(train->platform[call->method->train_class], call);
	call->boarding = CALL_ASHORE;
}

static void read_again(struct train *train, struct call *call)
{
	go_ashore(train, call);
	train->counters.again++;
	if (++call->tries > CALL_TRIES_MAX)
		call_fail(call, GRPC_ABORTED, "CONTENDED", "others kept changing what this needs; try again");
	call->step = call->method->again;
	call_run(call);
}

static void fail_call(
	struct train *train, struct call *call, enum grpc_code code, const char *reason, const char *message)
{
	go_ashore(train, call);
	call_fail(call, code, reason, message);
	call_run(call);
}

void train_fail_waiting(struct train *train)
{
	for (int rank = 0; rank < TRAIN_CLASSES; rank++)
		while (train->platform[rank])
			fail_call(train, train->platform[rank], GRPC_UNAVAILABLE, "DATABASE_UNAVAILABLE",
				"the database does not answer; nothing was recorded; try again");
}

/* Takes the calls off the train, in their order, into a list of the caller's. */
static struct call *unload(struct train *train)
{
	struct call *list = train->aboard, *call;
	train->aboard = NULL;
	train->aboard_count = 0;
	DL_FOREACH (list, call)
		call->boarding = CALL_ASHORE;
	departure_clear(train->departure);
	return list;
}

static struct call *shift(struct call **list)
{
	struct call *call = *list;
	if (call)
		DL_DELETE(*list, call);
	return call;
}

/* ---- loading, under the lock ---- */

/* One call at the platform: aboard, ashore, or it goes on waiting. */
static void load_call(struct train *train, struct call *call)
{
	if (call->reading && call->read_train < train->floor) {
		read_again(train, call);
		return;
	}
	switch (key_table_ask(train->keys, call->keys, call->key_count, call->read_train)) {
	case KEYS_STALE:
		read_again(train, call);
		return;
	case KEYS_TAKEN:
		return;
	case KEYS_FREE:
		break;
	}
	switch (call->method->board(call, train->departure)) {
	case BOARDED:
		key_table_board(train->keys, call->keys, call->key_count);
		go_ashore(train, call);
		call->boarding = CALL_ABOARD;
		DL_APPEND(train->aboard, call);
		train->aboard_count++;
		return;
	case BOARD_NOTHING:
		go_ashore(train, call);
		call->boarding = CALL_COMMITTED;
		call_run(call);
		return;
	case BOARD_AGAIN:
		read_again(train, call);
		return;
	}
}

static void load(struct train *train)
{
	train->full = false;
	for (int rank = 0; rank < TRAIN_CLASSES; rank++) {
		struct call *call, *next;
		DL_FOREACH_SAFE (train->platform[rank], call, next) {
			if (train->aboard_count >= train->limit || departure_entries(train->departure) >= ENTRIES_MAX) {
				train->full = true;
				return;
			}
			load_call(train, call);
		}
	}
}

/* ---- arriving ---- */

void train_disembark(struct train *train)
{
	struct call *call;
	while ((call = shift(&train->arriving))) {
		call->boarding = CALL_COMMITTED;
		call_run(call);
	}
}

int train_disembark_unhurried(struct train *train)
{
	if (!train->arriving || train->state == TRAIN_STATE_LOCKING)
		return 0;
	train_disembark(train);
	return 1;
}

static void patience_ends(void *context)
{
	train_disembark(context);
}

void train_arrive(struct train *train, enum train_arrival how)
{
	struct call *list = train->aboard, *call;
	train->arrived = train->number;
	train->head = *departure_frontier(train->departure);
	train->counters.trains++;
	train->counters.calls += train->aboard_count;
	train->counters.entries += departure_entries(train->departure);
	train->failing = false;
	train->arrived_at = loop_now(service_loop(train->service));
	train_disembark(train); /* what a later train brings never overtakes */
	train->arriving = list;
	train->aboard = NULL;
	train->aboard_count = 0;
	departure_clear(train->departure);
	if (train->limit < train->config.max_calls)
		train->limit = train->limit * 2 < train->config.max_calls ? train->limit * 2 : train->config.max_calls;
	fault_point("train.committed");
	/* What commands others to look again (a policy, a suspension) is let go before the next train decides. */
	bool may_wait = how == ARRIVED_WITH_NEXT;
	DL_FOREACH (list, call) {
		call->late = how == ARRIVED_LATE;
		may_wait = may_wait && call->method->train_class != TRAIN_CONTROL;
	}
	if (may_wait)
		loop_timer_set(&train->patience, DISEMBARK_PATIENCE);
	else
		train_disembark(train);
	tail_grew(service_tail(train->service));
	service_changed(train->service);
}

/* All that were aboard read and decide again. */
void train_turn_back(struct train *train)
{
	struct call *list = unload(train), *call;
	train->arrived = train->number;
	while ((call = shift(&list)))
		read_again(train, call);
}

/* A row that fits no partition (23514) is nobody's: the ledger has outgrown those that were made. */
static bool somebody_is_guilty(const char *sqlstate)
{
	return strcmp(sqlstate, "23514") && database_is_about_data(sqlstate);
}

/* Serialization failure, deadlock, lock or statement timeout: the same train may arrive if it leaves again. */
static bool worth_another_try(const char *sqlstate)
{
	return !strncmp(sqlstate, "40", 2) || !strcmp(sqlstate, "55P03") || !strcmp(sqlstate, "57014");
}

static void train_refused(struct train *train, const struct database_outcome *outcome)
{
	struct call *list, *call;
	train->counters.failures++;
	if (worth_another_try(outcome->sqlstate)) {
		/* Perhaps it was too heavy for its time. */
		train->limit = train->limit > 1 ? train->limit / 2 : 1;
		train_turn_back(train);
		return;
	}
	if (somebody_is_guilty(outcome->sqlstate) && train->aboard_count > 1) {
		train->counters.bisections++;
		train->limit = (uint32_t)(train->aboard_count / 2);
		train_turn_back(train);
		return;
	}
	bool guilty = somebody_is_guilty(outcome->sqlstate);
	if (guilty)
		log_error(
			"train", "a call's writes were refused: %s (SQLSTATE %s)", outcome->message, outcome->sqlstate);
	list = unload(train);
	train->arrived = train->number;
	while ((call = shift(&list))) {
		if (guilty)
			fail_call(train, call, GRPC_INTERNAL, NULL,
				"the database refused what this call would write; nothing was recorded");
		else
			fail_call(train, call, GRPC_UNAVAILABLE, "DATABASE_UNAVAILABLE",
				"the ledger cannot be written; nothing was recorded; try again");
	}
	if (!guilty)
		train_cannot_write(train, outcome);
}

/* The COMMIT may have happened or not. Nobody is answered and no value leaves until the ledger itself has said so. */
static void commit_unknown(struct train *train, const char *why)
{
	struct call *call;
	log_warning("train", "a COMMIT is in doubt (%s): waiting for the database to tell", why);
	train->counters.unknown++;
	train->lost = true;
	DL_FOREACH (train->aboard, call)
		if (call->method->doubted)
			call->method->doubted(call);
	service_changed(train->service);
}

bool train_says_commit(const struct database_outcome *outcome)
{
	return outcome->count > 0 && !strcmp(PQcmdStatus(outcome->results[outcome->count - 1]), "COMMIT");
}

/* ---- unlocking ---- */

static void unlocked(void *context, const struct database_outcome *outcome)
{
	struct train *train = context;
	(void)outcome; /* lost or down: there is nothing left to unlock */
	if (train->state == TRAIN_STATE_UNLOCKING)
		train->state = TRAIN_STATE_STOPPED;
}

void train_unlock(struct train *train)
{
	train->state = TRAIN_STATE_UNLOCKING;
	database_open(train->database);
	database_add_text(train->database, "ROLLBACK");
	database_send(train->database, unlocked, train);
}

/* ---- the COMMIT's answer ---- */

static void committed(void *context, const struct database_outcome *outcome)
{
	struct train *train = context;
	assert(train->state == TRAIN_STATE_COMMITTING);
	bool chained = train->chained;
	train->chained = false;
	train->state = chained ? TRAIN_STATE_LOCKING : TRAIN_STATE_STOPPED;
	switch (outcome->result) {
	case DATABASE_OK:
		if (outcome->warned || !train_says_commit(outcome)) {
			commit_unknown(train, "it was answered with a warning");
			database_reset(train->database);
			return;
		}
		train->known_keys = row_int(outcome->results[outcome->count - 2 - (train->notified ? 1 : 0)], 0, 0);
		train_arrive(train, chained ? ARRIVED_WITH_NEXT : ARRIVED);
		return;
	case DATABASE_FAILED:
		/* What was chained behind fails as well, since the transaction is still open: the lock's answer
		 * unlocks. */
		if (!chained)
			train_unlock(train);
		train_refused(train, outcome);
		return;
	case DATABASE_LOST:
		commit_unknown(train, "the connection was lost");
		return;
	case DATABASE_DOWN:
		train_turn_back(train);
		return;
	}
}

/* ---- departing ---- */

static void send_commit(struct train *train)
{
	uint8_t now[8];
	size_t keys_length;
	const uint8_t *keys = key_table_written(train->keys, &keys_length);
	struct database *database = train->database;

	if (RAND_bytes(train->train_id, sizeof train->train_id) != 1)
		abort();
	pg_put_time(now, departure_now(train->departure));
	database_open(database);
	departure_send(train->departure, database, train->train_id);
	fault_point("train.written");
	database_add(database, &sql_train_keys_append,
		(struct parameter[]){ { now, 8 }, { keys_length ? (const void *)keys : "", keys_length } });
	train->notified = train->notify != NULL;
	if (train->notified) {
		char payload[80];
		int length = snprintf(payload, sizeof payload, "%llu %s%s%s%s",
			(unsigned long long)departure_frontier(train->departure)->size, train->notify,
			departure_carries(train->departure, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_POLICY_ACTIVATED)
				? POLICY_NEWS
				: "",
			departure_carries(train->departure, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_RECIPIENT_CHANGED)
				? RECIPIENTS_NEWS
				: "",
			departure_carries(train->departure, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_RESTRICTION_LIFTED)
				? LIFTED_NEWS
				: "");
		database_add(database, &sql_train_notify, (struct parameter[]){ { payload, (size_t)length } });
	}
	database_add_text(database, "COMMIT");
	database_send(database, committed, train);
	fault_point("train.commit_sent");
}

bool train_is_busy(const struct train *train)
{
	return train->departed_at && loop_now(service_loop(train->service)) - train->departed_at < BUSY_FOR;
}

static void depart(struct train *train)
{
	size_t calls = train->aboard_count;
	train->number++;
	train->departed_at = loop_now(service_loop(train->service));
	train->state = TRAIN_STATE_COMMITTING;
	send_commit(train);
	key_table_depart(train->keys, train->number);
	if (train->readers)
		key_table_forget(train->keys, train->readers->read_train);
	else
		key_table_forget(train->keys, train->arrived);
	if (database_up(train->database) && (calls >= CHAIN_FROM_CALLS || anybody_waits(train))) {
		train->chained = true;
		send_lock(train);
	}
}

/* ---- the lock's answer ---- */

static void hear_keys(struct train *train, const PGresult *news, int row)
{
	const char *bytes = PQgetvalue(news, row, 3);
	int length = PQgetlength(news, row, 3);
	uint64_t policy = key_hash(train->keys, KEY_POLICY, "", 0);
	for (int at = 0; at + 8 <= length; at += 8) {
		uint64_t hash = (uint64_t)pg_int(bytes + at, 8);
		key_table_foreign(train->keys, hash, train->number);
		if (hash == policy)
			rulebook_outdated(service_rulebook(train->service));
	}
}

/* Keys that others wrote since the last train that we know of: whoever read before now must look again. */
static void hear_news(struct train *train, const PGresult *news)
{
	int rows = PQntuples(news);
	int64_t last = row_int(news, 0, 1);
	if (last <= train->known_keys)
		return;
	train->arrived = ++train->number;
	if (rows > NEWS_MAX) {
		train->floor = train->number;
		rulebook_outdated(service_rulebook(train->service));
	}
	for (int row = 0; row < rows && rows <= NEWS_MAX; row++)
		if (!row_is_null(news, row, 2) && row_int(news, row, 2) > train->known_keys)
			hear_keys(train, news, row);
	train->known_keys = last;
}

/* 0, or -1 when the head's row is not a head. */
int train_read_head(struct train *train, const PGresult *head, int64_t *recorded_at)
{
	if (PQntuples(head) != 1)
		return -1;
	*recorded_at = row_time(head, 0, 2);
	return merkle_frontier_load(
		&train->head, (uint64_t)row_int(head, 0, 0), PQgetvalue(head, 0, 1), (size_t)PQgetlength(head, 0, 1));
}

/* The lock was refused once more: for how long has it been? */
static bool waited_too_long(struct train *train)
{
	int64_t now = loop_now(service_loop(train->service));
	if (!train->refused_since)
		train->refused_since = now;
	return now - train->refused_since > LOCK_PATIENCE;
}

static void locked(void *context, const struct database_outcome *outcome)
{
	struct train *train = context;
	int64_t recorded_at, now;
	assert(train->state != TRAIN_STATE_COMMITTING);
	if (outcome->result == DATABASE_FAILED) {
		/* The lock was not given in time, or the train before it failed: what is open is closed, and those who
		 * wait ask again. */
		train_unlock(train);
		if (!strcmp(outcome->sqlstate, "25P02"))
			return;
		if (!worth_another_try(outcome->sqlstate) || waited_too_long(train))
			train_cannot_write(train, outcome);
		return;
	}
	train->state = TRAIN_STATE_STOPPED;
	train->refused_since = 0;
	if (outcome->result != DATABASE_OK)
		return;
	if (train_read_head(train, outcome->results[1], &recorded_at)) {
		train_unlock(train);
		train_cannot_write(train,
			&(struct database_outcome){
				.message = "the ledger's head does not fit its size", .sqlstate = "XX001" });
		return;
	}
	hear_news(train, outcome->results[2]);
	now = row_time(outcome->results[2], 0, 0);
	service_learn_time(train->service, now);
	if (train_clock_check(&train->clock, now, recorded_at, loop_now(service_loop(train->service)))) {
		train_unlock(train);
		train_fail_waiting(train);
		loop_timer_set(&train->probe, PROBE_INTERVAL);
		service_changed(train->service);
		return;
	}
	fault_point("train.locked");
	departure_begin(train->departure, &train->head, now > recorded_at ? now : recorded_at);
	load(train);
	fault_point("train.decided");
	if (train->aboard_count)
		depart(train);
	else
		train_unlock(train);
}

static void send_lock(struct train *train)
{
	uint8_t known[8];
	pg_put_int8(known, train->known_keys);
	if (train->state != TRAIN_STATE_COMMITTING)
		train->state = TRAIN_STATE_LOCKING;
	database_open(train->database);
	database_add_text(train->database, "BEGIN");
	database_add(train->database, &sql_head_lock, NULL);
	database_add(train->database, &sql_head_news, (struct parameter[]){ { known, 8 } });
	database_send(train->database, locked, train);
	fault_point("train.begin");
}

int train_depart(struct train *train)
{
	if (!train->up || train->state != TRAIN_STATE_STOPPED || train->lost || !anybody_waits(train))
		return 0;
	send_lock(train);
	return 1;
}

struct train *train_new(struct service *service, const struct train_config *config, struct key_table *keys)
{
	struct train *train = mem_calloc(1, sizeof *train);
	struct database_config database = {
		.name = "train",
		.conninfo = config->conninfo,
		.lock_timeout_ms = LOCK_TIMEOUT_MS,
		.statement_timeout_ms = STATEMENT_TIMEOUT_MS,
		.answer_timeout_ms = COMMIT_TIMEOUT_MS,
		.keyed_plans = true,
		.urgent = true,
	};
	struct database_handler handler = {
		.on_up = train_up, .on_down = train_down, .context = train, .on_trouble = service_trouble
	};
	train->service = service;
	train->config = *config;
	train->limit = config->max_calls;
	train->keys = keys;
	train->departure = departure_new();
	train->number = 1;
	train->arrived = 1;
	loop_timer_init(&train->probe, service_loop(service), train_probe, train);
	loop_timer_init(&train->patience, service_loop(service), patience_ends, train);
	train->database = database_new(service_loop(service), &database, &handler);
	return train;
}

void train_close(struct train *train)
{
	struct call *list, *call;
	if (!train)
		return;
	database_free(train->database);
	train->database = NULL;
	train->up = false;
	train_disembark(train);
	list = unload(train);
	while ((call = shift(&list)))
		fail_call(train, call, GRPC_UNAVAILABLE, "DATABASE_UNAVAILABLE", "the service is being stopped");
	train_fail_waiting(train);
}

void train_free(struct train *train)
{
	if (!train)
		return;
	database_free(train->database);
	loop_timer_release(&train->probe);
	loop_timer_release(&train->patience);
	departure_free(train->departure);
	mem_free(train);
}

int train_news_read(const char *payload, struct train_news *out)
{
	*out = (struct train_news){ .policy = false };
	const char *sender = strchr(payload, ' ');
	size_t length = sender ? strcspn(++sender, " ") : 0;
	if (!length || length >= sizeof out->sender)
		return -1;
	memcpy(out->sender, sender, length);
	out->policy = strstr(sender + length, POLICY_NEWS) != NULL;
	out->recipients = strstr(sender + length, RECIPIENTS_NEWS) != NULL;
	out->lifted = strstr(sender + length, LIFTED_NEWS) != NULL;
	return 0;
}

void train_notify(struct train *train, const char *name)
{
	train->notify = name;
}

enum train_health train_health(const struct train *train)
{
	if (train->lost)
		return TRAIN_UNKNOWN;
	if (!train->up)
		return TRAIN_DOWN;
	if (train_clock_wrong(&train->clock))
		return TRAIN_CLOCK;
	return train->failing ? TRAIN_FAILING : TRAIN_RUNNING;
}

void train_count_shed(struct train *train)
{
	train->counters.shed++;
}

const struct train_counters *train_counters(const struct train *train)
{
	return &train->counters;
}
