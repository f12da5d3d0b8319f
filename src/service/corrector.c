#include "service/corrector.h"

#include "base/buffer.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "pure/pgbinary.h"
#include "pure/siphash.h"
#include "pure/source_select.h"
#include "pure/time.h"
#include "service/correction.h"
#include "service/rulebook.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#define INTERVAL TIME_SECOND
/* Longer than a delivery takes from its reading of a value to the commit of its entry. */
#define SECOND_LOOK (15 * TIME_SECOND)
#define UNANSWERED_INTERVAL (2 * TIME_SECOND)
#define TROUBLE_INTERVAL (10 * TIME_SECOND)
/* Rows that wait for their second look; no more are taken up while there are as many. */
#define WAITING_MAX 4096
#define STATEMENT_MAX 4096

/* A row that was seen and is not removed yet. */
struct waiting {
	int64_t id;
	int64_t look_at; /* loop time */
	bool last; /* of its looks */
};

/* The queue of one schema. */
struct change_queue {
	char *schema;
	struct statement statements[3]; /* enum change_queue_use */
	char names[3][40];
	struct waiting *waiting;
	size_t count;
	bool more; /* it may have rows that were not seen yet */
	char trouble[6]; /* the SQLSTATE with which it was refused; "" */
	int64_t retry_at; /* loop time; until then it is left alone */
	struct change_queue *next;
};

/* What is being looked at: rows of one queue, and what they say. */
struct page {
	struct change_queue *queue;
	enum change_queue_use use;
	size_t asked_count;
	int64_t asked[CHANGE_QUEUE_PAGE]; /* with CHANGE_QUEUE_THESE */
	size_t count;
	int64_t ids[CHANGE_QUEUE_PAGE];
	struct change changes[CHANGE_QUEUE_PAGE];
	char *texts[CHANGE_QUEUE_PAGE]; /* that the change points into */
};

struct corrector {
	struct service *service;
	struct database *database; /* while this is the elected worker */
	struct loop_timer timer;
	struct change_queue *queues;
	struct page page;
	bool busy; /* with the page */
	int64_t tick; /* loop time of the next look for new rows */
	struct corrector_counters counters;
};

/* ---- the queues ---- */

static struct change_queue *queue_new(const char *schema)
{
	static const uint8_t name_key[16];
	struct change_queue *queue = mem_calloc(1, sizeof *queue);
	queue->schema = mem_strdup(schema);
	queue->waiting = mem_calloc(WAITING_MAX + CHANGE_QUEUE_PAGE, sizeof *queue->waiting);
	for (int use = CHANGE_QUEUE_OTHERS; use <= CHANGE_QUEUE_REMOVE; use++) {
		struct buffer text;
		buffer_init(&text, STATEMENT_MAX);
		int failed = change_queue_statement((enum change_queue_use)use, schema, &text);
		assert(!failed); /* the policy bounds names */
		/* Named after its text, as it stands for that for good. */
		snprintf(queue->names[use], sizeof queue->names[use], "changes_%016llx",
			(unsigned long long)siphash(name_key, text.data, text.length - 1));
		queue->statements[use] = (struct statement){
			.name = queue->names[use], .text = mem_strdup((const char *)text.data), .parameters = 1
		};
		buffer_release(&text);
	}
	return queue;
}

static void queue_free(struct change_queue *queue)
{
	for (int use = CHANGE_QUEUE_OTHERS; use <= CHANGE_QUEUE_REMOVE; use++)
		mem_free((void *)queue->statements[use].text);
	mem_free(queue->waiting);
	mem_free(queue->schema);
	mem_free(queue);
}

static void need_queue(struct corrector *corrector, const char *schema)
{
	struct change_queue *queue;
	LL_FOREACH (corrector->queues, queue)
		if (!strcmp(queue->schema, schema))
			return;
	queue = queue_new(schema); /* the macro would make several */
	LL_APPEND(corrector->queues, queue);
}

/* One a schema that any policy in use names. */
static void find_queues(struct corrector *corrector)
{
	const struct rules *rules = NULL;
	while ((rules = rulebook_next(service_rulebook(corrector->service), rules)))
		for (size_t i = 0; i < policy_source_count(rules_policy(rules)); i++)
			need_queue(corrector, policy_source_at(rules_policy(rules), i)->schema);
}

static struct waiting *find_waiting(const struct change_queue *queue, int64_t id)
{
	for (size_t i = 0; i < queue->count; i++)
		if (queue->waiting[i].id == id)
			return &queue->waiting[i];
	return NULL;
}

static void stop_waiting(struct change_queue *queue, int64_t id)
{
	struct waiting *waiting = find_waiting(queue, id);
	if (waiting)
		*waiting = queue->waiting[--queue->count];
}

static void let_wait(struct change_queue *queue, int64_t id, int64_t look_at, bool last)
{
	struct waiting *waiting = find_waiting(queue, id);
	if (!waiting)
		waiting = &queue->waiting[queue->count++];
	*waiting = (struct waiting){ id, look_at, last };
}

/* ---- asking ---- */

static void end_page(struct corrector *corrector, int64_t pause)
{
	for (size_t i = 0; i < corrector->page.count; i++)
		mem_free(corrector->page.texts[i]);
	corrector->page.count = 0;
	corrector->busy = false;
	loop_timer_set(&corrector->timer, pause);
}

static void complain(struct corrector *corrector, const struct database_outcome *outcome, const char *what)
{
	struct change_queue *queue = corrector->page.queue;
	if (strcmp(queue->trouble, outcome->sqlstate) != 0)
		log_warning("corrections",
			"%s.change_queue cannot be %s: %s (SQLSTATE %s); what changes after it was sent is not "
			"corrected. `needtoknow policy grants` writes the rights that are needed",
			queue->schema, what, outcome->message, outcome->sqlstate);
	memcpy(queue->trouble, outcome->sqlstate, sizeof queue->trouble);
	queue->retry_at = loop_now(service_loop(corrector->service)) + TROUBLE_INTERVAL;
	corrector->counters.stopped = 1;
}

static void is_well(struct corrector *corrector)
{
	struct change_queue *queue = corrector->page.queue;
	if (*queue->trouble)
		log_info("corrections", "%s.change_queue is read again", queue->schema);
	queue->trouble[0] = '\0';
	corrector->counters.stopped = 0;
	LL_FOREACH (corrector->queues, queue)
		corrector->counters.stopped |= *queue->trouble != '\0';
}

/* True: the answer can be used. Else the page has ended. */
static bool is_answered(struct corrector *corrector, const struct database_outcome *outcome, const char *what)
{
	if (outcome->result == DATABASE_OK)
		return true;
	if (outcome->result == DATABASE_FAILED)
		complain(corrector, outcome, what);
	end_page(corrector, outcome->result == DATABASE_FAILED ? 0 : INTERVAL);
	return false;
}

static void ask_database(struct corrector *corrector, enum change_queue_use use, const int64_t *ids, size_t count,
	void (*answered)(void *context, const struct database_outcome *outcome))
{
	struct pg_array array;
	pg_array_init(&array, PG_INT8, (WAITING_MAX + CHANGE_QUEUE_PAGE) * 16);
	for (size_t i = 0; i < count; i++) {
		int failed = pg_array_int(&array, ids[i]);
		assert(!failed);
	}
	corrector->busy = true;
	database_open(corrector->database);
	database_add(corrector->database, &corrector->page.queue->statements[use],
		(struct parameter[]){ { array.bytes.data, array.bytes.length } });
	database_send(corrector->database, answered, corrector);
	pg_array_release(&array);
}

/* ---- removing ---- */

/* They are done with, and stay. */
static void keep_waiting(struct corrector *corrector)
{
	struct page *page = &corrector->page;
	int64_t look_at = loop_now(service_loop(corrector->service)) + TROUBLE_INTERVAL;
	for (size_t i = 0; i < page->count; i++)
		if (page->changes[i].result == CHANGE_NOBODYS)
			let_wait(page->queue, page->ids[i], look_at, true);
}

static void removed(void *context, const struct database_outcome *outcome)
{
	struct corrector *corrector = context;
	struct page *page = &corrector->page;
	if (outcome->result != DATABASE_OK)
		keep_waiting(corrector);
	if (!is_answered(corrector, outcome, "removed from"))
		return;
	is_well(corrector);
	fault_point("corrector.removed");
	for (size_t i = 0; i < page->count; i++)
		if (page->changes[i].result == CHANGE_NOBODYS) {
			stop_waiting(page->queue, page->ids[i]);
			corrector->counters.changes++;
		}
	end_page(corrector, 0);
}

/* ---- looking ---- */

/* Which of the page's rows are done with is said by their result from here on: CHANGE_NOBODYS. */
static void settle(struct corrector *corrector)
{
	struct page *page = &corrector->page;
	int64_t now = loop_now(service_loop(corrector->service));
	for (size_t i = 0; i < page->count; i++) {
		struct change *change = &page->changes[i];
		const struct waiting *waiting = find_waiting(page->queue, page->ids[i]);
		bool last = waiting && waiting->last;
		if (change->result == CHANGE_UNANSWERED)
			let_wait(page->queue, page->ids[i], now + UNANSWERED_INTERVAL, last);
		else if (change->result == CHANGE_NOBODYS || last)
			change->result = CHANGE_NOBODYS;
		else
			let_wait(page->queue, page->ids[i], now + SECOND_LOOK, true);
	}
}

static void looked(void *context, uint64_t corrected)
{
	struct corrector *corrector = context;
	struct page *page = &corrector->page;
	int64_t done[CHANGE_QUEUE_PAGE];
	size_t count = 0;
	settle(corrector);
	corrector->counters.corrected += corrected;
	fault_point("corrector.looked");
	for (size_t i = 0; i < page->count; i++)
		if (page->changes[i].result == CHANGE_NOBODYS)
			done[count++] = page->ids[i];
	if (count && corrector->database)
		ask_database(corrector, CHANGE_QUEUE_REMOVE, done, count, removed);
	else
		end_page(corrector, 0);
}

/* ---- reading ---- */

static const char *text_of(const PGresult *result, int row, int column, char **into)
{
	char *text = *into;
	size_t length = (size_t)PQgetlength(result, row, column);
	memcpy(text, PQgetvalue(result, row, column), length);
	text[length] = '\0';
	*into = text + length + 1;
	return text;
}

/* A row that says nothing (NULLs, against the contract) concerns nobody. */
static void read_row(struct page *page, const PGresult *result, int row)
{
	size_t length = 4;
	for (int column = 1; column <= 4; column++)
		length += (size_t)PQgetlength(result, row, column);
	char *text = page->texts[page->count] = mem_alloc(length);
	page->ids[page->count] = pg_int(PQgetvalue(result, row, 0), PQgetlength(result, row, 0));
	page->changes[page->count++] = (struct change){
		.subject_id = text_of(result, row, 1, &text),
		.source = text_of(result, row, 2, &text),
		.key = text_of(result, row, 3, &text),
		.columns = text_of(result, row, 4, &text),
	};
}

static bool is_there(const struct page *page, int64_t id)
{
	for (size_t i = 0; i < page->count; i++)
		if (page->ids[i] == id)
			return true;
	return false;
}

/* What was asked for and is not there was removed by whoever else may. */
static void forget_removed(struct page *page)
{
	for (size_t i = 0; i < page->asked_count; i++)
		if (!is_there(page, page->asked[i]))
			stop_waiting(page->queue, page->asked[i]);
}

static void read_page(void *context, const struct database_outcome *outcome)
{
	struct corrector *corrector = context;
	struct page *page = &corrector->page;
	if (!is_answered(corrector, outcome, "read"))
		return;
	if (!page->queue->count) /* nothing is to be removed either */
		is_well(corrector);
	const PGresult *result = outcome->results[0];
	int rows = PQntuples(result) < CHANGE_QUEUE_PAGE ? PQntuples(result) : CHANGE_QUEUE_PAGE;
	for (int row = 0; row < rows; row++)
		read_row(page, result, row);
	if (page->use == CHANGE_QUEUE_OTHERS)
		page->queue->more = rows == CHANGE_QUEUE_PAGE;
	else
		forget_removed(page);
	if (page->count)
		changes_look(corrector->service, page->changes, page->count, looked, corrector);
	else
		end_page(corrector, 0);
}

/* ---- when ---- */

/* Those that wait and are to be looked at again; false: none. */
static bool ask_these(struct corrector *corrector, struct change_queue *queue)
{
	struct page *page = &corrector->page;
	int64_t now = loop_now(service_loop(corrector->service));
	page->asked_count = 0;
	for (size_t i = 0; i < queue->count && page->asked_count < CHANGE_QUEUE_PAGE; i++)
		if (queue->waiting[i].look_at <= now)
			page->asked[page->asked_count++] = queue->waiting[i].id;
	if (!page->asked_count)
		return false;
	page->queue = queue;
	page->use = CHANGE_QUEUE_THESE;
	ask_database(corrector, CHANGE_QUEUE_THESE, page->asked, page->asked_count, read_page);
	return true;
}

static bool ask_others(struct corrector *corrector, struct change_queue *queue)
{
	struct page *page = &corrector->page;
	if (!queue->more || queue->count >= WAITING_MAX)
		return false;
	int64_t *ids = mem_calloc(queue->count + 1, sizeof *ids);
	for (size_t i = 0; i < queue->count; i++)
		ids[i] = queue->waiting[i].id;
	page->queue = queue;
	page->use = CHANGE_QUEUE_OTHERS;
	ask_database(corrector, CHANGE_QUEUE_OTHERS, ids, queue->count, read_page);
	mem_free(ids);
	return true;
}

/* New rows and those that wait take turns. */
static bool ask(struct corrector *corrector, struct change_queue *queue)
{
	if (loop_now(service_loop(corrector->service)) < queue->retry_at)
		return false;
	if (corrector->page.use == CHANGE_QUEUE_OTHERS)
		return ask_these(corrector, queue) || ask_others(corrector, queue);
	return ask_others(corrector, queue) || ask_these(corrector, queue);
}

/* Another page at once, as long as there may be one. */
static void go_on(struct corrector *corrector)
{
	struct change_queue *queue;
	int64_t now = loop_now(service_loop(corrector->service));
	if (now >= corrector->tick) {
		corrector->tick = now + INTERVAL;
		find_queues(corrector);
		LL_FOREACH (corrector->queues, queue)
			queue->more = true;
	}
	corrector->counters.waiting = 0;
	LL_FOREACH (corrector->queues, queue)
		corrector->counters.waiting += queue->count;
	LL_FOREACH (corrector->queues, queue)
		if (ask(corrector, queue))
			return;
	loop_timer_set(&corrector->timer, corrector->tick - now);
}

static void take_office(struct corrector *corrector)
{
	const struct service_config *config = service_config(corrector->service);
	corrector->database = database_new(service_loop(corrector->service),
		&(struct database_config){ .name = "changes",
			.conninfo = config->source_dsn,
			.statement_timeout_ms = config->limits.source_timeout_ms,
			.lock_timeout_ms = config->limits.source_timeout_ms },
		&(struct database_handler){ .on_trouble = service_trouble });
}

/* What was seen is looked at by whoever is elected now, as if it had never been. */
static void leave_office(struct corrector *corrector)
{
	struct change_queue *queue;
	database_free(corrector->database);
	corrector->database = NULL;
	LL_FOREACH (corrector->queues, queue) {
		queue->count = 0;
		queue->trouble[0] = '\0';
		queue->retry_at = 0;
	}
	corrector->counters.waiting = corrector->counters.stopped = 0;
}

static void ticked(void *context)
{
	struct corrector *corrector = context;
	bool elected = service_elected(corrector->service);
	loop_timer_set(&corrector->timer, INTERVAL);
	if (corrector->busy)
		return;
	if (elected && !corrector->database)
		take_office(corrector);
	else if (!elected && corrector->database)
		leave_office(corrector);
	else if (elected && database_up(corrector->database) && service_state(corrector->service) == SERVICE_SERVING &&
		rulebook_is_known(service_rulebook(corrector->service)))
		go_on(corrector);
}

/* ---- birth and death ---- */

struct corrector *corrector_new(struct service *service)
{
	struct corrector *corrector = mem_calloc(1, sizeof *corrector);
	corrector->service = service;
	loop_timer_init(&corrector->timer, service_loop(service), ticked, corrector);
	loop_timer_set(&corrector->timer, INTERVAL);
	return corrector;
}

void corrector_free(struct corrector *corrector)
{
	struct change_queue *queue, *next;
	if (!corrector)
		return;
	/* What is asked of it ends as lost, and sets the timer once more. */
	database_free(corrector->database);
	loop_timer_release(&corrector->timer);
	LL_FOREACH_SAFE (corrector->queues, queue, next)
		queue_free(queue);
	mem_free(corrector);
}

const struct corrector_counters *corrector_counters(const struct corrector *corrector)
{
	return &corrector->counters;
}
