#include "service/policy_activation.h"

#include "pure/time.h"
#include "service/disclosure.h"
#include "service/rules.h"
#include "service/service.h"
#include "service/train.h"

struct activation {
	struct rules *rules;
	const char *approved_by;
	struct recorded recorded;
};

static enum step_result activation_ask(struct call *call)
{
	call_key(call, KEY_POLICY, "", 0, KEY_EXCLUSIVE);
	return STEP_NEXT;
}

static enum step_result activation_commit(struct call *call)
{
	return train_board(call);
}

static enum boarding activation_board(struct call *call, struct departure *departure)
{
	struct activation *activation = call->state;
	const struct policy *policy = activation->rules->policy;
	struct entry_draft draft;
	size_t length;
	const char *text = policy_text(policy, &length);

	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_POLICY_ACTIVATED);
	draft.entry.policy_digest.data = (uint8_t *)policy_digest(policy);
	draft.entry.policy_digest.len = 32;
	activation->recorded = departure_entry(departure, &draft.entry);
	if (!activation->rules->stored)
		departure_write(departure, WRITE_POLICY,
			(struct cell[]){ cell_number(activation->rules->number), cell_bytes(policy_digest(policy), 32),
				cell_bytes(text, length) });
	departure_write(departure, WRITE_POLICY_ACTIVATION,
		(struct cell[]){ cell_number((int64_t)activation->recorded.index),
			cell_number(activation->rules->number), cell_number(departure_now(departure)),
			cell_text(activation->approved_by) });
	return BOARDED;
}

static enum step_result activation_done(struct call *call)
{
	const struct activation *activation = call->state;
	rulebook_activated(service_rulebook(call->service), activation->rules, &activation->recorded);
	return STEP_DONE;
}

static void activation_failed(struct call *call)
{
	const struct activation *activation = call->state;
	rulebook_activation_failed(service_rulebook(call->service), activation->rules);
}

static const struct method activation_method = {
	.steps = { activation_ask, activation_commit, activation_done },
	.board = activation_board,
	.train_class = TRAIN_CONTROL,
	.failed = activation_failed,
};

void policy_activate(struct service *service, struct rules *rules, const char *actor, const char *approved_by)
{
	struct call *call = call_new_own(service, &activation_method);
	struct activation *activation = call_alloc(call, sizeof *activation);
	activation->rules = rules;
	activation->approved_by = arena_strdup(call->arena, approved_by);
	call->actor = arena_strdup(call->arena, actor);
	call->state = activation;
	call_run(call);
}
