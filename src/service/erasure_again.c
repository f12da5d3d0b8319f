#include "service/erasure_again.h"

#include "base/fault.h"
#include "base/memory.h"
#include "pure/time.h"
#include "service/batch.h"
#include "service/disclosure.h"
#include "service/erasing.h"
#include "service/erasure_list.h"
#include "service/subject.h"
#include "service/train.h"
#include "sql.h"

#include <needtoknow/v1/rights.pb-c.h>

#include <assert.h>
#include <string.h>

#define AT_ONCE 64

struct again {
	struct erasure_again *all;
	struct erasure_line line;
	bool missing, recorded;
	struct erasing erasing;
};

static void go_on(struct erasure_again *all);

/* ---- one client: recorded again ---- */

struct again_call {
	struct again *again;
	struct subject subject;
	bool known; /* the database has it */
	int64_t began_at;
};

static void known_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct again_call *state = target;
	(void)call;
	(void)result;
	(void)row;
	state->known = true;
}

static const struct read_kind erasure_known = {
	.statement = &sql_erasure_known,
	.from = READ_STATE,
	.types = { PG_UUID },
	.row = known_row,
};

static void facts_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct again_call *state = target;
	(void)call;
	subject_read(result, row, 1, &state->subject);
	state->began_at = row_time(result, row, 5);
}

static const struct read_kind again_facts = {
	.statement = &sql_asked_facts,
	.from = READ_STATE,
	.types = { PG_TEXT },
	.row = facts_row,
};

static enum step_result again_ask(struct call *call)
{
	struct again_call *state = call->state;
	const struct erasure_line *line = &state->again->line;
	call_disregard(call);
	train_reading(call);
	state->known = false;
	call_key(call, KEY_SUBJECT, line->subject_id, strlen(line->subject_id), KEY_EXCLUSIVE);
	batch_read(call, &erasure_known, state, (struct cell[]){ cell_bytes(line->request_key, 16) });
	batch_read(call, &again_facts, state, (struct cell[]){ cell_text(line->subject_id) });
	return STEP_NEXT;
}

static enum step_result again_commit(struct call *call)
{
	struct again_call *state = call->state;
	if (call->awaited)
		return STEP_WAIT;
	if (!state->known)
		return train_board(call);
	state->again->recorded = true;
	return STEP_DONE;
}

/* As Erase records it; who asked, and how, the backup does not have. */
static enum boarding again_board(struct call *call, struct departure *departure)
{
	struct again_call *state = call->state;
	const struct erasure_line *line = &state->again->line;
	struct entry_draft draft;
	int64_t now = departure_now(departure);
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_ERASED);
	if (state->subject.known) {
		draft.entry.subject_pseudonym.data = state->subject.pseudonym;
		draft.entry.subject_pseudonym.len = sizeof state->subject.pseudonym;
	}
	struct recorded recorded = departure_entry(departure, &draft.entry);
	struct cell key = cell_bytes(line->request_key, 16), subject = cell_text(line->subject_id);
	struct cell index = cell_number((int64_t)recorded.index);
	departure_write(departure, WRITE_ENTRY_REFERENCE,
		(struct cell[]){
			index, cell_bytes(NULL, 0), subject, cell_text(NULL), cell_text(NULL), cell_text(NULL) });
	departure_write(departure, WRITE_RIGHT,
		(struct cell[]){ subject, cell_number(1), cell_text(""), cell_number(now), index });
	departure_write(departure, WRITE_RIGHTS_REQUEST,
		(struct cell[]){ key, index, cell_text(call->actor), cell_text(NULL), subject,
			cell_number(NEEDTOKNOW__V1__RIGHTS_REQUEST_KIND__RIGHTS_REQUEST_KIND_ERASE), cell_text(""),
			cell_text(NULL), cell_number(NEEDTOKNOW__V1__CHANNEL__CHANNEL_UNSPECIFIED),
			cell_number(line->recorded_at), cell_number(state->began_at),
			cell_number(time_add_months(line->recorded_at, 1)),
			cell_number(NEEDTOKNOW__V1__RIGHTS_REQUEST_STATE__RIGHTS_REQUEST_STATE_OPEN),
			cell_number(TIME_NONE) });
	/* At the time at which it was recorded first: from then on the list counts how long backups have it. */
	departure_write(departure, WRITE_ERASURE,
		(struct cell[]){
			key, subject, cell_number(line->recorded_at), cell_number(line->forget_after), index });
	return BOARDED;
}

static enum step_result again_done(struct call *call)
{
	struct again_call *state = call->state;
	state->again->recorded = true;
	state->again->missing = true;
	fault_point("reapply.recorded");
	return STEP_DONE;
}

static void again_release(struct call *call)
{
	const struct again_call *state = call->state;
	struct again *again = state->again;
	struct erasure_again *all = again->all;
	all->running--;
	all->recorded += again->missing;
	all->missing += again->missing;
	all->failed += !again->recorded;
	go_on(all);
}

static const struct method again_method = {
	.steps = { again_ask, again_commit, again_done },
	.board = again_board,
	.train_class = TRAIN_CONTROL,
	.release = again_release,
};

static void record(struct again *again)
{
	struct call *call = call_new_own(again->all->service, &again_method);
	struct again_call *state = call_alloc(call, sizeof *state);
	assert(state);
	*state = (struct again_call){ .again = again };
	call->state = state;
	call_run(call);
}

/* ---- all of them: recorded, then done ---- */

static void completed(void *context)
{
	struct again *again = context;
	struct erasure_again *all = again->all;
	all->running--;
	all->completed += again->erasing.complete && again->missing;
	all->failed += !again->erasing.complete;
	go_on(all);
}

/* Those that are recorded already, too: whoever was cut short left some open, and of what is answered nothing is left
 * to do. */
static void complete(struct again *again)
{
	erasing_start(&again->erasing, again->all->service, again->line.request_key, completed, again);
}

static void go_on(struct erasure_again *all)
{
	all->progress(all->context);
	while (all->running < AT_ONCE && all->next < 2 * all->listed) {
		bool recording = all->next < all->listed;
		struct again *again = &all->all[recording ? all->next : all->next - all->listed];
		if (!recording && all->next == all->listed && all->running)
			return; /* all are recorded before the first is waited for */
		all->next++;
		all->running++;
		if (recording)
			record(again);
		else if (again->recorded)
			complete(again);
		else
			all->running--; /* it has failed already */
	}
	if (all->running || all->finished || all->next < 2 * all->listed)
		return;
	all->finished = true;
	all->done(all->context);
}

int erasure_again_start(struct erasure_again *again, struct service *service)
{
	const struct erasure_line *lines;
	size_t count;
	if (erasure_list_all(service_erasure_list(service), &lines, &count))
		return -1;
	again->service = service;
	again->listed = count;
	again->all = mem_calloc(count + 1, sizeof *again->all);
	for (size_t i = 0; i < count; i++)
		again->all[i] = (struct again){ .all = again, .line = lines[i] };
	go_on(again);
	return 0;
}

void erasure_again_release(struct erasure_again *again)
{
	mem_free(again->all);
	again->all = NULL;
}
