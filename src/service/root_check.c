#include "service/root_check.h"

#include "service/tree.h"
#include "sql.h"

#include <string.h>

struct check {
	struct checkpoint checkpoint;
	uint64_t published, tiled;
	struct tree_reading reading;
	enum root_check_result result;
	void (*done)(void *context, enum root_check_result result);
	void *context;
};

static void published_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct check *check = target;
	(void)call;
	check->published = (uint64_t)row_int(result, row, 1);
	check->tiled = (uint64_t)row_int(result, row, 4) * TILE_WIDTH;
}

static const struct read_kind published_last = {
	.statement = &sql_checkpoint_upto,
	.from = READ_STATE,
	.types = { PG_INT8 },
	.row = published_row,
};

static enum step_result check_ask(struct call *call)
{
	batch_read(call, &published_last, call->state, (struct cell[]){ cell_number(INT64_MAX) });
	return STEP_NEXT;
}

static enum step_result check_ask_tree(struct call *call)
{
	struct check *check = call->state;
	if (call->awaited)
		return STEP_WAIT;
	if (check->published < check->checkpoint.size)
		return STEP_DONE; /* it was not there any more */
	merkle_root_plan(check->checkpoint.size, &check->reading.plan);
	tree_read(call, TREE_STATE, &check->reading, check->tiled);
	return STEP_NEXT;
}

static enum step_result check_compare(struct call *call)
{
	struct check *check = call->state;
	struct merkle_hash root[MERKLE_PROOF_MAX];
	size_t count;
	if (call->awaited)
		return STEP_WAIT;
	/* What cannot be computed any more is not the same. */
	bool same = !tree_join(&check->reading, root, &count) && count == 1 &&
		!memcmp(root, &check->checkpoint.root, sizeof *root);
	check->result = same ? ROOT_CHECK_SAME : ROOT_CHECK_OTHER;
	return STEP_DONE;
}

static void check_release(struct call *call)
{
	const struct check *check = call->state;
	check->done(check->context, check->result);
}

static const struct method check_method = {
	.steps = { check_ask, check_ask_tree, check_compare },
	.release = check_release,
};

void root_check(struct service *service, const struct checkpoint *checkpoint,
	void (*done)(void *context, enum root_check_result result), void *context)
{
	struct call *call = call_new_own(service, &check_method);
	struct check *check = call_alloc(call, sizeof *check);
	*check = (struct check){ .checkpoint = *checkpoint, .done = done, .context = context };
	call->state = check;
	call_run(call);
}
