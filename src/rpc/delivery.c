#include "service/delivery.h"
#include "rpc/listing.h"
#include "rpc/methods.h"
#include "rpc/request.h"
#include "service/access.h"
#include "service/batch.h"
#include "service/queue.h"
#include "service/receive.h"
#include "service/service.h"
#include "service/train.h"
#include "sql.h"

#include <needtoknow/v1/delivery.pb-c.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_DEFAULT 64
#define WINDOW_MAX 1024
#define ITEMS_MAX 1000

/* ---- Receive ---- */

static enum step_result receive_decode(struct call *call)
{
	const Needtoknow__V1__ReceiveRequest *request = (const Needtoknow__V1__ReceiveRequest *)call->request;
	if (request->max_unacknowledged < 0 || request->max_unacknowledged > WINDOW_MAX) {
		request_refuse(
			call, "BAD_WINDOW_SIZE", "max_unacknowledged", "max_unacknowledged is 0 (for 64) to 1024");
		return STEP_DONE;
	}
	return receive_open(call, request->max_unacknowledged ? (uint32_t)request->max_unacknowledged : WINDOW_DEFAULT,
		request->until_empty);
}

const struct method delivery_receive = {
	.path = "/needtoknow.v1.DeliveryService/Receive",
	.role = ROLE_RECIPIENT,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__receive_request__descriptor,
	.steps = { receive_decode, receive_admit, receive_wait },
	.writable = receive_writable,
	.release = receive_close,
};

/* ---- ListAssigned ---- */

static enum step_result assigned_admit(struct call *call)
{
	struct access *access = call_alloc(call, sizeof *access);
	if (access)
		access_ask(call, access);
	call->state = access;
	return STEP_NEXT;
}

static enum step_result assigned_ask(struct call *call)
{
	const Needtoknow__V1__ListAssignedRequest *request = (const Needtoknow__V1__ListAssignedRequest *)call->request;
	if (call->awaited)
		return STEP_WAIT;
	if (access_is_barred(call->state))
		return access_refuse(call, call->state);
	return listing_ask(call, LISTING_BY_RECIPIENT_ACTIVE, call->name, request->page_size, request->page_token);
}

static enum step_result assigned_reply(struct call *call)
{
	Needtoknow__V1__ListAssignedResponse response = NEEDTOKNOW__V1__LIST_ASSIGNED_RESPONSE__INIT;
	if (call->awaited)
		return STEP_WAIT;
	response.disclosures = listing_messages(call, &response.n_disclosures, &response.next_page_token);
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

const struct method delivery_list_assigned = {
	.path = "/needtoknow.v1.DeliveryService/ListAssigned",
	.role = ROLE_RECIPIENT,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__list_assigned_request__descriptor,
	.steps = { assigned_admit, assigned_ask, assigned_reply },
};

/* ---- Acknowledge ---- */

struct acknowledged {
	struct delivery_key key;
	const char *id;
	bool ours, before; /* this recipient's, and for this device; acknowledged before, or twice in this request */
	struct disclosure disclosure;
	struct subject subject;
};

struct acknowledge {
	size_t count;
	struct acknowledged *items;
	struct access access;
	int32_t answered;
};

static void acknowledge_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct acknowledged *item = target;
	struct disclosure *disclosure = &item->disclosure;
	item->ours = true;
	item->before |= row_bool(result, row, 1);
	memcpy(disclosure->id, item->key.disclosure, sizeof disclosure->id);
	disclosure->recipient_id = call->name;
	disclosure->booking_id = row_text(result, row, 2, call);
	disclosure->service = row_text(result, row, 3, call);
	disclosure->policy_number = (int)row_int(result, row, 4);
	disclosure->expires_at = row_time(result, row, 5);
	subject_read(result, row, 6, &item->subject);
}

static const struct read_kind acknowledge_facts = {
	.statement = &sql_acknowledge_facts,
	.from = READ_STATE,
	.types = { PG_UUID, PG_INT2, PG_INT2, PG_TEXT, PG_TEXT },
	.row = acknowledge_row,
};

static enum step_result acknowledge_decode(struct call *call)
{
	const Needtoknow__V1__AcknowledgeRequest *request = (const Needtoknow__V1__AcknowledgeRequest *)call->request;
	struct acknowledge *acknowledge = call_alloc(call, sizeof *acknowledge);
	if (request->n_delivery_ids > ITEMS_MAX) {
		request_refuse(call, "TOO_MANY_ITEMS", "delivery_ids", "at most 1,000 delivery ids at once");
		return STEP_DONE;
	}
	if (!acknowledge)
		return STEP_NEXT;
	acknowledge->items = call_alloc(call, (request->n_delivery_ids + 1) * sizeof *acknowledge->items);
	call->state = acknowledge;
	for (size_t i = 0; acknowledge->items && i < request->n_delivery_ids; i++) {
		struct acknowledged *item = &acknowledge->items[acknowledge->count];
		if (!request_identifier(call, "delivery_ids", request->delivery_ids[i]))
			return STEP_DONE;
		item->id = request->delivery_ids[i];
		if (!delivery_id_parse(item->id, &item->key))
			acknowledge->count++; /* what is none of ours does not count */
	}
	return STEP_NEXT;
}

static enum step_result acknowledge_ask(struct call *call)
{
	struct acknowledge *acknowledge = call->state;
	call_key(call, KEY_RECIPIENT, call->name, strlen(call->name), KEY_SHARED);
	access_ask(call, &acknowledge->access);
	for (size_t i = 0; i < acknowledge->count; i++) {
		struct acknowledged *item = &acknowledge->items[i];
		item->ours = item->before = false;
		call_key(call, KEY_RELEASE, &item->key, offsetof(struct delivery_key, serial), KEY_EXCLUSIVE);
		batch_read(call, &acknowledge_facts, item,
			(struct cell[]){ cell_bytes(item->key.disclosure, 16), cell_number(item->key.release),
				cell_number(item->key.serial), cell_text(call->name), cell_text(call->device) });
	}
	return STEP_NEXT;
}

static int by_key(const void *left, const void *right)
{
	const struct acknowledged *const *a = left, *const *b = right;
	return memcmp(&(*a)->key, &(*b)->key, sizeof(*a)->key);
}

/* Named twice in one request it counts twice and is recorded once. */
static void mark_doubles(struct call *call, struct acknowledge *acknowledge)
{
	struct acknowledged **sorted = call_alloc(call, (acknowledge->count + 1) * sizeof *sorted);
	if (!sorted)
		return;
	for (size_t i = 0; i < acknowledge->count; i++)
		sorted[i] = &acknowledge->items[i];
	qsort(sorted, acknowledge->count, sizeof *sorted, by_key);
	for (size_t i = 1; i < acknowledge->count; i++)
		if (!by_key(&sorted[i], &sorted[i - 1]))
			sorted[i]->before = true;
}

static enum step_result acknowledge_gather(struct call *call)
{
	struct acknowledge *acknowledge = call->state;
	if (call->awaited)
		return STEP_WAIT;
	if (access_is_barred(&acknowledge->access))
		return access_refuse(call, &acknowledge->access);
	for (size_t i = 0; acknowledge->access.every_device && i < acknowledge->count; i++)
		release_device_key(call, &acknowledge->items[i].key, call->device);
	mark_doubles(call, acknowledge);
	return STEP_NEXT;
}

static enum step_result commit(struct call *call)
{
	return train_board(call);
}

static enum boarding acknowledge_board(struct call *call, struct departure *departure)
{
	struct acknowledge *acknowledge = call->state;
	bool boarded = false;
	acknowledge->answered = 0;
	for (size_t i = 0; i < acknowledge->count; i++) {
		struct acknowledged *item = &acknowledge->items[i];
		struct entry_draft draft;
		acknowledge->answered += item->ours;
		if (!item->ours || item->before)
			continue;
		entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_ACKNOWLEDGED);
		entry_disclosure(&draft, call, &item->disclosure, &item->subject);
		const struct rule *rule = disclosure_rule(call, &item->disclosure);
		if (rule && (size_t)item->key.release < rule->service->release_count)
			draft.entry.release = (char *)rule->service->releases[item->key.release].name;
		draft.entry.device = (char *)call->device;
		draft.entry.delivery_id = (char *)item->id;
		struct recorded recorded = departure_entry(departure, &draft.entry);
		departure_write(departure, WRITE_SENT_ACKNOWLEDGED,
			(struct cell[]){ cell_bytes(item->key.disclosure, 16), cell_number(item->key.release),
				cell_number(item->key.serial), cell_number((int64_t)recorded.index),
				cell_text(call->device) });
		boarded = true;
	}
	return boarded ? BOARDED : BOARD_NOTHING;
}

static enum step_result acknowledge_reply(struct call *call)
{
	const struct acknowledge *acknowledge = call->state;
	Needtoknow__V1__AcknowledgeResponse response = NEEDTOKNOW__V1__ACKNOWLEDGE_RESPONSE__INIT;
	for (size_t i = 0; i < acknowledge->count; i++)
		if (acknowledge->items[i].ours)
			queue_acknowledged(
				service_queues(call->service), call->name, call->device, &acknowledge->items[i].key);
	response.acknowledged = acknowledge->answered;
	return call_reply(call, &response.base);
}

const struct method delivery_acknowledge = {
	.path = "/needtoknow.v1.DeliveryService/Acknowledge",
	.role = ROLE_RECIPIENT,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__acknowledge_request__descriptor,
	.steps = { acknowledge_decode, acknowledge_ask, acknowledge_gather, commit, acknowledge_reply },
	.again = 1,
	.board = acknowledge_board,
	.train_class = TRAIN_DELIVERY,
};

/* ---- ConfirmDeletion ---- */

struct confirmed {
	uint8_t disclosure_id[16];
	const Needtoknow__V1__DeletionItem *item;
	int64_t until;
	bool ours, withdrawn, before;
	struct disclosure disclosure;
	struct subject subject;
};

struct confirm {
	size_t count;
	struct confirmed *items;
};

static void confirm_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct confirmed *item = target;
	struct disclosure *disclosure = &item->disclosure;
	item->ours = true;
	item->before = row_bool(result, row, 1);
	memcpy(disclosure->id, item->disclosure_id, sizeof disclosure->id);
	disclosure->recipient_id = call->name;
	disclosure->booking_id = row_text(result, row, 2, call);
	disclosure->service = row_text(result, row, 3, call);
	disclosure->policy_number = (int)row_int(result, row, 4);
	subject_read(result, row, 5, &item->subject);
	item->withdrawn = row_bool(result, row, 7);
	disclosure->expires_at = row_time(result, row, 8);
}

static const struct read_kind withdrawal_facts = {
	.statement = &sql_withdrawal_facts,
	.from = READ_STATE,
	.types = { PG_UUID, PG_TEXT, PG_TEXT },
	.row = confirm_row,
};

static bool confirm_check(struct call *call, struct confirmed *item)
{
	const Needtoknow__V1__DeletionItem *from = item->item;
	bool retained = from->outcome == NEEDTOKNOW__V1__DELETION_OUTCOME__DELETION_OUTCOME_RETAINED;
	if (!request_uuid(call, "items.disclosure_id", from->disclosure_id, item->disclosure_id) ||
		!request_enum(
			call, "items.outcome", &needtoknow__v1__deletion_outcome__descriptor, (int)from->outcome) ||
		!request_text(call, "items.ground", from->ground, 500) ||
		!request_time(call, "items.until", from->until, &item->until))
		return false;
	if (retained && !*from->ground)
		return request_refuse(
			call, "BAD_TEXT", "items.ground", "what is retained needs the law that it is retained under");
	return true;
}

static enum step_result confirm_decode(struct call *call)
{
	const Needtoknow__V1__ConfirmDeletionRequest *request =
		(const Needtoknow__V1__ConfirmDeletionRequest *)call->request;
	struct confirm *confirm = call_alloc(call, sizeof *confirm);
	if (request->n_items > ITEMS_MAX) {
		request_refuse(call, "TOO_MANY_ITEMS", "items", "at most 1,000 items at once");
		return STEP_DONE;
	}
	if (!confirm)
		return STEP_NEXT;
	confirm->items = call_alloc(call, (request->n_items + 1) * sizeof *confirm->items);
	call->state = confirm;
	for (; confirm->items && confirm->count < request->n_items; confirm->count++) {
		confirm->items[confirm->count].item = request->items[confirm->count];
		if (!confirm_check(call, &confirm->items[confirm->count]))
			return STEP_DONE;
	}
	return STEP_NEXT;
}

static enum step_result confirm_ask(struct call *call)
{
	const struct confirm *confirm = call->state;
	for (size_t i = 0; i < confirm->count; i++) {
		struct confirmed *item = &confirm->items[i];
		item->ours = item->withdrawn = item->before = false;
		call_key(call, KEY_DISCLOSURE, item->disclosure_id, sizeof item->disclosure_id, KEY_EXCLUSIVE);
		batch_read(call, &withdrawal_facts, item,
			(struct cell[]){
				cell_bytes(item->disclosure_id, 16), cell_text(call->name), cell_text(call->device) });
	}
	return STEP_NEXT;
}

static enum step_result confirm_gather(struct call *call)
{
	struct confirm *confirm = call->state;
	if (call->awaited)
		return STEP_WAIT;
	for (size_t i = 0; i < confirm->count; i++) {
		struct confirmed *item = &confirm->items[i];
		if (!item->ours)
			return call_refuse(call,
				&(struct status){ .code = GRPC_NOT_FOUND,
					.reason = "UNKNOWN_DISCLOSURE",
					.message = "there is no disclosure of that id",
					.metadata = { { "disclosure_id", item->item->disclosure_id } } });
		if (!item->withdrawn)
			return call_refuse(call,
				&(struct status){ .code = GRPC_FAILED_PRECONDITION,
					.reason = "NOT_WITHDRAWN",
					.message = "this disclosure was not withdrawn from this device",
					.metadata = { { "disclosure_id", item->item->disclosure_id } } });
		for (size_t j = 0; j < i; j++)
			if (!memcmp(item->disclosure_id, confirm->items[j].disclosure_id, 16))
				item->before = true;
	}
	return STEP_NEXT;
}

static enum boarding confirm_board(struct call *call, struct departure *departure)
{
	const struct confirm *confirm = call->state;
	bool boarded = false;
	for (size_t i = 0; i < confirm->count; i++) {
		const struct confirmed *item = &confirm->items[i];
		bool retained = item->item->outcome == NEEDTOKNOW__V1__DELETION_OUTCOME__DELETION_OUTCOME_RETAINED;
		struct entry_draft draft;
		if (item->before)
			continue;
		entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_DELETION_CONFIRMED);
		entry_disclosure(&draft, call, &item->disclosure, &item->subject);
		draft.entry.device = (char *)call->device;
		draft.entry.reason =
			retained ? NEEDTOKNOW__V1__REASON__REASON_RETAINED : NEEDTOKNOW__V1__REASON__REASON_DELETED;
		struct recorded recorded = departure_entry(departure, &draft.entry);
		departure_write(departure, WRITE_DELETION_CONFIRMED,
			(struct cell[]){ cell_bytes(item->disclosure_id, 16), cell_text(call->device),
				cell_number((int64_t)recorded.index), cell_number(departure_now(departure)),
				cell_number((int64_t)item->item->outcome),
				cell_text(retained ? item->item->ground : NULL), cell_number(item->until) });
		boarded = true;
	}
	return boarded ? BOARDED : BOARD_NOTHING;
}

static enum step_result confirm_reply(struct call *call)
{
	const struct confirm *confirm = call->state;
	Needtoknow__V1__ConfirmDeletionResponse response = NEEDTOKNOW__V1__CONFIRM_DELETION_RESPONSE__INIT;
	response.confirmed = (int32_t)confirm->count;
	return call_reply(call, &response.base);
}

const struct method delivery_confirm_deletion = {
	.path = "/needtoknow.v1.DeliveryService/ConfirmDeletion",
	.role = ROLE_RECIPIENT,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__confirm_deletion_request__descriptor,
	.steps = { confirm_decode, confirm_ask, confirm_gather, commit, confirm_reply },
	.again = 1,
	.board = confirm_board,
	.train_class = TRAIN_DELIVERY,
};
