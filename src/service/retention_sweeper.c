#include "service/retention_sweeper.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "pure/column_retention.h"
#include "pure/time.h"
#include "service/batch.h"
#include "service/company.h"
#include "service/disclosure.h"
#include "service/rulebook.h"
#include "service/subject.h"
#include "service/train.h"
#include "sql.h"

#include <inttypes.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

/* How often to see whether it is time, and whether we are the one. */
#define TICK TIME_SECOND
#define INTERVAL (3600 * TIME_SECOND)
/* The company's database did not answer, or would not. */
#define RETRY_INTERVAL (60 * TIME_SECOND)
/* Clients at a time: whoever asks for their record on the same connection is not kept waiting. */
#define PAGE 32
#define REQUEST_KEY_SIZE 16

struct retention_sweeper {
	struct service *service;
	struct loop_timer timer;
	enum {
		SWEEPER_IDLE,
		SWEEPER_FINISHING, /* what was recorded before, by whomever */
		SWEEPER_ASKING, /* what else is to go */
	} state;
	size_t question; /* of the policy, that is asked next */
	unsigned under_way; /* calls */
	bool elected;
	int policy; /* the number of the one that was swept by last */
	int64_t due_at; /* loop time of the next look */
	/* Of this look, which goes round: what is recorded, what is to be, and so on while there is more. */
	bool troubled; /* something could not be done */
	bool paged; /* there was somebody on the last page of what is recorded */
	uint32_t left; /* clients that are recorded and stay: restricted, or the company's erase() did not do it */
	bool more, again; /* this round has recorded something; it is not the first */
	uint64_t clients, columns; /* that were erased; the two _before: when this round began */
	uint64_t columns_before;
	uint32_t left_before;
	char *after; /* the client on that page who was last */
	struct retention_sweeper_counters counters;
};

static void go_on(struct retention_sweeper *sweeper);

/* NULL: it is not known just now which one is in force. */
static const struct rules *in_force(const struct service *service)
{
	const struct rulebook *rulebook = service_rulebook(service);
	return rulebook_is_known(rulebook) ? rulebook_in_force(rulebook) : NULL;
}

/* ---- one client's columns, which are recorded: erased there, then said here ---- */

struct names {
	const char *name;
	struct names *next;
};

struct sweep {
	struct retention_sweeper *sweeper;
	const char *subject_id, *columns;
	uint8_t request_key[REQUEST_KEY_SIZE];
	struct names *erased, **last;
	size_t count;
	bool answered; /* the company knows the client */
	bool refused;
	/* Of the second reading. */
	struct subject subject;
	bool forgotten; /* erased, and without a key: nothing is to lead from an entry to them */
	bool recorded; /* it still waits for this answer */
};

static void erased_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct sweep *sweep = target;
	sweep->answered = true;
	if (PQgetisnull(result, row, 0) || strcmp(PQgetvalue(result, row, 1), "ERASED"))
		return;
	struct names *name = call_alloc(call, sizeof *name);
	if (!name)
		return;
	*name = (struct names){ .name = row_text(result, row, 0, call) };
	*sweep->last = name;
	sweep->last = &name->next;
	sweep->count++;
}

static void columns_array(const char *columns, struct pg_array *out)
{
	pg_array_init(out, PG_TEXT, strlen(columns) * 5 + 64);
	while (*columns) {
		size_t length = strcspn(columns, "\n");
		pg_array_bytes(out, columns, length);
		columns += length + (columns[length] == '\n');
	}
}

static enum step_result sweep_erase(struct call *call)
{
	static const uint8_t for_good = 0;
	struct sweep *sweep = call->state;
	struct pg_array names;
	columns_array(sweep->columns, &names);
	company_ask(call,
		&(struct company_asking){ .function = COMPANY_ERASE,
			.parameters = (struct parameter[]){ { sweep->request_key, REQUEST_KEY_SIZE },
				{ sweep->subject_id, strlen(sweep->subject_id) },
				{ names.bytes.data, names.bytes.length }, { &for_good, 1 } },
			.row = erased_row,
			.target = sweep,
			.refused = &sweep->refused });
	pg_array_release(&names);
	return STEP_NEXT;
}

static enum step_result sweep_erased(struct call *call)
{
	struct sweep *sweep = call->state;
	if (call->awaited)
		return STEP_WAIT;
	fault_point("retention.erased");
	if (sweep->refused || (sweep->answered && !sweep->count)) {
		sweep->sweeper->troubled = true;
		log_warning("retention",
			"the company's erase() %s columns whose time is over by its own retention_due()",
			sweep->refused ? "failed on" : "holds");
	}
	return sweep->refused ? STEP_DONE : STEP_NEXT;
}

static void facts_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct sweep *sweep = target;
	uint8_t key[REQUEST_KEY_SIZE];
	(void)call;
	subject_read(result, row, 1, &sweep->subject);
	sweep->forgotten = row_bool(result, row, 3) && !sweep->subject.known;
	sweep->recorded = !row_bytes(result, row, 4, key, sizeof key) && !memcmp(key, sweep->request_key, sizeof key);
}

static const struct read_kind sweep_facts = {
	.statement = &sql_column_sweep_facts,
	.from = READ_STATE,
	.types = { PG_TEXT },
	.row = facts_row,
};

static enum step_result sweep_ask(struct call *call)
{
	struct sweep *sweep = call->state;
	call_disregard(call);
	train_reading(call);
	call_key(call, KEY_SUBJECT, sweep->subject_id, strlen(sweep->subject_id), KEY_EXCLUSIVE);
	batch_read(call, &sweep_facts, sweep, (struct cell[]){ cell_text(sweep->subject_id) });
	return STEP_NEXT;
}

static enum step_result sweep_commit(struct call *call)
{
	return call->awaited ? STEP_WAIT : train_board(call);
}

/* Of as many of the columns as an entry names. Who never had anything shared of them gets no pseudonym for this. */
static struct names *write_entry(
	struct call *call, struct departure *departure, const struct sweep *sweep, struct names *name)
{
	struct entry_draft draft;
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_ERASED);
	draft.entry.reason = NEEDTOKNOW__V1__REASON__REASON_EXPIRED;
	draft.entry.fields = draft.fields;
	for (; name && draft.entry.n_fields < POLICY_FIELDS_MAX; name = name->next)
		draft.fields[draft.entry.n_fields++] = (char *)name->name;
	if (sweep->subject.known) {
		draft.entry.subject_pseudonym.data = (uint8_t *)sweep->subject.pseudonym;
		draft.entry.subject_pseudonym.len = sizeof sweep->subject.pseudonym;
	}
	struct recorded recorded = departure_entry(departure, &draft.entry);
	if (!sweep->forgotten)
		departure_write(departure, WRITE_ENTRY_REFERENCE,
			(struct cell[]){ cell_number((int64_t)recorded.index), cell_bytes(NULL, 0),
				cell_text(sweep->subject_id), cell_text(NULL), cell_text(NULL), cell_text(NULL) });
	return name;
}

static enum boarding sweep_board(struct call *call, struct departure *departure)
{
	const struct sweep *sweep = call->state;
	if (!sweep->recorded)
		return BOARD_NOTHING; /* another worker was the elected one, and has done it */
	departure_write(departure, WRITE_COLUMNS_SWEPT,
		(struct cell[]){ cell_text(sweep->subject_id), cell_bytes(sweep->request_key, REQUEST_KEY_SIZE) });
	for (struct names *name = sweep->erased; name;)
		name = write_entry(call, departure, sweep, name);
	return BOARDED;
}

static enum step_result sweep_done(struct call *call)
{
	const struct sweep *sweep = call->state;
	if (sweep->recorded && sweep->count) {
		sweep->sweeper->clients++;
		sweep->sweeper->columns += sweep->count;
		sweep->sweeper->counters.columns += sweep->count;
	}
	return STEP_DONE;
}

static void leave(struct call *call, struct retention_sweeper *sweeper)
{
	sweeper->troubled |= call->failed;
	if (!--sweeper->under_way)
		go_on(sweeper);
}

static void sweep_release(struct call *call)
{
	const struct sweep *sweep = call->state;
	sweep->sweeper->left += call->failed || sweep->refused;
	leave(call, sweep->sweeper);
}

static const struct method sweep_method = {
	.steps = { sweep_erase, sweep_erased, sweep_ask, sweep_commit, sweep_done },
	.again = 2,
	.board = sweep_board,
	.train_class = TRAIN_SHARE,
	.release = sweep_release,
};

static void start_sweep(struct retention_sweeper *sweeper, const PGresult *result, int row)
{
	struct call *call = call_new_own(sweeper->service, &sweep_method);
	struct sweep *sweep = call_alloc(call, sizeof *sweep);
	*sweep = (struct sweep){ .sweeper = sweeper };
	sweep->last = &sweep->erased;
	sweep->subject_id = row_text(result, row, 1, call);
	sweep->columns = row_text(result, row, 3, call);
	int failed = row_bytes(result, row, 2, sweep->request_key, REQUEST_KEY_SIZE);
	call->state = sweep;
	sweeper->under_way++;
	if (failed)
		abort(); /* the column is a uuid */
	call_run(call);
}

/* ---- what was recorded ---- */

struct look {
	struct retention_sweeper *sweeper;
	struct due {
		const char *subject_id, *columns;
		struct due *next;
	} * due;
};

static void pending_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct look *look = target;
	(void)call;
	look->sweeper->paged = true;
	mem_free(look->sweeper->after);
	look->sweeper->after = mem_strndup(PQgetvalue(result, row, 1), (size_t)PQgetlength(result, row, 1));
	if (row_bool(result, row, 4))
		look->sweeper->left++; /* GDPR art. 18: kept until that is lifted */
	else
		start_sweep(look->sweeper, result, row);
}

static const struct read_kind sweeps_pending = {
	.statement = &sql_column_sweeps_pending,
	.from = READ_STATE,
	.types = { PG_TEXT, PG_INT4 },
	.row = pending_row,
};

static enum step_result pending_ask(struct call *call)
{
	const struct look *look = call->state;
	batch_read(call, &sweeps_pending, call->state,
		(struct cell[]){ cell_text(look->sweeper->after ? look->sweeper->after : ""), cell_number(PAGE) });
	return STEP_NEXT;
}

static enum step_result pending_done(struct call *call)
{
	return call->awaited ? STEP_WAIT : STEP_DONE;
}

static void look_release(struct call *call)
{
	const struct look *look = call->state;
	leave(call, look->sweeper);
}

static const struct method pending_method = {
	.steps = { pending_ask, pending_done },
	.release = look_release,
};

/* ---- what is to go ---- */

static void due_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct look *look = target;
	if (PQgetisnull(result, row, 0) || PQgetisnull(result, row, 1) || !PQgetlength(result, row, 1))
		return;
	struct due *due = call_alloc(call, sizeof *due);
	if (!due)
		return;
	*due = (struct due){ row_text(result, row, 0, call), row_text(result, row, 1, call), look->due };
	look->due = due;
}

static enum step_result due_ask(struct call *call)
{
	const struct look *look = call->state;
	const struct rules *rules = in_force(call->service);
	struct retention_question question;
	struct pg_array names;
	/* Those that stay are named again: nobody waits behind them. */
	uint32_t clients = PAGE + look->sweeper->left;
	uint8_t amount[] = { (uint8_t)(clients >> 24), (uint8_t)(clients >> 16), (uint8_t)(clients >> 8),
		(uint8_t)clients };
	if (!rules || look->sweeper->question >= retention_question_count(rules_policy(rules)))
		return STEP_DONE; /* another policy has come in between: the next look is by that */
	retention_question(rules_policy(rules), look->sweeper->question, &question);
	retention_question_columns(&question, &names);
	company_ask(call,
		&(struct company_asking){ .function = COMPANY_RETENTION_DUE,
			.parameters = (struct parameter[]){ { question.columns ? names.bytes.data : NULL,
								    names.bytes.length },
				{ question.anchor, strlen(question.anchor) },
				{ question.after, strlen(question.after) }, { amount, sizeof amount } },
			.row = due_row,
			.target = call->state });
	pg_array_release(&names);
	return STEP_NEXT;
}

static enum step_result due_commit(struct call *call)
{
	const struct look *look = call->state;
	if (call->awaited)
		return STEP_WAIT;
	return look->due ? train_board(call) : STEP_DONE;
}

static enum boarding due_board(struct call *call, struct departure *departure)
{
	const struct look *look = call->state;
	for (const struct due *due = look->due; due; due = due->next) {
		uint8_t request_key[REQUEST_KEY_SIZE];
		if (RAND_bytes(request_key, sizeof request_key) != 1)
			abort();
		departure_write(departure, WRITE_COLUMN_SWEEP,
			(struct cell[]){ cell_text(due->subject_id), cell_bytes(request_key, sizeof request_key),
				cell_text(due->columns), cell_number(departure_now(departure)) });
	}
	return BOARDED;
}

static enum step_result due_done(struct call *call)
{
	const struct look *look = call->state;
	fault_point("retention.recorded");
	look->sweeper->more = true;
	return STEP_DONE;
}

static const struct method due_method = {
	.steps = { due_ask, due_commit, due_done },
	.board = due_board,
	.train_class = TRAIN_SHARE,
	.release = look_release,
};

/* ---- when ---- */

static void start(struct retention_sweeper *sweeper, const struct method *method)
{
	struct call *call = call_new_own(sweeper->service, method);
	struct look *look = call_alloc(call, sizeof *look);
	*look = (struct look){ .sweeper = sweeper };
	call->state = look;
	sweeper->under_way++;
	call_run(call);
}

static bool may_look(const struct retention_sweeper *sweeper)
{
	return service_state(sweeper->service) == SERVICE_SERVING && service_elected(sweeper->service) &&
		company_configured(service_company(sweeper->service)) && in_force(sweeper->service);
}

static size_t questions(const struct retention_sweeper *sweeper)
{
	return service_config(sweeper->service)->sweep_columns
		? retention_question_count(rules_policy(in_force(sweeper->service)))
		: 1; /* what was held goes in any case */
}

static void end_look(struct retention_sweeper *sweeper)
{
	int64_t now = loop_now(service_loop(sweeper->service));
	sweeper->due_at = now + (sweeper->troubled ? RETRY_INTERVAL : INTERVAL);
	sweeper->state = SWEEPER_IDLE;
	sweeper->counters.waiting = sweeper->left;
	sweeper->counters.stopped = sweeper->troubled;
	if (sweeper->clients)
		log_info("retention", "%" PRIu64 " columns of %" PRIu64 " clients erased, whose time was over",
			sweeper->columns, sweeper->clients);
}

static void finish(struct retention_sweeper *sweeper)
{
	mem_free(sweeper->after);
	sweeper->after = NULL;
	sweeper->paged = sweeper->more = false;
	sweeper->left_before = sweeper->left;
	sweeper->left = 0;
	sweeper->columns_before = sweeper->columns;
	sweeper->state = SWEEPER_FINISHING;
	start(sweeper, &pending_method);
}

/* This round has had something erased, or found more of those who stay: somebody may come behind them. */
static bool has_moved(const struct retention_sweeper *sweeper)
{
	return sweeper->columns > sweeper->columns_before || sweeper->left > sweeper->left_before;
}

/* Nothing is under way. */
static void go_on(struct retention_sweeper *sweeper)
{
	if (!may_look(sweeper)) {
		sweeper->troubled = true;
		end_look(sweeper);
	} else if (sweeper->state == SWEEPER_FINISHING && sweeper->paged) {
		sweeper->paged = false;
		start(sweeper, &pending_method);
	} else if (sweeper->state == SWEEPER_FINISHING) {
		sweeper->state = SWEEPER_ASKING;
		sweeper->question = 0;
		start(sweeper, &due_method);
	} else if (++sweeper->question < questions(sweeper)) {
		start(sweeper, &due_method);
	} else if (sweeper->more && (!sweeper->again || has_moved(sweeper))) {
		sweeper->again = true;
		finish(sweeper);
	} else {
		end_look(sweeper);
	}
}

static void ticked(void *context)
{
	struct retention_sweeper *sweeper = context;
	bool elected = service_elected(sweeper->service);
	loop_timer_set(&sweeper->timer, TICK);
	if (elected != sweeper->elected)
		sweeper->due_at = 0;
	sweeper->elected = elected;
	if (!elected)
		sweeper->counters.waiting = sweeper->counters.stopped = 0;
	if (sweeper->state != SWEEPER_IDLE || !may_look(sweeper))
		return;
	int policy = rules_number(in_force(sweeper->service));
	if (policy == sweeper->policy && loop_now(service_loop(sweeper->service)) < sweeper->due_at)
		return;
	sweeper->policy = policy;
	sweeper->counters.looks++;
	sweeper->troubled = sweeper->again = false;
	sweeper->clients = sweeper->columns = 0;
	sweeper->left = 0;
	finish(sweeper);
}

struct retention_sweeper *retention_sweeper_new(struct service *service)
{
	struct retention_sweeper *sweeper = mem_calloc(1, sizeof *sweeper);
	sweeper->service = service;
	loop_timer_init(&sweeper->timer, service_loop(service), ticked, sweeper);
	loop_timer_set(&sweeper->timer, TICK);
	return sweeper;
}

const struct retention_sweeper_counters *retention_sweeper_counters(const struct retention_sweeper *sweeper)
{
	return &sweeper->counters;
}

void retention_sweeper_free(struct retention_sweeper *sweeper)
{
	if (!sweeper)
		return;
	loop_timer_release(&sweeper->timer);
	mem_free(sweeper->after);
	mem_free(sweeper);
}
