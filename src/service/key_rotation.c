#include "service/key_rotation.h"

#include "pure/note.h"
#include "service/batch.h"
#include "service/disclosure.h"
#include "service/service.h"
#include "service/train.h"
#include "sql.h"

#include <string.h>

struct rotation {
	const char *verifier_keys;
	const char *recorded_keys; /* by the last such entry; NULL: none */
	bool recorded;
	void (*done)(void *context, bool recorded);
	void *context;
};

static void last_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct rotation *rotation = target;
	rotation->recorded_keys = row_text(result, row, 1, call);
}

static const struct read_kind last_keys = {
	.statement = &sql_verifier_keys_last,
	.from = READ_STATE,
	.types = { PG_INT4 },
	.row = last_row,
};

static enum step_result rotation_ask(struct call *call)
{
	struct rotation *rotation = call->state;
	call_key(call, KEY_VERIFIER, "", 0, KEY_EXCLUSIVE);
	rotation->recorded_keys = NULL;
	batch_read(call, &last_keys, rotation, (struct cell[]){ cell_number(1) });
	return STEP_NEXT;
}

static enum step_result rotation_decide(struct call *call)
{
	struct rotation *rotation = call->state;
	if (call->awaited)
		return STEP_WAIT;
	rotation->recorded = rotation->recorded_keys && !strcmp(rotation->recorded_keys, rotation->verifier_keys);
	return rotation->recorded ? STEP_DONE : STEP_NEXT;
}

static enum step_result rotation_commit(struct call *call)
{
	return train_board(call);
}

static enum boarding rotation_board(struct call *call, struct departure *departure)
{
	const struct rotation *rotation = call->state;
	struct entry_draft draft;
	char *lines = arena_strdup(call->arena, rotation->verifier_keys), *keys[NOTE_KEYS_MAX];
	size_t count = 0;
	for (char *line = lines; line && count < NOTE_KEYS_MAX; count++) {
		char *end = strchr(line, '\n');
		keys[count] = line;
		if (end)
			*end++ = '\0';
		line = end;
	}
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_KEY_ROTATED);
	draft.entry.verifier_keys = keys;
	draft.entry.n_verifier_keys = count;
	struct recorded recorded = departure_entry(departure, &draft.entry);
	departure_write(departure, WRITE_VERIFIER_KEY,
		(struct cell[]){ cell_number((int64_t)recorded.index), cell_text(rotation->verifier_keys) });
	return BOARDED;
}

static enum step_result rotation_done(struct call *call)
{
	struct rotation *rotation = call->state;
	rotation->recorded = true;
	return STEP_DONE;
}

static void rotation_release(struct call *call)
{
	const struct rotation *rotation = call->state;
	rotation->done(rotation->context, rotation->recorded);
}

static const struct method rotation_method = {
	.steps = { rotation_ask, rotation_decide, rotation_commit, rotation_done },
	.board = rotation_board,
	.train_class = TRAIN_CONTROL,
	.release = rotation_release,
};

void key_rotation_record(
	struct service *service, const char *verifier_keys, void (*done)(void *context, bool recorded), void *context)
{
	struct call *call = call_new_own(service, &rotation_method);
	struct rotation *rotation = call_alloc(call, sizeof *rotation);
	*rotation = (struct rotation){ .verifier_keys = verifier_keys, .done = done, .context = context };
	call->state = rotation;
	call_run(call);
}
