#include "rpc/methods.h"
#include "rpc/recipient_message.h"
#include "rpc/request.h"
#include "service/batch.h"
#include "service/clearing.h"
#include "service/disclosure.h"
#include "service/queue.h"
#include "service/service.h"
#include "service/train.h"
#include "sql.h"

#include <needtoknow/v1/registry.pb-c.h>

#include <string.h>

#define REMARK_MAX 500

/*
 * SuspendRecipient, ResumeRecipient. From the train on that suspends it no delivery to it is decided; then all that is
 * live of it is ended, and the answer comes when nothing is. What was ended stays so: after a Resume a booking is
 * shared again.
 */
struct suspension {
	const char *recipient_id, *remark;
	bool suspend; /* else resume */
	struct recipients *stored;
	bool live; /* something of it is */
	bool changed; /* it was not so already */
	struct recorded recorded;
	bool clearing_began;
	struct clearing clearing;
};

/* ---- decode ---- */

static struct suspension *suspension_new(struct call *call, const char *recipient_id, const char *remark, bool suspend)
{
	struct suspension *suspension = call_alloc(call, sizeof *suspension);
	if (!suspension)
		return NULL;
	suspension->recipient_id = recipient_id;
	suspension->remark = *remark ? remark : NULL;
	suspension->suspend = suspend;
	call->state = suspension;
	return suspension;
}

static enum step_result suspend_decode(struct call *call)
{
	const Needtoknow__V1__SuspendRecipientRequest *request =
		(const Needtoknow__V1__SuspendRecipientRequest *)call->request;
	if (!request_identifier(call, "recipient_id", request->recipient_id) ||
		!request_text(call, "reason", request->reason, REMARK_MAX))
		return STEP_DONE;
	suspension_new(call, request->recipient_id, request->reason, true);
	return STEP_NEXT;
}

static enum step_result resume_decode(struct call *call)
{
	const Needtoknow__V1__ResumeRecipientRequest *request =
		(const Needtoknow__V1__ResumeRecipientRequest *)call->request;
	if (!request_identifier(call, "recipient_id", request->recipient_id))
		return STEP_DONE;
	suspension_new(call, request->recipient_id, "", false);
	return STEP_NEXT;
}

/* ---- clear: nothing of it is live any more ---- */

static void suspension_cleared(void *context)
{
	call_run(context);
}

/* STEP_NEXT, once. */
static enum step_result suspension_clear(struct call *call)
{
	struct suspension *suspension = call->state;
	if (!suspension->clearing_began) {
		suspension->clearing_began = true;
		clearing_start(&suspension->clearing, call->service, END_SUSPENDED, suspension->recipient_id, "",
			suspension_cleared, call);
	}
	if (suspension->clearing.running)
		return STEP_WAIT;
	suspension->clearing_began = false;
	if (!suspension->clearing.complete)
		call_fail(call, GRPC_UNAVAILABLE, "DATABASE_UNAVAILABLE",
			"the recipient is suspended and gets nothing, but not all of its disclosures are withdrawn "
			"yet: they will be; call again to be told when they are");
	return STEP_NEXT;
}

static void suspension_release(struct call *call)
{
	struct suspension *suspension = call->state;
	if (suspension)
		clearing_forget(&suspension->clearing);
}

/* ---- ask: the recipient ---- */

static enum step_result suspension_ask(struct call *call)
{
	struct suspension *suspension = call->state;
	call_key(call, KEY_RECIPIENT, suspension->recipient_id, strlen(suspension->recipient_id), KEY_EXCLUSIVE);
	suspension->stored = recipients_new(call, 1);
	if (suspension->stored)
		batch_read(call, &recipient_by_id, suspension->stored,
			(struct cell[]){ cell_text(suspension->recipient_id) });
	return STEP_NEXT;
}

static void live_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct suspension *suspension = target;
	(void)call;
	(void)result;
	(void)row;
	suspension->live = true;
}

static const struct read_kind recipient_has_live = {
	.statement = &sql_recipient_has_live,
	.from = READ_STATE,
	.types = { PG_TEXT },
	.row = live_row,
};

static enum step_result resume_ask(struct call *call)
{
	struct suspension *suspension = call->state;
	suspension->live = false;
	batch_read(call, &recipient_has_live, suspension, (struct cell[]){ cell_text(suspension->recipient_id) });
	return suspension_ask(call);
}

/* What a worker that died left of the suspension is ended before it is lifted, or it would live on. */
static enum step_result resume_clear(struct call *call)
{
	struct suspension *suspension = call->state;
	if (call->awaited)
		return STEP_WAIT;
	if (!suspension->live || !suspension->stored->count || !suspension->stored->all[0]->suspended)
		return STEP_NEXT;
	enum step_result result = suspension_clear(call);
	if (result == STEP_NEXT)
		call->step = registry_resume_recipient.again;
	return result;
}

/* ---- commit ---- */

static enum step_result suspension_commit(struct call *call)
{
	const struct suspension *suspension = call->state;
	if (call->awaited)
		return STEP_WAIT;
	if (!suspension->stored->count)
		return recipient_unknown(call);
	return train_board(call);
}

static enum boarding suspension_board(struct call *call, struct departure *departure)
{
	struct suspension *suspension = call->state;
	struct entry_draft draft;
	suspension->changed = suspension->stored->all[0]->suspended != suspension->suspend;
	if (!suspension->changed)
		return BOARD_NOTHING;
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_RECIPIENT_CHANGED);
	draft.entry.recipient_id = (char *)suspension->recipient_id;
	draft.entry.reason =
		suspension->suspend ? NEEDTOKNOW__V1__REASON__REASON_SUSPENDED : NEEDTOKNOW__V1__REASON__REASON_RESUMED;
	suspension->recorded = departure_entry(departure, &draft.entry);
	departure_write(departure, WRITE_RECIPIENT_SUSPENDED,
		(struct cell[]){ cell_text(suspension->recipient_id), cell_number(suspension->suspend),
			cell_number((int64_t)suspension->recorded.index) });
	departure_write(departure, WRITE_ENTRY_REFERENCE,
		(struct cell[]){ cell_number((int64_t)suspension->recorded.index), cell_bytes(NULL, 0), cell_text(NULL),
			cell_text(NULL), cell_text(suspension->recipient_id), cell_text(suspension->remark) });
	return BOARDED;
}

/* ---- close: its streams end, and what had not left this process ---- */

static enum step_result suspend_close(struct call *call)
{
	const struct suspension *suspension = call->state;
	queue_close(service_queues(call->service), suspension->recipient_id, NULL);
	return STEP_NEXT;
}

/* ---- reply ---- */

static Needtoknow__V1__Recipient *suspension_recipient(const struct suspension *suspension)
{
	Needtoknow__V1__Recipient *recipient = suspension->stored->all[0];
	recipient->suspended = suspension->suspend;
	return recipient;
}

static enum step_result suspend_reply(struct call *call)
{
	const struct suspension *suspension = call->state;
	Needtoknow__V1__SuspendRecipientResponse response = NEEDTOKNOW__V1__SUSPEND_RECIPIENT_RESPONSE__INIT;
	Needtoknow__V1__Receipt *receipt;
	response.recipient = suspension_recipient(suspension);
	if (suspension->changed) {
		receipt = receipt_message(call, &suspension->recorded);
		response.receipts = &receipt;
		response.n_receipts = 1;
	}
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

static enum step_result resume_reply(struct call *call)
{
	const struct suspension *suspension = call->state;
	Needtoknow__V1__ResumeRecipientResponse response = NEEDTOKNOW__V1__RESUME_RECIPIENT_RESPONSE__INIT;
	response.recipient = suspension_recipient(suspension);
	if (suspension->changed)
		response.receipt = receipt_message(call, &suspension->recorded);
	/* Its streams were for withdrawals alone. */
	queue_poke(service_queues(call->service), suspension->recipient_id);
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

const struct method registry_suspend_recipient = {
	.path = "/needtoknow.v1.RegistryService/SuspendRecipient",
	.role = ROLE_ADMIN,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__suspend_recipient_request__descriptor,
	.steps = { suspend_decode, suspension_ask, suspension_commit, suspend_close, suspension_clear, suspend_reply },
	.again = 1,
	.board = suspension_board,
	.train_class = TRAIN_CONTROL,
	.release = suspension_release,
};

const struct method registry_resume_recipient = {
	.path = "/needtoknow.v1.RegistryService/ResumeRecipient",
	.role = ROLE_ADMIN,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__resume_recipient_request__descriptor,
	.steps = { resume_decode, resume_ask, resume_clear, suspension_commit, resume_reply },
	.again = 1,
	.board = suspension_board,
	.train_class = TRAIN_CONTROL,
	.release = suspension_release,
};
