#include "service/consistency_check.h"

#include "service/tree.h"
#include "sql.h"

#include <string.h>

struct check {
	struct checkpoint earlier, later;
	uint64_t tiled;
	struct tree_reading reading;
	enum consistency result;
	void (*done)(void *context, enum consistency result);
	void *context;
};

static void tiles_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct check *check = target;
	(void)call;
	check->tiled = (uint64_t)row_int(result, row, 1) * TILE_WIDTH;
}

static const struct read_kind tiles_full = {
	.statement = &sql_tiles_full,
	.from = READ_STATE,
	.types = { PG_INT4 },
	.row = tiles_row,
};

static enum step_result check_ask(struct call *call)
{
	struct check *check = call->state;
	if (merkle_consistency_plan(check->earlier.size, check->later.size, &check->reading.plan) != 0) {
		check->result = CONSISTENCY_REFUTED;
		return STEP_DONE;
	}
	batch_read(call, &tiles_full, check, (struct cell[]){ cell_number(1) });
	return STEP_NEXT;
}

static enum step_result check_ask_tree(struct call *call)
{
	struct check *check = call->state;
	if (call->awaited)
		return STEP_WAIT;
	tree_read(call, TREE_STATE, &check->reading, check->tiled);
	return STEP_NEXT;
}

static enum step_result check_verify(struct call *call)
{
	struct check *check = call->state;
	struct merkle_hash proof[MERKLE_PROOF_MAX];
	size_t count;
	if (call->awaited)
		return STEP_WAIT;
	bool proved = !tree_join(&check->reading, proof, &count) &&
		!merkle_verify_consistency(
			check->earlier.size, &check->earlier.root, check->later.size, &check->later.root, proof, count);
	check->result = proved ? CONSISTENCY_PROVED : CONSISTENCY_REFUTED;
	return STEP_DONE;
}

static void check_release(struct call *call)
{
	const struct check *check = call->state;
	check->done(check->context, check->result);
}

static const struct method check_method = {
	.steps = { check_ask, check_ask_tree, check_verify },
	.release = check_release,
};

void consistency_check(struct service *service, const struct checkpoint *earlier, const struct checkpoint *later,
	void (*done)(void *context, enum consistency result), void *context)
{
	struct call *call = call_new_own(service, &check_method);
	struct check *check = call_alloc(call, sizeof *check);
	*check = (struct check){ .earlier = *earlier, .later = *later, .done = done, .context = context };
	call->state = check;
	call_run(call);
}
