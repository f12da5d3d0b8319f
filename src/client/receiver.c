#include <needtoknow/receiver.h>

#include "base/memory.h"
#include "client/backoff.h"
#include "client/endpoint.h"
#include "client/given.h"
#include "client/holding.h"
#include "client/outbox.h"
#include "client/status.h"
#include "pure/time.h"

#include <needtoknow/methods.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define RETRY_FIRST_MS 500
#define RETRY_LONGEST INT64_C(30000000)
#define STEADY INT64_C(10000000) /* a stream that lasted so long was good */
#define CALL_TIMEOUT INT64_C(30000000)
#define FAREWELL INT64_C(5000000) /* for what is owed when it is told to stop */
#define UNTIL_EMPTY_RETRIES 3 /* then whoever woke us may wake us again */
#define BATCH_MAX 1000 /* of Acknowledge and ConfirmDeletion */
#define LOOK_AGAIN INT64_C(10000000) /* at the clock: timers stand still while a phone sleeps */

/* One kind of debt: its items, the call that carries them, and when it may be tried again. */
struct debt {
	struct needtoknow_receiver *receiver;
	const struct needtoknow_method *method;
	struct outbox outbox;
	struct channel_call *call; /* NULL: none is on its way */
	size_t batch; /* at most so many items in the next call */
	bool holding;
	struct backoff backoff;
	struct loop_timer retry;
	uint8_t *(*pack)(const struct outbox *outbox, size_t *length);
};

struct needtoknow_receiver {
	struct endpoint endpoint;
	struct needtoknow_receiver_options options;
	struct needtoknow_receiver_handler handler;

	struct channel_call *stream; /* NULL: none */
	int64_t stream_since; /* loop_now() */
	bool ever_connected;
	struct backoff backoff;
	struct loop_timer retry;
	int64_t clock_ahead; /* the server's clock less since_boot(), microseconds */

	struct debt acknowledgements, confirmations;
	struct given given;
	struct holding holding;
	struct loop_timer expiry;

	bool running, finishing;
	struct needtoknow_status result;
	struct loop_timer farewell;
	struct loop_hook hook;
};

/* A clock that nobody sets, and that goes on while the machine sleeps. */
static int64_t since_boot(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * TIME_SECOND + now.tv_nsec / 1000;
}

/* By the server's clock, as its last message told it. */
static int64_t server_now(const struct needtoknow_receiver *receiver)
{
	return since_boot() + receiver->clock_ahead;
}

/* ---- what is owed ---- */

static uint8_t *pack_message(const ProtobufCMessage *message, size_t *length)
{
	*length = protobuf_c_message_get_packed_size(message);
	uint8_t *bytes = mem_alloc(*length + 1);
	protobuf_c_message_pack(message, bytes);
	return bytes;
}

static uint8_t *pack_acknowledgements(const struct outbox *outbox, size_t *length)
{
	Needtoknow__V1__AcknowledgeRequest request = NEEDTOKNOW__V1__ACKNOWLEDGE_REQUEST__INIT;
	struct outbox_item *item = outbox->first;

	request.delivery_ids = mem_calloc(outbox->sent, sizeof *request.delivery_ids);
	for (; request.n_delivery_ids < outbox->sent; item = item->next)
		request.delivery_ids[request.n_delivery_ids++] = item->id;
	uint8_t *bytes = pack_message(&request.base, length);
	mem_free(request.delivery_ids);
	return bytes;
}

static uint8_t *pack_confirmations(const struct outbox *outbox, size_t *length)
{
	Needtoknow__V1__ConfirmDeletionRequest request = NEEDTOKNOW__V1__CONFIRM_DELETION_REQUEST__INIT;
	struct outbox_item *owed = outbox->first;
	struct {
		Needtoknow__V1__DeletionItem item;
		Google__Protobuf__Timestamp until;
	} *items = mem_calloc(outbox->sent, sizeof *items);

	request.items = mem_calloc(outbox->sent, sizeof *request.items);
	for (; request.n_items < outbox->sent; owed = owed->next) {
		Needtoknow__V1__DeletionItem *item = &items[request.n_items].item;
		needtoknow__v1__deletion_item__init(item);
		item->disclosure_id = owed->id;
		item->outcome = NEEDTOKNOW__V1__DELETION_OUTCOME__DELETION_OUTCOME_DELETED;
		if (owed->ground != NULL) {
			item->outcome = NEEDTOKNOW__V1__DELETION_OUTCOME__DELETION_OUTCOME_RETAINED;
			item->ground = owed->ground;
			item->until = &items[request.n_items].until;
			time_to_timestamp(owed->until * TIME_SECOND, item->until);
		}
		request.items[request.n_items++] = item;
	}
	uint8_t *bytes = pack_message(&request.base, length);
	mem_free(request.items);
	mem_free(items);
	return bytes;
}

static void settle(struct debt *debt, bool done)
{
	struct needtoknow_receiver *receiver = debt->receiver;
	struct outbox_item *item;

	while ((item = outbox_settle(&debt->outbox)) != NULL) {
		if (debt == &receiver->confirmations && done && receiver->handler.on_confirmed != NULL)
			receiver->handler.on_confirmed(receiver->handler.context, item->id);
		outbox_item_free(item);
	}
}

static void on_debt_done(void *context, const struct channel_reply *reply)
{
	struct debt *debt = context;

	debt->call = NULL;
	if (reply->status->code == NEEDTOKNOW_OK) {
		settle(debt, true);
		backoff_reset(&debt->backoff);
		debt->batch = debt->batch * 2 < BATCH_MAX ? debt->batch * 2 : BATCH_MAX;
	} else if (needtoknow_status_transient(reply->status)) {
		outbox_return(&debt->outbox);
		debt->holding = true;
		loop_timer_set(&debt->retry, backoff_next(&debt->backoff));
	} else if (debt->outbox.sent > 1 && reply->status->code != NEEDTOKNOW_PERMISSION_DENIED) {
		/* One of them is refused: find out which, for the others' sake. */
		outbox_return(&debt->outbox);
		debt->batch = 1;
	} else {
		settle(debt, false);
	}
}

static void on_debt_retry(void *context)
{
	struct debt *debt = context;

	debt->holding = false;
}

static void pay(struct debt *debt)
{
	size_t length;

	if (debt->call != NULL || debt->holding || debt->outbox.count == 0)
		return;
	outbox_send(&debt->outbox, debt->batch);
	uint8_t *bytes = debt->pack(&debt->outbox, &length);
	const struct channel_request request = {
		.path = debt->method->path,
		.message = bytes,
		.length = length,
		.timeout = CALL_TIMEOUT,
		.done = on_debt_done,
		.context = debt,
	};
	debt->call = channel_start(debt->receiver->endpoint.channel, &request);
	mem_free(bytes);
}

static void debt_init(struct debt *debt, struct needtoknow_receiver *receiver, const struct needtoknow_method *method,
	uint8_t *(*pack)(const struct outbox *outbox, size_t *length))
{
	debt->receiver = receiver;
	debt->method = method;
	debt->pack = pack;
	debt->batch = BATCH_MAX;
	debt->backoff = (struct backoff){ RETRY_FIRST_MS * 1000, RETRY_LONGEST, 0 };
	loop_timer_init(&debt->retry, receiver->endpoint.loop, on_debt_retry, debt);
}

static void debt_release(struct debt *debt)
{
	loop_timer_release(&debt->retry);
	outbox_release(&debt->outbox);
}

/* ---- what comes ---- */

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void watch_expiry(struct needtoknow_receiver *receiver)
{
	int64_t next = holding_next_expiry(&receiver->holding);

	if (next == INT64_MAX)
		loop_timer_clear(&receiver->expiry);
	else
		loop_timer_set(&receiver->expiry, smaller(next - server_now(receiver), LOOK_AGAIN));
}

static void on_expiry(void *context)
{
	struct needtoknow_receiver *receiver = context;
	struct expired expired;

	while (holding_expire(&receiver->holding, server_now(receiver), &expired)) {
		if (receiver->handler.on_expiry != NULL)
			receiver->handler.on_expiry(
				receiver->handler.context, expired.disclosure_id, expired.booking_id, expired.count);
	}
	watch_expiry(receiver);
}

/* A repeat that crossed with our acknowledgement is nothing new to the app. One with other times is; so is one that was
 * wiped meanwhile. */
static bool nothing_new(const struct needtoknow_receiver *receiver, const Needtoknow__V1__Delivery *delivery)
{
	if (delivery->cause != NEEDTOKNOW__V1__DELIVERY_CAUSE__DELIVERY_CAUSE_REPEATED)
		return false;
	if (receiver->options.keep && !holding_has(&receiver->holding, delivery->delivery_id))
		return false;
	return given_has(&receiver->given, delivery);
}

/* What was recorded before the restriction and comes behind it: it is sent again once that is lifted. A later one says
 * that it is. */
static bool must_not_be_used(struct needtoknow_receiver *receiver, const Needtoknow__V1__Delivery *delivery)
{
	const uint64_t *since = holding_restricted(&receiver->holding, delivery->disclosure_id);

	return since != NULL && (delivery->receipt == NULL || delivery->receipt->ledger_index < *since);
}

/* True: the arena was taken over. */
static bool take_delivery(struct needtoknow_receiver *receiver, struct arena *arena, Needtoknow__V1__Delivery *delivery)
{
	bool again = nothing_new(receiver, delivery);

	if (must_not_be_used(receiver, delivery))
		return false;
	if (!again && receiver->handler.on_delivery(receiver->handler.context, delivery) != 0)
		return false;
	outbox_add(&receiver->acknowledgements.outbox, delivery->delivery_id, NULL, 0);
	if (again)
		return false;
	given_note(&receiver->given, delivery);
	if (!receiver->options.keep)
		return false;
	holding_put(&receiver->holding, arena, delivery);
	watch_expiry(receiver);
	return true;
}

static void take_withdrawal(struct needtoknow_receiver *receiver, const Needtoknow__V1__Withdrawal *withdrawal)
{
	struct needtoknow_deletion deletion = { 0 };
	struct outbox *outbox = &receiver->confirmations.outbox;

	if (outbox_has(outbox, withdrawal->disclosure_id))
		return;
	size_t wiped = holding_withdraw(&receiver->holding, withdrawal->disclosure_id);
	watch_expiry(receiver);
	receiver->handler.on_withdrawal(receiver->handler.context, withdrawal, wiped, &deletion);
	const char *ground = deletion.ground != NULL ? deletion.ground : "";
	outbox_add(outbox, withdrawal->disclosure_id, deletion.retained ? ground : NULL, deletion.until);
}

/* Each new stream tells it again: the app is told once. */
static void take_restriction(struct needtoknow_receiver *receiver, const Needtoknow__V1__Restriction *restriction)
{
	uint64_t index = restriction->receipt != NULL ? restriction->receipt->ledger_index : 0;

	if (!holding_restrict(&receiver->holding, restriction->disclosure_id, restriction->lifted, index))
		return;
	receiver->handler.on_restriction(receiver->handler.context, restriction);
	/* What has expired while it was restricted goes now. */
	on_expiry(receiver);
}

static void on_message(void *context, const uint8_t *bytes, size_t length)
{
	struct needtoknow_receiver *receiver = context;
	struct needtoknow_status status;
	struct arena *arena = arena_new(ENDPOINT_ARENA_MAX);
	const ProtobufCMessage *message =
		endpoint_unpack(needtoknow_method_receive.response, bytes, length, arena, &status);
	int64_t server_time;
	bool taken = false;

	if (message == NULL) { /* a newer server's: the next delivery may be one that we know */
		arena_free(arena);
		return;
	}
	const Needtoknow__V1__ReceiveResponse *response = (const Needtoknow__V1__ReceiveResponse *)message;
	backoff_reset(&receiver->backoff);
	if (time_from_timestamp(response->server_time, &server_time) == 0 && server_time != TIME_NONE)
		receiver->clock_ahead = server_time - since_boot();
	switch (response->event_case) {
	case NEEDTOKNOW__V1__RECEIVE_RESPONSE__EVENT_DELIVERY:
		taken = take_delivery(receiver, arena, response->delivery);
		break;
	case NEEDTOKNOW__V1__RECEIVE_RESPONSE__EVENT_WITHDRAWAL:
		take_withdrawal(receiver, response->withdrawal);
		break;
	case NEEDTOKNOW__V1__RECEIVE_RESPONSE__EVENT_RESTRICTION:
		take_restriction(receiver, response->restriction);
		break;
	default: /* an event that a newer server has */
		break;
	}
	if (!taken)
		arena_free(arena);
}

/* ---- the stream ---- */

static void finish(struct needtoknow_receiver *receiver)
{
	if (receiver->finishing)
		return;
	receiver->finishing = true;
	loop_timer_clear(&receiver->retry);
	loop_timer_set(&receiver->farewell, FAREWELL);
}

/* Would trying again mend it? */
static bool worth_retrying(const struct needtoknow_receiver *receiver, const struct needtoknow_status *status)
{
	if (receiver->options.until_empty && receiver->backoff.failures >= UNTIL_EMPTY_RETRIES)
		return false;
	if (status->code == NEEDTOKNOW_OK || needtoknow_status_transient(status))
		return true;
	/* Certificates are renewed, and sometimes in the wrong order: an app that has run for months outlives that. */
	return receiver->ever_connected &&
		(strcmp(status->reason, NEEDTOKNOW_REASON_SERVER_NOT_TRUSTED) == 0 ||
			strcmp(status->reason, NEEDTOKNOW_REASON_CLIENT_NOT_TRUSTED) == 0);
}

static void on_stream_done(void *context, const struct channel_reply *reply)
{
	struct needtoknow_receiver *receiver = context;
	const struct needtoknow_status *status = reply->status;

	receiver->stream = NULL;
	if (receiver->finishing)
		return;
	if (status->code == NEEDTOKNOW_OK && receiver->options.until_empty) {
		finish(receiver);
		return;
	}
	if (loop_now(receiver->endpoint.loop) - receiver->stream_since >= STEADY)
		backoff_reset(&receiver->backoff);
	if (!worth_retrying(receiver, status)) {
		receiver->result = *status;
		finish(receiver);
		return;
	}
	int64_t wait = backoff_next(&receiver->backoff);
	if (receiver->handler.on_connection != NULL)
		receiver->handler.on_connection(receiver->handler.context, status, (uint32_t)(wait / 1000));
	loop_timer_set(&receiver->retry, wait);
}

static void open_stream(void *context)
{
	struct needtoknow_receiver *receiver = context;
	Needtoknow__V1__ReceiveRequest message = NEEDTOKNOW__V1__RECEIVE_REQUEST__INIT;
	size_t length;

	message.max_unacknowledged = (int32_t)receiver->options.max_unacknowledged;
	message.until_empty = receiver->options.until_empty != 0;
	uint8_t *bytes = pack_message(&message.base, &length);
	const struct channel_request request = {
		.path = needtoknow_method_receive.path,
		.message = bytes,
		.length = length,
		.on_message = on_message,
		.done = on_stream_done,
		.context = receiver,
	};
	receiver->stream_since = loop_now(receiver->endpoint.loop);
	receiver->stream = channel_start(receiver->endpoint.channel, &request);
	mem_free(bytes);
}

static void on_connected(void *context)
{
	struct needtoknow_receiver *receiver = context;

	receiver->ever_connected = true;
	if (receiver->running && receiver->handler.on_connection != NULL)
		receiver->handler.on_connection(receiver->handler.context, NULL, 0);
}

/* ---- running ---- */

static int on_turn(void *context)
{
	struct needtoknow_receiver *receiver = context;

	if (!receiver->running)
		return 0;
	pay(&receiver->acknowledgements);
	pay(&receiver->confirmations);
	if (receiver->finishing && receiver->acknowledgements.outbox.count == 0 &&
		receiver->confirmations.outbox.count == 0)
		loop_stop(receiver->endpoint.loop);
	return 0;
}

static void on_farewell(void *context)
{
	struct needtoknow_receiver *receiver = context;

	loop_stop(receiver->endpoint.loop);
}

/* Asked to stop; and asked again, at once. */
static void on_stop(void *context)
{
	struct needtoknow_receiver *receiver = context;

	if (receiver->finishing)
		loop_stop(receiver->endpoint.loop);
	if (receiver->stream != NULL)
		channel_cancel(receiver->stream);
	receiver->stream = NULL;
	finish(receiver);
}

struct needtoknow_receiver *needtoknow_receiver_new(const struct needtoknow_options *options,
	const struct needtoknow_receiver_options *receiver_options, const struct needtoknow_receiver_handler *handler,
	struct needtoknow_status *status)
{
	struct needtoknow_receiver *receiver = mem_calloc(1, sizeof *receiver);
	struct endpoint *endpoint = &receiver->endpoint;

	if (endpoint_init(endpoint, options, on_stop, receiver, status) != 0) {
		mem_free(receiver);
		return NULL;
	}
	receiver->options = *receiver_options;
	receiver->handler = *handler;
	uint32_t retry_ms = receiver_options->retry_ms != 0 ? receiver_options->retry_ms : RETRY_FIRST_MS;
	receiver->backoff = (struct backoff){ (int64_t)retry_ms * 1000, RETRY_LONGEST, 0 };
	channel_watch(endpoint->channel, on_connected, receiver);
	loop_timer_init(&receiver->retry, endpoint->loop, open_stream, receiver);
	loop_timer_init(&receiver->expiry, endpoint->loop, on_expiry, receiver);
	loop_timer_init(&receiver->farewell, endpoint->loop, on_farewell, receiver);
	debt_init(&receiver->acknowledgements, receiver, &needtoknow_method_acknowledge, pack_acknowledgements);
	debt_init(&receiver->confirmations, receiver, &needtoknow_method_confirm_deletion, pack_confirmations);
	receiver->hook = (struct loop_hook){ .run = on_turn, .context = receiver };
	loop_hook_add(endpoint->loop, LOOP_PHASE_SERVICE, &receiver->hook);
	return receiver;
}

void needtoknow_receiver_free(struct needtoknow_receiver *receiver)
{
	if (receiver == NULL)
		return;
	loop_hook_remove(receiver->endpoint.loop, LOOP_PHASE_SERVICE, &receiver->hook);
	debt_release(&receiver->acknowledgements);
	debt_release(&receiver->confirmations);
	loop_timer_release(&receiver->retry);
	loop_timer_release(&receiver->expiry);
	loop_timer_release(&receiver->farewell);
	holding_release(&receiver->holding);
	given_release(&receiver->given);
	endpoint_release(&receiver->endpoint);
	mem_free(receiver);
}

int needtoknow_receiver_run(struct needtoknow_receiver *receiver, struct needtoknow_status *status)
{
	client_status_clear(&receiver->result);
	receiver->running = true;
	receiver->finishing = false;
	open_stream(receiver);
	if (loop_run(receiver->endpoint.loop) != 0)
		client_status_set(&receiver->result, NEEDTOKNOW_INTERNAL, NULL, "the event loop failed");
	receiver->running = false;
	loop_timer_clear(&receiver->farewell);
	loop_timer_clear(&receiver->retry);
	if (receiver->stream != NULL)
		channel_cancel(receiver->stream);
	receiver->stream = NULL;
	*status = receiver->result;
	return status->code == NEEDTOKNOW_OK ? 0 : -1;
}

void needtoknow_receiver_stop(struct needtoknow_receiver *receiver)
{
	endpoint_wake(&receiver->endpoint);
}

void needtoknow_receiver_visit(struct needtoknow_receiver *receiver,
	int (*visit)(void *context, const Needtoknow__V1__Delivery *delivery), void *context)
{
	for (const struct held *held = receiver->holding.first; held != NULL; held = held->next) {
		if (holding_restricted(&receiver->holding, held->delivery->disclosure_id) != NULL)
			continue;
		if (visit(context, held->delivery) != 0)
			return;
	}
}
