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

/*
 * RevokeDevice: a lost phone. From the train on that revokes it nothing is sent to it; then it is ordered to delete
 * what it was sent of all that is live, and what it had not acknowledged is free for the recipient's other devices. The
 * answer comes when all of that is recorded. One that was never seen may be revoked, too.
 */
struct revocation {
	const char *recipient_id, *device;
	bool known; /* the recipient */
	bool revoked; /* already */
	struct recorded recorded;
	bool clearing_began;
	struct clearing clearing;
};

/* ---- decode ---- */

static enum step_result revoke_decode(struct call *call)
{
	const Needtoknow__V1__RevokeDeviceRequest *request = (const Needtoknow__V1__RevokeDeviceRequest *)call->request;
	struct revocation *revocation;
	if (!request_identifier(call, "recipient_id", request->recipient_id) ||
		!request_identifier(call, "device", request->device))
		return STEP_DONE;
	if (!recipient_name_can_be_certified(request->device)) {
		request_refuse(call, "BAD_IDENTIFIER", "device",
			"a device's name stands in its certificate's SPIFFE id: letters, digits, `.`, `-` and `_`");
		return STEP_DONE;
	}
	revocation = call_alloc(call, sizeof *revocation);
	if (!revocation)
		return STEP_NEXT;
	revocation->recipient_id = request->recipient_id;
	revocation->device = request->device;
	call->state = revocation;
	return STEP_NEXT;
}

/* ---- ask ---- */

static void device_state_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct revocation *revocation = target;
	(void)call;
	revocation->known = true;
	revocation->revoked = row_bool(result, row, 1);
}

static const struct read_kind device_state = {
	.statement = &sql_device_state,
	.from = READ_STATE,
	.types = { PG_TEXT, PG_TEXT },
	.row = device_state_row,
};

static enum step_result revoke_ask(struct call *call)
{
	struct revocation *revocation = call->state;
	revocation->known = revocation->revoked = false;
	call_key(call, KEY_RECIPIENT, revocation->recipient_id, strlen(revocation->recipient_id), KEY_EXCLUSIVE);
	batch_read(call, &device_state, revocation,
		(struct cell[]){ cell_text(revocation->recipient_id), cell_text(revocation->device) });
	return STEP_NEXT;
}

/* ---- commit ---- */

static enum step_result revoke_commit(struct call *call)
{
	const struct revocation *revocation = call->state;
	if (call->awaited)
		return STEP_WAIT;
	if (!revocation->known)
		return recipient_unknown(call);
	return train_board(call);
}

static enum boarding revoke_board(struct call *call, struct departure *departure)
{
	struct revocation *revocation = call->state;
	struct entry_draft draft;
	if (revocation->revoked)
		return BOARD_NOTHING;
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_RECIPIENT_CHANGED);
	draft.entry.recipient_id = (char *)revocation->recipient_id;
	draft.entry.device = (char *)revocation->device;
	draft.entry.reason = NEEDTOKNOW__V1__REASON__REASON_DEVICE_REVOKED;
	revocation->recorded = departure_entry(departure, &draft.entry);
	departure_write(departure, WRITE_DEVICE_REVOKED,
		(struct cell[]){ cell_text(revocation->recipient_id), cell_text(revocation->device),
			cell_number(departure_now(departure)), cell_number((int64_t)revocation->recorded.index) });
	departure_write(departure, WRITE_ENTRY_REFERENCE,
		(struct cell[]){ cell_number((int64_t)revocation->recorded.index), cell_bytes(NULL, 0), cell_text(NULL),
			cell_text(NULL), cell_text(revocation->recipient_id), cell_text(NULL) });
	return BOARDED;
}

/* ---- clear: its streams end, and it is ordered to delete what it has ---- */

static void revoke_cleared(void *context)
{
	call_run(context);
}

static enum step_result revoke_clear(struct call *call)
{
	struct revocation *revocation = call->state;
	if (!revocation->clearing_began) {
		revocation->clearing_began = true;
		queue_close(service_queues(call->service), revocation->recipient_id, revocation->device);
		clearing_start(&revocation->clearing, call->service, END_DEVICE, revocation->recipient_id,
			revocation->device, revoke_cleared, call);
	}
	if (revocation->clearing.running)
		return STEP_WAIT;
	if (!revocation->clearing.complete)
		call_fail(call, GRPC_UNAVAILABLE, "DATABASE_UNAVAILABLE",
			"the device is revoked and gets nothing, but is not ordered yet to delete all that it has: it "
			"will be; call again to be told when it is");
	return STEP_NEXT;
}

static void revoke_release(struct call *call)
{
	struct revocation *revocation = call->state;
	if (revocation)
		clearing_forget(&revocation->clearing);
}

/* ---- reply ---- */

static enum step_result revoke_reply(struct call *call)
{
	const struct revocation *revocation = call->state;
	Needtoknow__V1__RevokeDeviceResponse response = NEEDTOKNOW__V1__REVOKE_DEVICE_RESPONSE__INIT;
	Needtoknow__V1__Receipt *receipt;
	if (!revocation->revoked) {
		receipt = receipt_message(call, &revocation->recorded);
		response.receipts = &receipt;
		response.n_receipts = 1;
	}
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

const struct method registry_revoke_device = {
	.path = "/needtoknow.v1.RegistryService/RevokeDevice",
	.role = ROLE_ADMIN,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__revoke_device_request__descriptor,
	.steps = { revoke_decode, revoke_ask, revoke_commit, revoke_clear, revoke_reply },
	.again = 1,
	.board = revoke_board,
	.train_class = TRAIN_CONTROL,
	.release = revoke_release,
};
