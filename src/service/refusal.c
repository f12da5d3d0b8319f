#include "service/refusal.h"

#include "pure/decision.h"
#include "pure/siphash.h"
#include "service/disclosure.h"
#include "service/service.h"
#include "service/train.h"

#include <string.h>

#define REMEMBERED 1024
#define ONCE_IN INT64_C(60000000)

enum step_result refusal_reply(struct call *call, Needtoknow__V1__Reason reason, const struct recorded *recorded)
{
	struct status status = {
		.code = reason_code(reason), .reason = reason_name(reason), .message = reason_message(reason)
	};
	if (recorded)
		status.metadata[0].value = arena_printf(call->arena, "%llu", (unsigned long long)recorded->index);
	status.metadata[0].key = recorded ? "ledger_index" : NULL;
	return call_refuse(call, &status);
}

/* ---- ROLE_NOT_ALLOWED ---- */

static enum step_result role_commit(struct call *call)
{
	return train_board(call);
}

static enum boarding role_board(struct call *call, struct departure *departure)
{
	struct recorded *recorded = call_alloc(call, sizeof *recorded);
	struct entry_draft draft;
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_REFUSED);
	draft.entry.reason = NEEDTOKNOW__V1__REASON__REASON_ROLE_NOT_ALLOWED;
	call->state = recorded;
	*recorded = departure_entry(departure, &draft.entry);
	return BOARDED;
}

static enum step_result role_reply(struct call *call)
{
	return refusal_reply(call, NEEDTOKNOW__V1__REASON__REASON_ROLE_NOT_ALLOWED, call->state);
}

/* It could not be recorded; it is refused all the same. */
static void role_failed(struct call *call)
{
	Needtoknow__V1__Reason reason = NEEDTOKNOW__V1__REASON__REASON_ROLE_NOT_ALLOWED;
	call->status = (struct status){
		.code = reason_code(reason), .reason = reason_name(reason), .message = reason_message(reason)
	};
}

/* What a call becomes whose caller's role may not make it. */
static const struct method role_method = {
	.steps = { role_commit, role_reply },
	.board = role_board,
	.train_class = TRAIN_SHARE,
	.failed = role_failed,
};

/* A small table of who was recorded when; a collision costs an entry too few or too many, once a minute. */
static bool recorded_lately(const struct call *call)
{
	static const uint8_t key[16];
	static struct {
		uint64_t who;
		int64_t at;
	} table[REMEMBERED];
	uint64_t who = siphash(key, call->actor, strlen(call->actor));
	int64_t now = loop_now(service_loop(call->service));
	if (table[who % REMEMBERED].who == who && now - table[who % REMEMBERED].at < ONCE_IN)
		return true;
	table[who % REMEMBERED].who = who;
	table[who % REMEMBERED].at = now;
	return false;
}

void role_refused(struct call *call)
{
	if (recorded_lately(call)) {
		refusal_reply(call, NEEDTOKNOW__V1__REASON__REASON_ROLE_NOT_ALLOWED, NULL);
		call_abandon(call);
		return;
	}
	call->method = &role_method;
	call_run(call);
}
