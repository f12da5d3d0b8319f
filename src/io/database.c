#include "io/database.h"

#include "base/memory.h"
#include "io/database_internal.h"
#include "io/database_wipe.h"

#include <assert.h>
#include <limits.h>
#include <openssl/ssl.h>
#include <pg_config.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/*
 * Statements go straight into libpq's output buffer, which is the only copy of their parameters. Each segment is then
 * known by the number of answers that it waits for.
 *
 * A statement is prepared within the segment that first uses it, which costs no round trip. Until the server has
 * confirmed that, other segments cannot rely on it: the preparing one may fail before it gets there. They send the text
 * along instead.
 */

static const int all_binary[DATABASE_MAX_PARAMETERS] = { [0 ... DATABASE_MAX_PARAMETERS - 1] = 1 };

/* Filling segments */

struct segment *segment_open(struct database *database, bool sendable)
{
	assert(!database->open);
	struct segment *segment = database->spare;
	if (segment)
		database->spare = segment->next;
	else
		segment = mem_alloc(sizeof *segment);
	*segment = (struct segment){ .commit = -1, .sendable = sendable };
	database->open = segment;
	return segment;
}

static void segment_recycle(struct database *database, struct segment *segment)
{
	segment->next = database->spare;
	database->spare = segment;
}

void database_open(struct database *database)
{
	segment_open(database, database->state == STATE_UP);
}

static bool can_send(const struct database *database)
{
	return database->open->sendable && database->state != STATE_FAILING;
}

static void sent(struct database *database, int status)
{
	if (status != 1)
		database_fail(database, "libpq could not take a statement");
	database->unflushed = true;
	if (database->config.wipe)
		database_wipe_sent(database->connection);
}

static struct prepared *prepared_find(struct database *database, const struct statement *statement)
{
	struct prepared *found = NULL;
	size_t length = strlen(statement->name);
	HASH_FIND(hh, database->prepared, statement->name, length, found);
	if (found) {
		assert(strcmp(found->text, statement->text) == 0);
		return found;
	}
	found = mem_calloc(1, sizeof *found);
	found->name = mem_strdup(statement->name);
	found->text = mem_strdup(statement->text);
	HASH_ADD_KEYPTR(hh, database->prepared, found->name, length, found);
	return found;
}

static void prepare(struct database *database, struct prepared *prepared)
{
	struct segment *segment = database->open;
	sent(database, PQsendPrepare(database->connection, prepared->name, prepared->text, 0, NULL));
	prepared->within = segment;
	prepared->position = segment->items++;
	prepared->sibling = NULL;
	if (segment->last_prepared)
		segment->last_prepared->sibling = prepared;
	else
		segment->first_prepared = prepared;
	segment->last_prepared = prepared;
}

void database_add(struct database *database, const struct statement *statement, const struct parameter *parameters)
{
	const char *values[DATABASE_MAX_PARAMETERS];
	int lengths[DATABASE_MAX_PARAMETERS];
	int count = statement->parameters;
	size_t total = 0;
	assert(database->open && count >= 0 && count <= DATABASE_MAX_PARAMETERS);
	if (!can_send(database))
		return;
	for (int i = 0; i < count; i++) {
		assert(parameters[i].length <= INT_MAX);
		values[i] = parameters[i].value;
		lengths[i] = (int)parameters[i].length;
		total += parameters[i].length;
	}
	struct prepared *prepared = prepared_find(database, statement);
	if (database->config.wipe)
		database_wipe_reserve_output(database->connection, total + 2 * strlen(prepared->text));
	if (!prepared->ready && !prepared->within)
		prepare(database, prepared);
	if (prepared->ready || prepared->within == database->open)
		sent(database,
			PQsendQueryPrepared(
				database->connection, prepared->name, count, values, lengths, all_binary, 1));
	else
		sent(database,
			PQsendQueryParams(
				database->connection, prepared->text, count, NULL, values, lengths, all_binary, 1));
	database->open->items++;
	database->open->statements++;
}

void database_add_text(struct database *database, const char *text)
{
	struct segment *segment = database->open;
	assert(segment);
	if (!can_send(database))
		return;
	sent(database, PQsendQueryParams(database->connection, text, 0, NULL, NULL, NULL, NULL, 1));
	if (strncasecmp(text, "commit", 6) == 0)
		segment->commit = segment->statements;
	segment->items++;
	segment->statements++;
}

void database_send(
	struct database *database, void (*done)(void *context, const struct database_outcome *outcome), void *context)
{
	struct segment *segment = database->open;
	assert(segment);
	if (can_send(database))
		sent(database, PQpipelineSync(database->connection));
	database->open = NULL;
	if (!segment->sendable) {
		static const struct database_outcome down = { .result = DATABASE_DOWN, .message = "", .failed = -1 };
		segment_recycle(database, segment);
		done(context, &down);
		return;
	}
	segment->done = done;
	segment->context = context;
	segment->sent_at = loop_now(database->loop);
	if (database->newest)
		database->newest->next = segment;
	else
		database->oldest = segment;
	database->newest = segment;
	if (database->in_flight++ == 0) {
		database->receipt.warned = false; /* by what the server said unasked */
		database_await_answer(database);
	}
}

size_t database_in_flight(const struct database *database)
{
	return database->in_flight;
}

/* Handing answers over */

static const char *error_message(const struct database *database, const PGresult *error)
{
	const char *sqlstate = PQresultErrorField(error, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(error, PG_DIAG_MESSAGE_PRIMARY);
	if (database->config.wipe && (!sqlstate || !database_wipe_quotes_no_value(sqlstate)))
		return "withheld, since it may quote personal data";
	return message ? message : "";
}

static bool has_severity(const PGresult *result, const char *severity)
{
	const char *found = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
	return found && strcmp(found, severity) == 0;
}

static void discard(const struct database *database, PGresult *result)
{
	if (database->config.wipe)
		database_wipe_result(result);
	PQclear(result);
}

static void receipt_clear(struct database *database)
{
	struct receipt *receipt = &database->receipt;
	for (int i = 0; i < receipt->count; i++)
		discard(database, receipt->results[i]);
	receipt->count = receipt->items = 0;
	receipt->failed = receipt->warned = false;
	receipt->sqlstate[0] = receipt->message[0] = '\0';
}

static void receipt_fail(struct receipt *receipt, const char *sqlstate, const char *message)
{
	if (receipt->failed)
		return;
	receipt->failed = true;
	snprintf(receipt->sqlstate, sizeof receipt->sqlstate, "%s", sqlstate ? sqlstate : "");
	snprintf(receipt->message, sizeof receipt->message, "%s", message);
}

/* The server closes the connection after an error of this severity; its reason is better than the broken socket's. */
static void keep_last_words(struct database *database, const PGresult *result)
{
	if (has_severity(result, "FATAL") || has_severity(result, "PANIC"))
		snprintf(database->trouble, sizeof database->trouble, "the server ended the connection: %s",
			error_message(database, result));
}

void database_count_notice(void *context, const PGresult *notice)
{
	struct database *database = context;
	if (has_severity(notice, "WARNING"))
		database->receipt.warned = true;
	keep_last_words(database, notice);
}

static struct segment *dequeue(struct database *database)
{
	struct segment *segment = database->oldest;
	database->oldest = segment->next;
	if (!database->oldest)
		database->newest = NULL;
	database->in_flight--;
	return segment;
}

static void hand_over(struct database *database)
{
	struct receipt *receipt = &database->receipt;
	struct segment *segment = dequeue(database);
	database->handed_over++;
	int failed = receipt->failed ? receipt->count : -1;
	if (!receipt->failed && segment->commit >= 0 &&
		strcmp(PQcmdStatus(receipt->results[segment->commit]), "COMMIT") != 0) {
		receipt_fail(receipt, "25P02", "COMMIT of a transaction that had failed rolled it back");
		failed = segment->commit;
	}
	struct database_outcome outcome = {
		.result = receipt->failed ? DATABASE_FAILED : DATABASE_OK,
		.message = receipt->message,
		.failed = failed,
		.warned = receipt->warned,
		.count = failed >= 0 ? failed : receipt->count,
		.results = receipt->results,
	};
	memcpy(outcome.sqlstate, receipt->sqlstate, sizeof outcome.sqlstate);
	segment->done(segment->context, &outcome);
	receipt_clear(database);
	segment_recycle(database, segment);
}

void database_lose_segments(struct database *database, const char *message)
{
	receipt_clear(database);
	for (struct prepared *prepared = database->prepared; prepared; prepared = prepared->hh.next) {
		prepared->ready = false;
		prepared->within = NULL;
	}
	const struct database_outcome lost = { .result = DATABASE_LOST, .message = message, .failed = -1 };
	while (database->oldest) {
		struct segment *segment = dequeue(database);
		segment->done(segment->context, &lost);
		segment_recycle(database, segment);
	}
}

static void take_success(struct database *database, struct prepared *prepared, PGresult *result)
{
	struct receipt *receipt = &database->receipt;
	if (prepared) {
		prepared->ready = true;
		discard(database, result);
		return;
	}
	if (receipt->count == receipt->capacity) {
		receipt->capacity = receipt->capacity ? 2 * receipt->capacity : 16;
		receipt->results = mem_realloc(receipt->results, (size_t)receipt->capacity * sizeof *receipt->results);
	}
	receipt->results[receipt->count++] = result;
}

/* One answer of the oldest segment. */
static void take(struct database *database, PGresult *result)
{
	struct segment *segment = database->oldest;
	struct receipt *receipt = &database->receipt;
	ExecStatusType status = PQresultStatus(result);
	if (status == PGRES_PIPELINE_SYNC) {
		discard(database, result);
		if (receipt->items == segment->items)
			hand_over(database);
		else
			database_fail(database, "the server's answers do not match the statements");
		return;
	}
	struct prepared *prepared = segment->first_prepared;
	if (prepared && prepared->position == receipt->items) {
		segment->first_prepared = prepared->sibling;
		prepared->within = NULL;
	} else {
		prepared = NULL;
	}
	/* The answer beyond the last is that of the Sync: the commit of an implicit transaction failed. */
	if (receipt->items < segment->items)
		receipt->items++;
	switch (status) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
	case PGRES_EMPTY_QUERY:
		take_success(database, prepared, result);
		return;
	case PGRES_PIPELINE_ABORTED:
		break;
	case PGRES_FATAL_ERROR:
		receipt_fail(receipt, PQresultErrorField(result, PG_DIAG_SQLSTATE), error_message(database, result));
		keep_last_words(database, result);
		break;
	default: /* COPY, which the pipeline cannot do */
		database_fail(database, "a statement was answered in a way that the pipeline has no place for");
	}
	discard(database, result);
}

static void take_results(struct database *database)
{
	PGconn *connection = database->connection;
	int separators = 0; /* libpq puts a NULL behind each statement's results */
	while (database->state != STATE_FAILING && database->oldest && !PQisBusy(connection)) {
		PGresult *result = PQgetResult(connection);
		if (!result) {
			if (++separators < 2 && PQstatus(connection) == CONNECTION_OK)
				continue;
			database_fail(database, "the connection was closed");
			return;
		}
		separators = 0;
		if (PQresultStatus(result) == PGRES_FATAL_ERROR && !PQresultErrorField(result, PG_DIAG_SQLSTATE)) {
			discard(database, result); /* libpq's own word for a broken connection */
			database_fail(database, "the connection was closed");
			return;
		}
		take(database, result);
	}
}

static void take_notifications(struct database *database)
{
	PGnotify *notification;
	while (database->state == STATE_UP && (notification = PQnotifies(database->connection))) {
		database->handed_over++;
		if (database->handler.on_notify)
			database->handler.on_notify(database->handler.context, notification->extra);
		PQfreemem(notification);
	}
}

/* OpenSSL may have decrypted more than libpq took, of which the socket tells nothing. */
static bool tls_pending(const struct database *database)
{
	SSL *tls = PQsslStruct(database->connection, "OpenSSL");
	return tls && SSL_pending(tls) > 0;
}

static void reserve_input(struct database *database)
{
	if (database->config.wipe)
		database_wipe_reserve_input(database->connection);
}

/*
 * Offers libpq's output to the socket: 1 when some of it waits, 0 when all is gone, -1 when the connection is broken.
 * While it waits libpq reads as well, so that the two sides never wait for each other.
 */
static int flush(struct database *database)
{
	reserve_input(database);
	int waiting = PQflush(database->connection);
	database->unflushed = false;
	if (waiting > 0)
		event_add(database->writable, NULL);
	else
		event_del(database->writable);
	return waiting;
}

/* Handles all that libpq has read. */
static void take_input(struct database *database)
{
	reserve_input(database);
	/* Asked even when no answer is awaited, since notices and notifications come unasked. */
	if (!PQisBusy(database->connection))
		take_results(database);
	take_notifications(database);
	if (database->config.wipe)
		database_wipe_buffers(database->connection);
}

void database_receive(struct database *database)
{
	do {
		int waiting = flush(database);
		bool intact = waiting > 0;
		if (waiting == 0) { /* else libpq has just read; and twice could have it grow its buffer by itself */
			reserve_input(database);
			intact = PQconsumeInput(database->connection);
		}
		/* What came before the end is still worth having: answers, and why the server hung up. */
		take_input(database);
		if (!intact)
			database_fail(database, "the connection was closed");
	} while (database->state != STATE_FAILING && tls_pending(database));
}

void database_hurry(void *context)
{
	struct database *database = context;
	database_receive(database);
	if (database->unflushed && database->state == STATE_UP && flush(database) < 0)
		database_fail(database, "the connection was closed");
}

static int on_turn_end(void *context)
{
	struct database *database = context;
	uint64_t before = database->handed_over;
	if (database->unflushed && database->state != STATE_FAILING) {
		if (flush(database) < 0)
			database_fail(database, "the connection was closed");
		take_input(database); /* libpq may have read when it could not send */
	}
	if (database->state == STATE_FAILING) {
		database_take_down(database);
		return 1;
	}
	return database->unflushed || database->handed_over != before;
}

/* The whole */

static uint32_t or_default(uint32_t value, uint32_t standard)
{
	return value ? value : standard;
}

struct database *database_new(
	struct loop *loop, const struct database_config *config, const struct database_handler *handler)
{
	struct database *database = mem_calloc(1, sizeof *database);
	database->loop = loop;
	database->handler = *handler;
	database->config = *config;
	database->config.name = mem_strdup(config->name);
	database->config.conninfo = mem_strdup(config->conninfo);
	database->config.listen = config->listen ? mem_strdup(config->listen) : NULL;
	database->config.connect_timeout_ms = or_default(config->connect_timeout_ms, 5000);
	database->config.answer_timeout_ms = or_default(config->answer_timeout_ms, 30000);
	database->hook = (struct loop_hook){ .run = on_turn_end, .context = database };
	loop_hook_add(loop, LOOP_PHASE_DATABASE, &database->hook);
	loop_timer_init(&database->timer, loop, database_on_timer, database);
	loop_timer_set(&database->timer, 0);
	return database;
}

static void free_prepared(struct database *database)
{
	struct prepared *prepared, *next;
	HASH_ITER (hh, database->prepared, prepared, next) {
		HASH_DEL(database->prepared, prepared);
		mem_free(prepared->name);
		mem_free(prepared->text);
		mem_free(prepared);
	}
}

void database_free(struct database *database)
{
	if (!database)
		return;
	assert(!database->open);
	database->state = STATE_FAILING; /* what the callbacks still send is DOWN */
	database_disconnect(database);
	database_lose_segments(database, "closed");
	loop_hook_remove(database->loop, LOOP_PHASE_DATABASE, &database->hook);
	loop_timer_release(&database->timer);
	free_prepared(database);
	while (database->spare) {
		struct segment *segment = database->spare;
		database->spare = segment->next;
		mem_free(segment);
	}
	database_hosts_release(&database->hosts);
	mem_free(database->addresses);
	mem_free(database->receipt.results);
	mem_free((char *)database->config.name);
	mem_free((char *)database->config.conninfo);
	mem_free((char *)database->config.listen);
	mem_free(database);
}

bool database_is_about_data(const char *sqlstate)
{
	return !strncmp(sqlstate, "22", 2) || !strncmp(sqlstate, "23", 2) || !strncmp(sqlstate, "P0", 2);
}

bool database_up(const struct database *database)
{
	return database->state == STATE_UP;
}

void database_reset(struct database *database)
{
	if (database->state == STATE_UP)
		database_fail(database, "reset");
}

int database_check_library(char *error, size_t error_size)
{
	int version = PQlibVersion() / 10000;
	if (version == PG_MAJORVERSION_NUM)
		return 0;
	snprintf(error, error_size,
		"libpq %d runs, but this program was built for libpq %d, whose buffers it wipes: install that one, or "
		"build anew",
		version, PG_MAJORVERSION_NUM);
	return -1;
}
