#include "pure/identity.h"
#include "pure/time.h"
#include "rpc/methods.h"
#include "rpc/recipient_message.h"
#include "rpc/request.h"
#include "service/batch.h"
#include "service/disclosure.h"
#include "service/queue.h"
#include "service/service.h"
#include "service/train.h"
#include "sql.h"

#include <needtoknow/v1/registry.pb-c.h>

#include <stdio.h>
#include <string.h>

#define DISPLAY_NAME_MAX 200
#define SERVICES_MAX 200
#define DEVICES_MAX 1000

/* ---- PutRecipient ---- */

struct put {
	const Needtoknow__V1__Recipient *recipient;
	int64_t agreement_from, agreement_until;
	Needtoknow__V1__DeliverTo deliver_to;
	char *services; /* a line each, as the statement takes them */
	struct recorded recorded;
	struct recipients *before, *stored;
};

static bool put_check_services(struct call *call, struct put *put)
{
	const Needtoknow__V1__Recipient *recipient = put->recipient;
	size_t length = 1;
	if (recipient->n_services > SERVICES_MAX)
		return request_refuse(call, "TOO_MANY_ITEMS", "recipient.services", "at most 200 services");
	for (size_t i = 0; i < recipient->n_services; i++) {
		if (!request_identifier(call, "recipient.services", recipient->services[i]))
			return false;
		length += strlen(recipient->services[i]) + 1;
	}
	put->services = call_alloc(call, length);
	for (size_t i = 0, at = 0; put->services && i < recipient->n_services; i++)
		at += (size_t)snprintf(put->services + at, length - at, "%s%s", i ? "\n" : "", recipient->services[i]);
	return true;
}

static bool put_check(struct call *call, struct put *put)
{
	const Needtoknow__V1__Recipient *recipient = put->recipient;
	if (!recipient) {
		call_refuse_identifier(call, "recipient");
		return false;
	}
	if (!request_identifier(call, "recipient.recipient_id", recipient->recipient_id))
		return false;
	if (!recipient_name_can_be_certified(recipient->recipient_id))
		return request_refuse(call, "BAD_IDENTIFIER", "recipient.recipient_id",
			"a recipient's id stands in its certificate's SPIFFE id: letters, digits, `.`, `-` and `_`");
	if (!request_enum(call, "recipient.kind", &needtoknow__v1__recipient_kind__descriptor, (int)recipient->kind) ||
		!request_identifier(call, "recipient.display_name", *recipient->display_name ? "x" : "") ||
		!request_text(call, "recipient.display_name", recipient->display_name, DISPLAY_NAME_MAX) ||
		!request_identifier(call, "recipient.agreement_ref", recipient->agreement_ref) ||
		!put_check_services(call, put) ||
		!request_time(call, "recipient.agreement_from", recipient->agreement_from, &put->agreement_from) ||
		!request_time(call, "recipient.agreement_until", recipient->agreement_until, &put->agreement_until))
		return false;
	if (put->agreement_from == TIME_NONE)
		return request_refuse(call, "BAD_TIMESTAMP", "recipient.agreement_from",
			"an agreement (art. 28) begins at some time: agreement_from must be given");
	if (put->agreement_until == TIME_NONE)
		put->agreement_until = INT64_MAX;
	if (put->agreement_until <= put->agreement_from)
		return request_refuse(
			call, "BAD_TIMESTAMP", "recipient.agreement_until", "an agreement must end after it begins");
	if (recipient->deliver_to &&
		!request_enum(call, "recipient.deliver_to", &needtoknow__v1__deliver_to__descriptor,
			(int)recipient->deliver_to))
		return false;
	put->deliver_to =
		recipient->deliver_to ? recipient->deliver_to : NEEDTOKNOW__V1__DELIVER_TO__DELIVER_TO_ANY_DEVICE;
	return true;
}

static enum step_result put_decode(struct call *call)
{
	const Needtoknow__V1__PutRecipientRequest *request = (const Needtoknow__V1__PutRecipientRequest *)call->request;
	struct put *put = call_alloc(call, sizeof *put);
	if (!put)
		return STEP_NEXT;
	put->recipient = request->recipient;
	call->state = put;
	return put_check(call, put) ? STEP_NEXT : STEP_DONE;
}

static enum step_result put_ask(struct call *call)
{
	struct put *put = call->state;
	const char *id = put->recipient->recipient_id;
	call_key(call, KEY_RECIPIENT, id, strlen(id), KEY_EXCLUSIVE);
	put->before = recipients_new(call, 1);
	if (put->before)
		batch_read(call, &recipient_by_id, put->before, (struct cell[]){ cell_text(id) });
	return STEP_NEXT;
}

static enum step_result put_gather(struct call *call)
{
	return call->awaited ? STEP_WAIT : STEP_NEXT;
}

static enum step_result put_commit(struct call *call)
{
	return train_board(call);
}

/* What waits is arranged anew when it is to go to others than before. */
static void board_deliver_to(struct departure *departure, const struct put *put)
{
	bool every = put->deliver_to == NEEDTOKNOW__V1__DELIVER_TO__DELIVER_TO_EVERY_DEVICE;
	if (put->before->count && put->before->all[0]->deliver_to != put->deliver_to)
		departure_write(departure, every ? WRITE_EVERY_DEVICE : WRITE_ANY_DEVICE,
			(struct cell[]){ cell_text(put->recipient->recipient_id) });
}

static enum boarding put_board(struct call *call, struct departure *departure)
{
	struct put *put = call->state;
	const Needtoknow__V1__Recipient *recipient = put->recipient;
	struct entry_draft draft;
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_RECIPIENT_CHANGED);
	draft.entry.recipient_id = recipient->recipient_id;
	put->recorded = departure_entry(departure, &draft.entry);
	departure_write(departure, WRITE_RECIPIENT,
		(struct cell[]){ cell_text(recipient->recipient_id), cell_number((int64_t)recipient->kind),
			cell_text(recipient->display_name), cell_text(*put->services ? put->services : NULL),
			cell_text(recipient->agreement_ref), cell_number(put->agreement_from),
			cell_number(put->agreement_until), cell_number((int64_t)put->deliver_to),
			cell_number((int64_t)put->recorded.index) });
	board_deliver_to(departure, put);
	departure_write(departure, WRITE_ENTRY_REFERENCE,
		(struct cell[]){ cell_number((int64_t)put->recorded.index), cell_bytes(NULL, 0), cell_text(NULL),
			cell_text(NULL), cell_text(recipient->recipient_id), cell_text(NULL) });
	return BOARDED;
}

/* What is stored is what is answered: it is read again. */
static enum step_result put_read(struct call *call)
{
	struct put *put = call->state;
	queue_poke(service_queues(call->service), put->recipient->recipient_id);
	struct recipients *stored = recipients_new(call, 1);
	if (!stored)
		return STEP_NEXT;
	put->stored = stored;
	batch_read(call, &recipient_by_id, stored, (struct cell[]){ cell_text(put->recipient->recipient_id) });
	return STEP_NEXT;
}

static enum step_result put_reply(struct call *call)
{
	const struct put *put = call->state;
	Needtoknow__V1__PutRecipientResponse response = NEEDTOKNOW__V1__PUT_RECIPIENT_RESPONSE__INIT;
	if (call->awaited)
		return STEP_WAIT;
	response.recipient = put->stored->count ? put->stored->all[0] : NULL;
	response.receipt = receipt_message(call, &put->recorded);
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

const struct method registry_put_recipient = {
	.path = "/needtoknow.v1.RegistryService/PutRecipient",
	.role = ROLE_ADMIN,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__put_recipient_request__descriptor,
	.steps = { put_decode, put_ask, put_gather, put_commit, put_read, put_reply },
	.again = 1,
	.board = put_board,
	.train_class = TRAIN_CONTROL,
};

/* ---- GetRecipient: with its devices ---- */

struct get {
	struct recipients *recipients;
	Needtoknow__V1__Device *devices[DEVICES_MAX];
	size_t device_count;
};

static void device_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct get *get = target;
	Needtoknow__V1__Device *device = call_alloc(call, sizeof *device);
	if (!device || get->device_count == DEVICES_MAX)
		return;
	needtoknow__v1__device__init(device);
	device->device = (char *)row_text(result, row, 1, call);
	device->first_seen_at = timestamp_message(call, row_time(result, row, 2));
	device->revoked_at = timestamp_message(call, row_time(result, row, 3));
	get->devices[get->device_count++] = device;
}

static const struct read_kind devices_of_recipient = {
	.statement = &sql_devices_of_recipient,
	.from = READ_STATE,
	.types = { PG_TEXT, PG_INT4 },
	.row = device_row,
};

static enum step_result get_decode(struct call *call)
{
	const Needtoknow__V1__GetRecipientRequest *request = (const Needtoknow__V1__GetRecipientRequest *)call->request;
	if (!request_identifier(call, "recipient_id", request->recipient_id))
		return STEP_DONE;
	struct get *get = call_alloc(call, sizeof *get);
	if (!get || !(get->recipients = recipients_new(call, 1)))
		return STEP_NEXT;
	call->state = get;
	batch_read(call, &recipient_by_id, get->recipients, (struct cell[]){ cell_text(request->recipient_id) });
	batch_read(call, &devices_of_recipient, get,
		(struct cell[]){ cell_text(request->recipient_id), cell_number(DEVICES_MAX) });
	return STEP_NEXT;
}

static enum step_result get_reply(struct call *call)
{
	struct get *get = call->state;
	Needtoknow__V1__GetRecipientResponse response = NEEDTOKNOW__V1__GET_RECIPIENT_RESPONSE__INIT;
	if (call->awaited)
		return STEP_WAIT;
	if (!get->recipients->count)
		return recipient_unknown(call);
	response.recipient = get->recipients->all[0];
	response.devices = get->devices;
	response.n_devices = get->device_count;
	return call_reply(call, &response.base);
}

const struct method registry_get_recipient = {
	.path = "/needtoknow.v1.RegistryService/GetRecipient",
	.role = ROLE_ADMIN,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__get_recipient_request__descriptor,
	.steps = { get_decode, get_reply },
};

/* ---- ListRecipients: by id ---- */

#define POSITION_LENGTH (IDENTITY_NAME_MAX + 1)

static enum step_result list_decode(struct call *call)
{
	const Needtoknow__V1__ListRecipientsRequest *request =
		(const Needtoknow__V1__ListRecipientsRequest *)call->request;
	char after[POSITION_LENGTH] = "";
	int32_t page_size;
	bool found;
	if (!request_page_size(call, request->page_size, &page_size) ||
		!request_page_token(call, request->page_token, "", 0, after, sizeof after, &found))
		return STEP_DONE;
	struct recipients *recipients = recipients_new(call, (size_t)page_size + 1);
	if (!recipients)
		return STEP_NEXT;
	call->state = recipients;
	recipients->page_size = page_size;
	batch_read(
		call, &recipients_after, recipients, (struct cell[]){ cell_text(after), cell_number(page_size + 1) });
	return STEP_NEXT;
}

static enum step_result list_reply(struct call *call)
{
	const struct recipients *recipients = call->state;
	Needtoknow__V1__ListRecipientsResponse response = NEEDTOKNOW__V1__LIST_RECIPIENTS_RESPONSE__INIT;
	if (call->awaited)
		return STEP_WAIT;
	bool more = recipients->count > (size_t)recipients->page_size;
	response.recipients = recipients->all;
	response.n_recipients = more ? (size_t)recipients->page_size : recipients->count;
	if (more) {
		char position[POSITION_LENGTH] = "";
		const char *last = recipients->all[response.n_recipients - 1]->recipient_id;
		memcpy(position, last, strnlen(last, sizeof position - 1));
		response.next_page_token = reply_page_token(call, "", 0, position, sizeof position);
	}
	return call_reply(call, &response.base);
}

const struct method registry_list_recipients = {
	.path = "/needtoknow.v1.RegistryService/ListRecipients",
	.role = ROLE_ADMIN,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__list_recipients_request__descriptor,
	.steps = { list_decode, list_reply },
};
