#include "service/erasure_list.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "pure/time.h"
#include "service/batch.h"
#include "service/erasure_file.h"
#include "service/rulebook.h"
#include "sql.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#define DISK_INTERVAL INT64_C(1000) /* how often to see whether the disk has answered, or who has the lock let go */
#define TICK TIME_SECOND
#define RETRY_INTERVAL (3 * TIME_SECOND) /* shut: is it mended? */
#define LOOK_INTERVAL (10 * TIME_SECOND) /* what did others record? */
#define PAGE 256

struct erasure_list {
	struct service *service;
	bool reapplying;
	struct erasure_file *file; /* once the secret is known */
	struct loop_timer timer;
	enum {
		GATE_SHUT, /* the database has not answered yet */
		GATE_OPEN,
		GATE_MISSING, /* what the list has, the database has not */
		GATE_UNREADABLE,
	} gate;
	uint64_t connection; /* counts how often the database was reached */
	bool checking, looking, complained;
	int64_t check_at, look_at; /* loop time */
	uint64_t missing;
	char why[400];
	/* What is to be added: what erasures here wait for, and what a look has found. */
	struct erasure_note *waiting, *under_way;
	struct erasure_line found[PAGE];
	size_t found_count;
	int64_t seen_index; /* of the last row that a look has found */
	bool writing;
	struct erasure_line *batch;
	size_t batch_found; /* how many of `found` are in it; a look may add more meanwhile */
};

static void tick(void *context);

struct erasure_list *erasure_list_new(struct service *service, bool reapplying)
{
	struct erasure_list *list = mem_calloc(1, sizeof *list);
	list->service = service;
	list->reapplying = reapplying;
	list->seen_index = -1;
	loop_timer_init(&list->timer, service_loop(service), tick, list);
	return list;
}

void erasure_list_free(struct erasure_list *list)
{
	if (!list)
		return;
	loop_timer_release(&list->timer);
	erasure_file_free(list->file);
	mem_wipe(list->found, sizeof list->found);
	mem_free(list->batch);
	mem_free(list);
}

bool erasure_list_open(const struct erasure_list *list)
{
	return list->gate == GATE_OPEN || list->reapplying;
}

bool erasure_list_lacking(const struct erasure_list *list)
{
	return !erasure_list_open(list) && list->gate != GATE_SHUT;
}

const char *erasure_list_why(const struct erasure_list *list)
{
	return erasure_list_open(list) ? "" : list->why;
}

/* ---- the gate: does the database know all that the list has? ---- */

static void move_gate(struct erasure_list *list, int gate, const char *why)
{
	bool was = erasure_list_open(list);
	int before = (int)list->gate;
	list->gate = gate;
	snprintf(list->why, sizeof list->why, "%s", why);
	list->check_at = loop_now(service_loop(list->service)) + RETRY_INTERVAL;
	if (before != gate && (gate == GATE_MISSING || gate == GATE_UNREADABLE))
		log_error("erasures", "%s", list->why);
	if (was != erasure_list_open(list))
		service_changed(list->service);
}

struct check {
	struct erasure_list *list;
	uint64_t asked, known;
	bool answered;
	uint64_t connection; /* of which it was asked */
};

static void known_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct check *check = target;
	(void)call;
	(void)result;
	(void)row;
	check->known++;
}

static const struct read_kind erasure_known = {
	.statement = &sql_erasure_known,
	.from = READ_STATE,
	.types = { PG_UUID },
	.row = known_row,
};

static enum step_result check_ask(struct call *call)
{
	struct check *check = call->state;
	size_t count;
	const struct erasure_line *lines = erasure_file_lines(check->list->file, &count);
	for (size_t i = 0; i < count; i++)
		batch_read(call, &erasure_known, check, (struct cell[]){ cell_bytes(lines[i].request_key, 16) });
	check->asked = count;
	return STEP_NEXT;
}

static enum step_result check_answer(struct call *call)
{
	struct check *check = call->state;
	char why[300];
	if (call->awaited)
		return STEP_WAIT;
	if (check->connection != check->list->connection)
		return STEP_DONE; /* it was reached again meanwhile, and is asked again */
	check->answered = true;
	check->list->missing = check->asked - check->known;
	snprintf(why, sizeof why,
		"%llu erasures are not in the database, which was restored from a backup that still has these clients: "
		"run `needtoknowd reapply-erasures`",
		(unsigned long long)check->list->missing);
	move_gate(check->list, check->list->missing ? GATE_MISSING : GATE_OPEN, check->list->missing ? why : "");
	return STEP_DONE;
}

static void check_release(struct call *call)
{
	const struct check *check = call->state;
	struct erasure_list *list = check->list;
	list->checking = false;
	list->check_at = loop_now(service_loop(list->service)) + (check->answered ? RETRY_INTERVAL : 0);
}

static const struct method check_method = {
	.steps = { check_ask, check_answer },
	.release = check_release,
};

/* How many the file has, as it is now; false: it cannot be read. */
static bool read_file(struct erasure_list *list, size_t *count)
{
	char error[300];
	*count = 0;
	if (!list->writing && erasure_file_read(list->file, error, sizeof error)) {
		move_gate(list, GATE_UNREADABLE, error);
		return false;
	}
	erasure_file_lines(list->file, count);
	return true;
}

/* Another database may be in the place of the one that said that it has them all. */
static void shut(struct erasure_list *list)
{
	if (list->gate == GATE_OPEN || list->gate == GATE_SHUT)
		move_gate(list, GATE_SHUT, "our own database has not said yet whether it has all erasures");
}

static void start_check(struct erasure_list *list)
{
	size_t count;
	if (list->checking || !read_file(list, &count))
		return;
	if (!count) {
		move_gate(list, GATE_OPEN, "");
		return;
	}
	shut(list);
	struct call *call = call_new_own(list->service, &check_method);
	struct check *check = call_alloc(call, sizeof *check);
	assert(check);
	*check = (struct check){ .list = list, .connection = list->connection };
	call->state = check;
	list->checking = true;
	call_run(call);
}

void erasure_list_reached(struct erasure_list *list)
{
	if (!list->file)
		list->file = erasure_file_new(
			service_config(list->service)->state_dir, service_secret(list->service, SECRET_ERASURE_LIST));
	list->connection++;
	list->seen_index = -1;
	list->look_at = 0;
	list->check_at = 0;
	loop_timer_set(&list->timer, TICK);
	if (!list->reapplying)
		start_check(list);
}

void erasure_list_lost(struct erasure_list *list)
{
	size_t count;
	if (!list->file || list->reapplying || !read_file(list, &count))
		return;
	if (count)
		shut(list);
}

int erasure_list_all(struct erasure_list *list, const struct erasure_line **lines, size_t *count)
{
	char error[300];
	if (erasure_file_read(list->file, error, sizeof error)) {
		move_gate(list, GATE_UNREADABLE, error);
		return -1;
	}
	*lines = erasure_file_lines(list->file, count);
	return 0;
}

/* ---- a look: what others have recorded ---- */

static void found_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct erasure_list *list = *(struct erasure_list **)target;
	struct erasure_line line = { 0 };
	const char *subject = row_text(result, row, 5, call);
	list->seen_index = row_int(result, row, 1);
	row_bytes(result, row, 2, line.request_key, sizeof line.request_key);
	if (!subject || strlen(subject) > ERASURE_SUBJECT_MAX || erasure_file_has(list->file, line.request_key))
		return;
	line.recorded_at = row_time(result, row, 3);
	line.forget_after = row_time(result, row, 4);
	memcpy(line.subject_id, subject, strlen(subject));
	if (list->found_count < PAGE)
		list->found[list->found_count++] = line;
}

static const struct read_kind erasures_since = {
	.statement = &sql_erasures_since,
	.from = READ_STATE,
	.types = { PG_INT8, PG_TIMESTAMPTZ, PG_INT4 },
	.row = found_row,
};

/* Lines recorded before it are dropped. INT64_MIN: no policy says so yet. */
static int64_t oldest(const struct erasure_list *list)
{
	const struct rules *rules = rulebook_in_force(service_rulebook(list->service));
	if (!rules)
		return INT64_MIN;
	return service_guess_time(list->service) - policy_retention(rules_policy(rules))->backups.keep;
}

static enum step_result look_ask(struct call *call)
{
	struct erasure_list **list = call->state;
	(*list)->found_count = 0;
	batch_read(call, &erasures_since, list,
		(struct cell[]){ cell_number((*list)->seen_index), cell_number(oldest(*list)), cell_number(PAGE) });
	return STEP_NEXT;
}

static enum step_result look_answer(struct call *call)
{
	return call->awaited ? STEP_WAIT : STEP_DONE;
}

static void look_release(struct call *call)
{
	struct erasure_list *list = *(struct erasure_list **)call->state;
	list->looking = false;
	if (list->found_count)
		loop_timer_set(&list->timer, 0);
}

static const struct method look_method = {
	.steps = { look_ask, look_answer },
	.release = look_release,
};

static void start_look(struct erasure_list *list)
{
	struct call *call = call_new_own(list->service, &look_method);
	struct erasure_list **state = call_alloc(call, sizeof *state);
	assert(state);
	*state = list;
	call->state = state;
	list->looking = true;
	list->look_at = loop_now(service_loop(list->service)) + LOOK_INTERVAL;
	call_run(call);
}

/* ---- into the file ---- */

void erasure_note_add(struct erasure_note *note, struct service *service, const struct erasure_line *line,
	void (*done)(void *context), void *context)
{
	struct erasure_list *list = service_erasure_list(service);
	assert(!note->running);
	*note = (struct erasure_note){ .running = true, .list = list, .line = *line, .done = done, .context = context };
	DL_APPEND(list->waiting, note);
	if (!list->writing)
		loop_timer_set(&list->timer, 0);
}

static bool is_in(struct erasure_note *head, const struct erasure_note *note)
{
	struct erasure_note *other;
	DL_FOREACH (head, other)
		if (other == note)
			return true;
	return false;
}

void erasure_note_forget(struct erasure_note *note)
{
	if (!note->running)
		return;
	if (is_in(note->list->waiting, note))
		DL_DELETE(note->list->waiting, note);
	else
		DL_DELETE(note->list->under_way, note);
	note->running = false;
	mem_wipe(&note->line, sizeof note->line);
}

static void finish(struct erasure_list *list, bool durable)
{
	struct erasure_note *note;
	list->writing = false;
	if (durable) {
		list->found_count -= list->batch_found;
		memmove(list->found, list->found + list->batch_found, list->found_count * sizeof *list->found);
		list->complained = false;
	}
	while ((note = list->under_way)) {
		DL_DELETE(list->under_way, note);
		mem_wipe(&note->line, sizeof note->line);
		note->durable = durable;
		note->running = false;
		note->done(note->context);
	}
}

static void written(struct erasure_list *list, enum erasure_written what, const char *error)
{
	switch (what) {
	case ERASURE_WRITING:
		list->writing = true;
		loop_timer_set(&list->timer, DISK_INTERVAL);
		return;
	case ERASURE_BUSY: {
		struct erasure_note *note;
		while ((note = list->under_way)) {
			DL_DELETE(list->under_way, note);
			DL_APPEND(list->waiting, note);
		}
		loop_timer_set(&list->timer, DISK_INTERVAL);
		return;
	}
	case ERASURE_DURABLE:
		fault_point("erasures.written");
		finish(list, true);
		break;
	case ERASURE_FAILED:
		if (!list->complained)
			log_error("erasures", "%s: no erasure is answered until it can be written", error);
		list->complained = true;
		finish(list, false);
		break;
	}
	loop_timer_set(&list->timer, list->waiting ? 0 : TICK);
}

static void start_write(struct erasure_list *list)
{
	char error[300] = "";
	size_t count = list->found_count;
	struct erasure_note *note;
	DL_FOREACH (list->waiting, note)
		count++;
	mem_free(list->batch);
	list->batch = mem_calloc(count + 1, sizeof *list->batch);
	memcpy(list->batch, list->found, list->found_count * sizeof *list->batch);
	count = list->batch_found = list->found_count;
	while ((note = list->waiting)) {
		DL_DELETE(list->waiting, note);
		DL_APPEND(list->under_way, note);
		list->batch[count++] = note->line;
	}
	written(list, erasure_file_write(list->file, list->batch, count, oldest(list), error, sizeof error), error);
}

/* ---- once a second, or sooner ---- */

static bool has_old(const struct erasure_list *list)
{
	size_t count;
	const struct erasure_line *lines = erasure_file_lines(list->file, &count);
	return count && lines[0].recorded_at < oldest(list);
}

static void tick(void *context)
{
	struct erasure_list *list = context;
	char error[300] = "";
	int64_t now = loop_now(service_loop(list->service));
	if (list->writing) {
		written(list, erasure_file_poll(list->file, error, sizeof error), error);
		return;
	}
	loop_timer_set(&list->timer, TICK);
	if (list->waiting || list->found_count || (list->gate == GATE_OPEN && has_old(list))) {
		start_write(list);
		return;
	}
	if (list->reapplying || !database_up(service_database_state(list->service)))
		return;
	if (list->gate != GATE_OPEN && now >= list->check_at)
		start_check(list);
	else if (list->gate == GATE_OPEN && now >= list->look_at && !list->looking &&
		rulebook_in_force(service_rulebook(list->service)))
		start_look(list);
}
