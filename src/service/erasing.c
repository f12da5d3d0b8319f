#include "service/erasing.h"

#include "base/fault.h"
#include "pure/time.h"
#include "service/batch.h"
#include "service/company.h"
#include "service/disclosure.h"
#include "service/ender.h"
#include "service/service.h"
#include "service/suppression.h"
#include "service/train.h"
#include "sql.h"

#include <assert.h>
#include <needtoknow/v1/rights.pb-c.h>
#include <string.h>

/* Ended in one train at most: half of what it takes, so that others find room beside them. */
#define PAGE 256
/* Longer names are none of PostgreSQL's: an identifier has at most 63 bytes. */
#define NAME_MAX_BYTES 200
/* An entry has at most 65,535 bytes. */
#define NAMES_OF_ENTRY 256

struct erase_job {
	struct erasing *erasing; /* NULL: nobody waits for it */
	uint8_t key[16];
	bool found, open; /* its row; it is not answered yet */
	const char *subject_id;
	unsigned live; /* found on the last page */
	struct ender ender;
	bool secured;
	struct securing securing;
	struct erased_columns columns;
	/* Of the reading for the last train. */
	struct subject subject;
	bool registered; /* it has a line in the register of requests */
	bool complete;
};

/* ---- what is live ends ---- */

static void live_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct erase_job *job = target;
	job->found = true;
	job->open = row_int(result, row, 1) == 1;
	if (!job->subject_id)
		job->subject_id = row_text(result, row, 2, call);
	if (row_is_null(result, row, 3))
		return;
	job->live++;
	ender_end(&job->ender, call, END_ERASED, result, row, 3);
}

static const struct read_kind live_of_erasure = {
	.statement = &sql_live_of_erasure,
	.from = READ_STATE,
	.types = { PG_UUID, PG_INT4 },
	.row = live_row,
};

static enum step_result job_find(struct call *call)
{
	struct erase_job *job = call->state;
	job->live = 0;
	/* What is ended from this reading is as old as it. */
	train_reading(call);
	batch_read(call, &live_of_erasure, job, (struct cell[]){ cell_bytes(job->key, 16), cell_number(PAGE) });
	return STEP_NEXT;
}

/* Also where the company has answered: nothing of who was erased lives. */
static enum step_result job_end_live(struct call *call)
{
	struct erase_job *job = call->state;
	if (call->awaited || job->ender.ending)
		return STEP_WAIT;
	if (job->ender.failed)
		return STEP_DONE;
	if (job->live) {
		call->step = 0;
		return STEP_NEXT;
	}
	if (job->found && job->open && job->subject_id)
		return STEP_NEXT;
	job->complete = true;
	return STEP_DONE;
}

static void page_ended(void *context)
{
	call_run(context);
}

/* ---- the contacts, while the company still has them ---- */

static void contacts_secured(void *context)
{
	call_run(context);
}

static enum step_result job_secure(struct call *call)
{
	struct erase_job *job = call->state;
	if (!company_configured(service_company(call->service)))
		return STEP_DONE;
	if (!job->secured) {
		job->secured = true;
		securing_start(&job->securing, call->service, job->subject_id, contacts_secured, call);
	}
	if (job->securing.running)
		return STEP_WAIT;
	return job->securing.complete ? STEP_NEXT : STEP_DONE;
}

/* ---- the company ---- */

struct erased_column *erased_columns_add(struct call *call, struct erased_columns *columns)
{
	if (columns->count == columns->size) {
		size_t size = columns->size ? columns->size * 2 : 16;
		struct erased_column *all = call_alloc(call, size * sizeof *all);
		if (!all)
			return NULL;
		if (columns->count)
			memcpy(all, columns->all, columns->count * sizeof *all);
		columns->all = all;
		columns->size = size;
	}
	struct erased_column *column = &columns->all[columns->count++];
	memset(column, 0, sizeof *column);
	return column;
}

static void misunderstood(struct call *call)
{
	call_fail(call, GRPC_UNAVAILABLE, "SOURCE_UNAVAILABLE",
		"the company's function erase() answers something that it should not: see the contract in "
		"deploy/sql/reference.sql");
}

static void company_row(struct call *call, void *target, const PGresult *result, int row)
{
	const char *name = row_text(result, row, 0, call), *outcome = row_text(result, row, 1, call);
	bool held = outcome && !strcmp(outcome, "HELD");
	if (!name || !*name || strlen(name) > NAME_MAX_BYTES || (!held && (!outcome || strcmp(outcome, "ERASED")))) {
		misunderstood(call);
		return;
	}
	struct erased_column *column = erased_columns_add(call, target);
	if (!column)
		return;
	column->name = name;
	column->held = held;
	column->ground = held ? row_text(result, row, 2, call) : NULL;
	column->law = held ? row_text(result, row, 3, call) : NULL;
	column->since = held ? row_time(result, row, 4) : TIME_NONE;
	column->until = held ? row_time(result, row, 5) : TIME_NONE;
}

void erasing_ask_company(struct call *call, const uint8_t request_key[16], const char *subject_id, bool dry_run,
	struct erased_columns *out)
{
	uint8_t dry = dry_run;
	out->count = 0;
	company_ask(call,
		&(struct company_asking){ .function = COMPANY_ERASE,
			.parameters = (struct parameter[]){ { request_key, 16 }, { subject_id, strlen(subject_id) },
				{ NULL, 0 }, { &dry, 1 } },
			.row = company_row,
			.target = out });
}

static enum step_result job_ask_company(struct call *call)
{
	struct erase_job *job = call->state;
	fault_point("erase.asking");
	erasing_ask_company(call, job->key, job->subject_id, false, &job->columns);
	return STEP_NEXT;
}

/* ---- what it answered is recorded ---- */

static void facts_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct erase_job *job = target;
	(void)call;
	job->open = row_int(result, row, 1) == 1;
	job->registered = row_bool(result, row, 2);
	subject_read(result, row, 3, &job->subject);
}

static const struct read_kind erasure_facts = {
	.statement = &sql_erasure_facts,
	.from = READ_STATE,
	.types = { PG_UUID },
	.row = facts_row,
};

static enum step_result job_read(struct call *call)
{
	struct erase_job *job = call->state;
	if (call->awaited)
		return STEP_WAIT;
	call_disregard(call);
	job->open = false;
	call_key(call, KEY_REQUEST, job->key, sizeof job->key, KEY_EXCLUSIVE);
	call_key(call, KEY_SUBJECT, job->subject_id, strlen(job->subject_id), KEY_EXCLUSIVE);
	batch_read(call, &erasure_facts, job, (struct cell[]){ cell_bytes(job->key, 16) });
	return STEP_NEXT;
}

static enum step_result job_commit(struct call *call)
{
	if (call->awaited)
		return STEP_WAIT;
	fault_point("erase.answered");
	return train_board(call);
}

/* An entry of those columns, from `from` on, that are held or that are not; returns where the next one begins. */
static size_t enter(struct call *call, struct departure *departure, const struct erase_job *job, bool held, size_t from)
{
	struct entry_draft draft;
	char *names[NAMES_OF_ENTRY];
	int64_t until = TIME_NONE;
	size_t i;
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_ERASED);
	draft.entry.fields = names;
	for (i = from; i < job->columns.count && draft.entry.n_fields < NAMES_OF_ENTRY; i++) {
		const struct erased_column *column = &job->columns.all[i];
		if (column->held != held)
			continue;
		names[draft.entry.n_fields++] = (char *)column->name;
		if (column->until != TIME_NONE && (until == TIME_NONE || column->until > until))
			until = column->until;
	}
	if (!draft.entry.n_fields)
		return i;
	draft.entry.reason = held ? NEEDTOKNOW__V1__REASON__REASON_RETAINED : NEEDTOKNOW__V1__REASON__REASON_DELETED;
	if (until != TIME_NONE && until != INT64_MAX) {
		time_to_timestamp(until, &draft.expires_at);
		draft.entry.expires_at = &draft.expires_at;
	}
	if (job->subject.known) {
		draft.entry.subject_pseudonym.data = (uint8_t *)job->subject.pseudonym;
		draft.entry.subject_pseudonym.len = sizeof job->subject.pseudonym;
	}
	struct recorded recorded = departure_entry(departure, &draft.entry);
	departure_write(departure, WRITE_ENTRY_REFERENCE,
		(struct cell[]){ cell_number((int64_t)recorded.index), cell_bytes(NULL, 0), cell_text(job->subject_id),
			cell_text(NULL), cell_text(NULL), cell_text(NULL) });
	return i;
}

static void write_columns(struct departure *departure, const struct erase_job *job)
{
	for (size_t i = 0; i < job->columns.count; i++) {
		const struct erased_column *column = &job->columns.all[i];
		departure_write(departure, WRITE_ERASURE_COLUMN,
			(struct cell[]){ cell_bytes(job->key, 16), cell_number((int64_t)i), cell_text(column->name),
				cell_number(column->held), cell_text(column->ground), cell_text(column->law),
				cell_number(column->since), cell_number(column->until) });
	}
}

static enum boarding job_board(struct call *call, struct departure *departure)
{
	const struct erase_job *job = call->state;
	if (!job->open)
		return BOARD_NOTHING; /* another worker was faster */
	for (size_t i = 0; i < job->columns.count;)
		i = enter(call, departure, job, false, i);
	for (size_t i = 0; i < job->columns.count;)
		i = enter(call, departure, job, true, i);
	write_columns(departure, job);
	departure_write(departure, WRITE_ERASURE_STATE, (struct cell[]){ cell_bytes(job->key, 16), cell_number(2) });
	if (job->registered)
		departure_write(departure, WRITE_RIGHTS_REQUEST_STATE,
			(struct cell[]){ cell_bytes(job->key, 16),
				cell_number(NEEDTOKNOW__V1__RIGHTS_REQUEST_STATE__RIGHTS_REQUEST_STATE_ANSWERED),
				cell_number(departure_now(departure)) });
	return BOARDED;
}

static enum step_result job_done(struct call *call)
{
	struct erase_job *job = call->state;
	job->complete = true;
	return STEP_DONE;
}

static void job_release(struct call *call)
{
	struct erase_job *job = call->state;
	struct erasing *erasing = job->erasing;
	securing_forget(&job->securing);
	if (!erasing)
		return;
	erasing->running = false;
	erasing->complete = job->complete && !call->failed;
	erasing->call = NULL;
	erasing->done(erasing->context);
}

static const struct method job_method = {
	.steps = { job_find, job_end_live, job_secure, job_ask_company, job_read, job_commit, job_done },
	.again = 4,
	.board = job_board,
	.train_class = TRAIN_CONTROL,
	.release = job_release,
};

/* ---- for whoever waits ---- */

void erasing_start(struct erasing *erasing, struct service *service, const uint8_t request_key[16],
	void (*done)(void *context), void *context)
{
	assert(!erasing->running);
	struct call *call = call_new_own(service, &job_method);
	struct erase_job *job = call_alloc(call, sizeof *job);
	*job = (struct erase_job){ .erasing = erasing, .ender = { .done = page_ended, .context = call } };
	memcpy(job->key, request_key, sizeof job->key);
	call->state = job;
	*erasing = (struct erasing){ .running = true, .call = call, .done = done, .context = context };
	call_run(call);
}

void erasing_forget(struct erasing *erasing)
{
	if (!erasing->running)
		return;
	struct erase_job *job = erasing->call->state;
	job->erasing = NULL;
	erasing->running = false;
}
