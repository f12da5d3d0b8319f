#include "service/pruner.h"

#include "base/log.h"
#include "base/memory.h"
#include "pure/retention.h"
#include "pure/time.h"
#include "service/batch.h"
#include "service/disclosure.h"
#include "service/service.h"
#include "service/signer.h"
#include "service/train.h"
#include "sql.h"

#include <inttypes.h>

/* How often to see whether it is time, and whether we are the one. */
#define TICK TIME_SECOND
/* A look that failed is not made up for by the next one in an hour. */
#define RETRY_INTERVAL (60 * TIME_SECOND)

struct pruner {
	struct service *service;
	struct loop_timer timer;
	int64_t looked_at; /* loop time; 0: never */
	bool failed; /* then */
	bool looking;
};

/* ---- one look ---- */

struct look {
	struct pruner *pruner;
	int policy; /* the number of the one that says how long */
	struct prune_facts facts;
	uint64_t until;
};

/* NULL: it is not known just now which one is. */
static const struct rules *in_force(const struct service *service)
{
	const struct rulebook *rulebook = service_rulebook(service);
	return rulebook_is_known(rulebook) ? rulebook_in_force(rulebook) : NULL;
}

static int64_t kept(const struct rules *rules)
{
	return policy_retention(rules_policy(rules))->ledger_bodies.keep;
}

static void look_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct prune_facts *facts = target;
	(void)call;
	facts->old = (uint64_t)row_int(result, row, 1);
	facts->signed_size = (uint64_t)row_int(result, row, 2);
	facts->tiled = (uint64_t)row_int(result, row, 3);
	facts->needed = (uint64_t)row_int(result, row, 4);
	facts->pruned = (uint64_t)row_int(result, row, 5);
}

static const struct read_kind prune_reach = {
	.statement = &sql_prune_reach,
	.from = READ_LISTING,
	.types = { PG_INT8 },
	.row = look_row,
};

static enum step_result look_ask(struct call *call)
{
	struct look *look = call->state;
	const struct rules *rules = in_force(call->service);
	if (!rules)
		return STEP_DONE;
	look->policy = rules_number(rules);
	look->facts = (struct prune_facts){ 0 };
	train_reading(call);
	/* Another policy may keep more, and another worker may be at it. */
	call_key(call, KEY_POLICY, "", 0, KEY_SHARED);
	call_key(call, KEY_PRUNING, "", 0, KEY_EXCLUSIVE);
	batch_read(call, &prune_reach, &look->facts, (struct cell[]){ cell_number(kept(rules)) });
	return STEP_NEXT;
}

static enum step_result look_decide(struct call *call)
{
	struct look *look = call->state;
	if (call->awaited)
		return STEP_WAIT;
	look->until = prune_until(&look->facts);
	return look->until ? STEP_NEXT : STEP_DONE;
}

static enum step_result look_commit(struct call *call)
{
	return train_board(call);
}

/* What is needed cannot have come to lie lower since it was read: what is shared later stands higher. */
static enum boarding look_board(struct call *call, struct departure *departure)
{
	const struct look *look = call->state;
	const struct rules *rules = in_force(call->service);
	struct entry_draft draft;
	if (!rules || rules_number(rules) != look->policy)
		return BOARD_AGAIN;
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_PRUNED);
	draft.entry.pruned_until = look->until;
	struct recorded recorded = departure_entry(departure, &draft.entry);
	departure_write(departure, WRITE_PRUNED,
		(struct cell[]){ cell_number((int64_t)look->until), cell_number((int64_t)recorded.index),
			cell_number(recorded.at) });
	return BOARDED;
}

static enum step_result look_done(struct call *call)
{
	const struct look *look = call->state;
	log_info("ledger",
		"bodies of the entries below %" PRIu64 " are older than the policy keeps them: `needtoknowd maintain` "
		"may remove them",
		look->until);
	return STEP_DONE;
}

static void look_release(struct call *call)
{
	const struct look *look = call->state;
	look->pruner->looking = false;
	look->pruner->failed = call->failed;
}

static const struct method look_method = {
	.steps = { look_ask, look_decide, look_commit, look_done },
	.board = look_board,
	.train_class = TRAIN_SHARE,
	.release = look_release,
};

static void start_look(struct pruner *pruner)
{
	struct call *call = call_new_own(pruner->service, &look_method);
	struct look *look = call_alloc(call, sizeof *look);
	look->pruner = pruner;
	call->state = look;
	pruner->looking = true;
	call_run(call);
}

/* ---- when ---- */

/* What is not signed may be another ledger, or a damaged one: whatever tells of that stays. */
static bool may_look(const struct pruner *pruner)
{
	return !pruner->looking && service_state(pruner->service) == SERVICE_SERVING && in_force(pruner->service) &&
		service_elected(pruner->service) && !*signer_why(service_signer(pruner->service));
}

static bool is_time(const struct pruner *pruner)
{
	if (!may_look(pruner))
		return false;
	int64_t waited = loop_now(service_loop(pruner->service)) - pruner->looked_at;
	return !pruner->looked_at || waited >= prune_interval(kept(in_force(pruner->service))) ||
		(pruner->failed && waited >= RETRY_INTERVAL);
}

static void ticked(void *context)
{
	struct pruner *pruner = context;
	loop_timer_set(&pruner->timer, TICK);
	if (!is_time(pruner))
		return;
	pruner->looked_at = loop_now(service_loop(pruner->service));
	start_look(pruner);
}

struct pruner *pruner_new(struct service *service)
{
	struct pruner *pruner = mem_calloc(1, sizeof *pruner);
	pruner->service = service;
	loop_timer_init(&pruner->timer, service_loop(service), ticked, pruner);
	loop_timer_set(&pruner->timer, TICK);
	return pruner;
}

void pruner_free(struct pruner *pruner)
{
	if (!pruner)
		return;
	loop_timer_release(&pruner->timer);
	mem_free(pruner);
}
