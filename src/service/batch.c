#include "service/batch.h"

#include "base/memory.h"
#include "pure/time.h"
#include "service/service.h"

#include <assert.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#define BATCH_ROWS_MAX 512
/* With one on its way and one being answered, what comes meanwhile gathers: batches grow with load. */
#define BATCHES_IN_FLIGHT_MAX 2
#define PATIENCE (2 * TIME_SECOND)
#define LOOK_INTERVAL (TIME_SECOND / 20)

struct asker {
	struct call *call;
	unsigned generation;
	void *target;
};

struct batch {
	struct gathering *gathering;
	struct columns columns;
	struct asker askers[BATCH_ROWS_MAX];
	size_t count;
	bool alone; /* made of what a failed batch carried, one call each */
	struct batch *next;
};

/* What is asked of one kind. */
struct gathering {
	const struct read_kind *kind;
	struct batches *batches;
	struct batch *waiting; /* in order; the last may still grow */
	unsigned in_flight;
	int64_t waits_since; /* loop time at which its connection was first found to be away; 0: it is there */
	UT_hash_handle hh;
};

struct batches {
	struct service *service;
	struct loop_timer again; /* looks whether a connection is back */
	struct gathering *gatherings;
};

static void look_again(void *context)
{
	(void)context; /* the turn's end does */
}

struct batches *batches_new(struct service *service)
{
	struct batches *batches = mem_calloc(1, sizeof *batches);
	batches->service = service;
	loop_timer_init(&batches->again, service_loop(service), look_again, batches);
	return batches;
}

static void batch_free(struct batch *batch)
{
	columns_release(&batch->columns);
	mem_free(batch);
}

void batches_free(struct batches *batches)
{
	struct gathering *gathering, *next;
	if (!batches)
		return;
	HASH_ITER (hh, batches->gatherings, gathering, next) {
		struct batch *batch, *following;
		LL_FOREACH_SAFE (gathering->waiting, batch, following)
			batch_free(batch);
		HASH_DEL(batches->gatherings, gathering);
		mem_free(gathering);
	}
	loop_timer_release(&batches->again);
	mem_free(batches);
}

static struct gathering *gathering_of(struct batches *batches, const struct read_kind *kind)
{
	struct gathering *gathering;
	HASH_FIND_PTR(batches->gatherings, &kind, gathering);
	if (!gathering) {
		gathering = mem_calloc(1, sizeof *gathering);
		gathering->kind = kind;
		gathering->batches = batches;
		HASH_ADD_PTR(batches->gatherings, kind, gathering);
	}
	return gathering;
}

static struct batch *batch_new(struct gathering *gathering, bool alone)
{
	struct batch *batch = mem_calloc(1, sizeof *batch);
	batch->gathering = gathering;
	batch->alone = alone;
	columns_init(&batch->columns, gathering->kind->types);
	LL_APPEND(gathering->waiting, batch);
	return batch;
}

static void batch_add(struct batch *batch, struct call *call, void *target, const struct cell *cells)
{
	if (columns_append(&batch->columns, cells)) {
		call_fail(call, GRPC_RESOURCE_EXHAUSTED, "OVERLOADED", "too much is being read at once; try again");
		call->status.retry_after_ms = 1000;
		return;
	}
	batch->askers[batch->count++] = (struct asker){ call, call->generation, target };
	call->reads++;
	call->awaited++;
}

void batch_read(struct call *call, const struct read_kind *kind, void *target, const struct cell *cells)
{
	struct gathering *gathering = gathering_of(service_batches(call->service), kind);
	struct batch *batch = gathering->waiting;
	while (batch && (batch->alone || batch->count == BATCH_ROWS_MAX))
		batch = batch->next;
	batch_add(batch ? batch : batch_new(gathering, false), call, target, cells);
}

static bool wanted(const struct asker *asker)
{
	return !asker->call->ended && asker->generation == asker->call->generation;
}

/* The call that ended while it was read for is freed with its last reading. */
static void settle(const struct asker *asker)
{
	struct call *call = asker->call;
	assert(call->reads > 0);
	call->reads--;
	if (wanted(asker))
		call->awaited--;
	if (call->ended && call->reads == 0)
		arena_free(call->arena);
}

static void wake(const struct asker *asker)
{
	struct call *call = asker->call;
	bool lives = !call->ended;
	settle(asker);
	if (lives)
		call_run(call);
}

static void deliver_rows(const struct batch *batch, const PGresult *result)
{
	int rows = PQntuples(result);
	for (int row = 0; row < rows; row++) {
		int64_t ord = row_int(result, row, 0);
		assert(ord >= 1 && (size_t)ord <= batch->count);
		const struct asker *asker = &batch->askers[ord - 1];
		if (wanted(asker))
			batch->gathering->kind->row(asker->call, asker->target, result, row);
	}
}

/* Each call's row again, by itself: only the one that the database cannot answer fails. */
static void split(struct batch *batch)
{
	struct cell cells[COLUMNS_MAX];
	for (size_t i = 0; i < batch->count; i++) {
		struct asker *asker = &batch->askers[i];
		bool again = wanted(asker);
		settle(asker);
		if (!again)
			continue;
		columns_row(&batch->columns, i, cells);
		batch_add(batch_new(batch->gathering, true), asker->call, asker->target, cells);
	}
}

/* Where both are down it is ours that is told of: nothing goes on without it, whatever the company's answers. */
static void fail(const struct batch *batch)
{
	const struct gathering *gathering = batch->gathering;
	bool ours = gathering->kind->from != READ_SOURCE ||
		!database_up(service_database_state(gathering->batches->service));
	const char *reason = ours ? "DATABASE_UNAVAILABLE" : "SOURCE_UNAVAILABLE";
	for (size_t i = 0; i < batch->count; i++)
		if (wanted(&batch->askers[i]) && batch->askers[i].call->boarding != CALL_ABOARD)
			call_fail(batch->askers[i].call, GRPC_UNAVAILABLE, reason,
				"a database that this needs does not answer; try again");
}

static void answered(void *context, const struct database_outcome *outcome)
{
	struct batch *batch = context;
	batch->gathering->in_flight--;
	if (outcome->result == DATABASE_OK) {
		assert(outcome->count == 1);
		deliver_rows(batch, outcome->results[0]);
	} else if (outcome->result == DATABASE_FAILED && database_is_about_data(outcome->sqlstate) &&
		batch->count > 1) {
		split(batch);
		batch_free(batch);
		return;
	} else {
		service_read_failed(batch->gathering->batches->service, batch->gathering->kind->from, outcome);
		fail(batch);
	}
	for (size_t i = 0; i < batch->count; i++)
		wake(&batch->askers[i]);
	batch_free(batch);
}

static struct database *database_of(const struct batches *batches, const struct read_kind *kind)
{
	switch (kind->from) {
	case READ_STATE:
		return service_database_state(batches->service);
	case READ_AUDIT:
		return service_database_audit(batches->service);
	case READ_LISTING:
		return service_database_listing(batches->service);
	case READ_SOURCE:
		break;
	}
	return kind->source;
}

void batches_close(struct batches *batches)
{
	struct gathering *gathering, *next;
	HASH_ITER (hh, batches->gatherings, gathering, next) {
		while (gathering->waiting) {
			struct batch *batch = gathering->waiting;
			LL_DELETE(gathering->waiting, batch);
			fail(batch);
			for (size_t i = 0; i < batch->count; i++)
				wake(&batch->askers[i]);
			batch_free(batch);
		}
	}
}

/*
 * While our own state is reachable, a connection that was lost with others is back in a moment, and a reading waits
 * that moment rather than fail.
 */
static bool is_worth_waiting(struct batches *batches, struct gathering *gathering, const struct database *database)
{
	int64_t now = loop_now(service_loop(batches->service));
	if (database_up(database) || !database_up(service_database_state(batches->service))) {
		gathering->waits_since = 0;
		return false;
	}
	if (!gathering->waits_since)
		gathering->waits_since = now;
	if (now - gathering->waits_since > PATIENCE)
		return false;
	loop_timer_set(&batches->again, LOOK_INTERVAL);
	return true;
}

int batches_flush(struct batches *batches)
{
	struct gathering *gathering, *next;
	int sent = 0;
	HASH_ITER (hh, batches->gatherings, gathering, next) {
		while (gathering->waiting && gathering->in_flight < BATCHES_IN_FLIGHT_MAX) {
			struct batch *batch = gathering->waiting;
			struct database *database = database_of(batches, gathering->kind);
			if (is_worth_waiting(batches, gathering, database))
				break;
			LL_DELETE(gathering->waiting, batch);
			gathering->in_flight++;
			database_open(database);
			columns_add(&batch->columns, database, gathering->kind->statement);
			database_send(database, answered, batch);
			sent = 1;
		}
	}
	return sent;
}

bool row_is_null(const PGresult *result, int row, int column)
{
	return PQgetisnull(result, row, column) != 0;
}

const char *row_text(const PGresult *result, int row, int column, struct call *call)
{
	if (row_is_null(result, row, column))
		return NULL;
	size_t length = (size_t)PQgetlength(result, row, column);
	char *copy = call_alloc(call, length + 1);
	if (copy)
		memcpy(copy, PQgetvalue(result, row, column), length);
	return copy;
}

int64_t row_int(const PGresult *result, int row, int column)
{
	assert(!row_is_null(result, row, column));
	return pg_int(PQgetvalue(result, row, column), PQgetlength(result, row, column));
}

int64_t row_time(const PGresult *result, int row, int column)
{
	if (row_is_null(result, row, column))
		return TIME_NONE;
	return pg_time(PQgetvalue(result, row, column), PQgetlength(result, row, column));
}

bool row_bool(const PGresult *result, int row, int column)
{
	return !row_is_null(result, row, column) &&
		pg_bool(PQgetvalue(result, row, column), PQgetlength(result, row, column));
}

int row_bytes(const PGresult *result, int row, int column, void *out, size_t size)
{
	if (row_is_null(result, row, column) || (size_t)PQgetlength(result, row, column) != size)
		return -1;
	memcpy(out, PQgetvalue(result, row, column), size);
	return 0;
}
