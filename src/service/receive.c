#include "service/receive.h"

#include "pure/time.h"
#include "service/access.h"
#include "service/delivery.h"
#include "service/service.h"
#include "service/train.h"
#include "sql.h"

#include <needtoknow/v1/delivery.pb-c.h>

#include <string.h>

/* On a stream's way at once, well below what a connection may have queued. */
#define WITHDRAWALS_AT_ONCE 256
/* By then no value is left in a worker, even where a clock is a little off. */
#define WITHDRAWN_LONG_AGO (5 * DELIVERY_VALUES_LIFE)

struct receive {
	struct listener *listener;
	struct subscription *subscription; /* NULL: it gets no deliveries, or not yet */
	struct arrival *arrival; /* its device is becoming known */
	struct access access;
	bool barred, over; /* withdrawals alone; it has been ended */
	int64_t seen; /* the entry of the last order that was sent on this stream; -1: none */
	bool asking, news;
	unsigned rows; /* of the last answer */
	uint32_t window;
	bool until_empty;
};

static void order_row(struct call *call, void *target, const PGresult *result, int row);

static const struct read_kind orders_of_device = {
	.statement = &sql_orders_of_device,
	.from = READ_STATE,
	.types = { PG_TEXT, PG_TEXT, PG_INT8, PG_INT4 },
	.row = order_row,
};

static void send_order(struct call *call, Needtoknow__V1__ReceiveResponse *response)
{
	Google__Protobuf__Timestamp now;
	uint8_t bytes[1024];
	time_to_timestamp(service_guess_time(call->service), &now);
	response->server_time = &now;
	size_t length = needtoknow__v1__receive_response__get_packed_size(response);
	if (length > sizeof bytes)
		return; /* identifiers are at most 128 bytes: it never is */
	needtoknow__v1__receive_response__pack(response, bytes);
	server_stream_send(call->stream, bytes, length);
	queue_count(service_queues(call->service))->withdrawals++;
}

static void send_withdrawal(
	struct call *call, const PGresult *result, int row, char disclosure_id[], Needtoknow__V1__Receipt *receipt)
{
	Needtoknow__V1__ReceiveResponse response = NEEDTOKNOW__V1__RECEIVE_RESPONSE__INIT;
	Needtoknow__V1__Withdrawal withdrawal = NEEDTOKNOW__V1__WITHDRAWAL__INIT;
	Google__Protobuf__Timestamp delete_by;
	char booking_id[IDENTIFIER_MAX + 1] = "";
	if (!row_is_null(result, row, 2) && PQgetlength(result, row, 2) <= IDENTIFIER_MAX)
		memcpy(booking_id, PQgetvalue(result, row, 2), (size_t)PQgetlength(result, row, 2));
	time_to_timestamp(row_time(result, row, 4), &delete_by);
	withdrawal.disclosure_id = disclosure_id;
	withdrawal.booking_id = booking_id;
	withdrawal.cause = (Needtoknow__V1__WithdrawalCause)row_int(result, row, 3);
	withdrawal.delete_by = &delete_by;
	withdrawal.receipt = receipt;
	response.event_case = NEEDTOKNOW__V1__RECEIVE_RESPONSE__EVENT_WITHDRAWAL;
	response.withdrawal = &withdrawal;
	send_order(call, &response);
}

static void send_restriction(struct call *call, bool lifted, char disclosure_id[], Needtoknow__V1__Receipt *receipt)
{
	Needtoknow__V1__ReceiveResponse response = NEEDTOKNOW__V1__RECEIVE_RESPONSE__INIT;
	Needtoknow__V1__Restriction restriction = NEEDTOKNOW__V1__RESTRICTION__INIT;
	restriction.disclosure_id = disclosure_id;
	restriction.lifted = lifted;
	restriction.receipt = receipt;
	response.event_case = NEEDTOKNOW__V1__RECEIVE_RESPONSE__EVENT_RESTRICTION;
	response.restriction = &restriction;
	send_order(call, &response);
}

/* Another worker may have ended or restricted it: what has not left here yet does not leave any more (P4), and is not
 * waited for. None of what was recorded so long ago is still here. What is withdrawn from a revoked device alone,
 * others keep. */
static void drop_withdrawn(struct call *call, const uint8_t disclosure_id[16], int64_t recorded_at)
{
	const struct receive *receive = call->state;
	struct queues *queues = service_queues(call->service);
	if (receive->access.revoked || recorded_at < service_guess_time(call->service) - WITHDRAWN_LONG_AGO)
		return;
	queue_drop(queues, disclosure_id);
	queue_ended(queues, call->name, disclosure_id);
}

/* No memory of the call's is taken: it lives as long as the stream. */
static void order_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct receive *receive = target;
	Needtoknow__V1__Receipt receipt = NEEDTOKNOW__V1__RECEIPT__INIT;
	Google__Protobuf__Timestamp recorded_at;
	uint8_t id[16];
	char disclosure_id[UUID_TEXT_LENGTH + 1];
	bool withdrawn = row_is_null(result, row, 8), lifted = row_bool(result, row, 8);

	if (!call->stream || row_bytes(result, row, 1, id, sizeof id))
		return;
	uuid_format(id, disclosure_id);
	time_to_timestamp(row_time(result, row, 6), &recorded_at);
	receipt.ledger_index = (uint64_t)row_int(result, row, 5);
	receipt.recorded_at = &recorded_at;
	receipt.leaf_hash.len = (size_t)PQgetlength(result, row, 7);
	receipt.leaf_hash.data = (uint8_t *)PQgetvalue(result, row, 7);
	receive->seen = (int64_t)receipt.ledger_index;
	receive->rows++;
	if (withdrawn || !lifted)
		drop_withdrawn(call, id, row_time(result, row, 6));
	if (withdrawn)
		send_withdrawal(call, result, row, disclosure_id, &receipt);
	else if (!receive->barred)
		send_restriction(call, lifted, disclosure_id, &receipt);
}

static void ask(struct call *call)
{
	struct receive *receive = call->state;
	receive->news = false;
	receive->asking = true;
	receive->rows = 0;
	if (receive->barred)
		access_ask(call, &receive->access);
	batch_read(call, &orders_of_device, receive,
		(struct cell[]){ cell_text(call->name), cell_text(call->device), cell_number(receive->seen),
			cell_number(WITHDRAWALS_AT_ONCE) });
}

enum step_result receive_open(struct call *call, uint32_t window, bool until_empty)
{
	struct receive *receive = call_alloc(call, sizeof *receive);
	if (!receive)
		return STEP_NEXT;
	receive->window = window;
	receive->until_empty = until_empty;
	receive->seen = -1;
	receive->asking = true;
	receive->listener = queue_listen(call);
	call->state = receive;
	access_ask(call, &receive->access);
	return STEP_NEXT;
}

/* ---- a device that is seen for the first time ---- */

struct arrival {
	struct call *receive; /* NULL once the stream has gone */
	const char *recipient_id, *device;
};

static enum step_result arrival_commit(struct call *call)
{
	return train_board(call);
}

static enum boarding arrival_board(struct call *call, struct departure *departure)
{
	const struct arrival *arrival = call->state;
	access_board_device(departure, arrival->recipient_id, arrival->device);
	return BOARDED;
}

static enum step_result arrival_done(struct call *call)
{
	(void)call;
	return STEP_DONE;
}

static void arrival_failed(struct call *call)
{
	const struct arrival *arrival = call->state;
	if (arrival->receive)
		call_fail(arrival->receive, call->status.code, call->status.reason, call->status.message);
}

static void arrival_release(struct call *call)
{
	const struct arrival *arrival = call->state;
	if (!arrival->receive)
		return;
	struct receive *receive = arrival->receive->state;
	receive->arrival = NULL;
	receive->access.known = true;
	call_run(arrival->receive);
}

static const struct method arrival_method = {
	.steps = { arrival_commit, arrival_done },
	.board = arrival_board,
	.train_class = TRAIN_DELIVERY,
	.failed = arrival_failed,
	.release = arrival_release,
};

static void arrive(struct call *receive)
{
	struct call *call = call_new_own(receive->service, &arrival_method);
	struct arrival *arrival = call_alloc(call, sizeof *arrival);
	arrival->receive = receive;
	arrival->recipient_id = arena_strdup(call->arena, receive->name);
	arrival->device = arena_strdup(call->arena, receive->device);
	((struct receive *)receive->state)->arrival = arrival;
	call->state = arrival;
	call_run(call);
}

enum step_result receive_admit(struct call *call)
{
	struct receive *receive = call->state;
	if (call->awaited || receive->arrival)
		return STEP_WAIT;
	receive->barred = access_is_barred(&receive->access);
	if (receive->barred)
		listener_bar(receive->listener);
	if (!receive->barred && !receive->access.known) {
		arrive(call);
		/* It may have failed at once. */
		return receive->arrival ? STEP_WAIT : STEP_NEXT;
	}
	ask(call);
	return STEP_NEXT;
}

/* ---- its life ---- */

static void wait_barred(struct call *call)
{
	const struct receive *receive = call->state;
	if (!access_is_barred(&receive->access))
		receive_leave(call, RECEIVE_CHANGED);
	else if (receive->until_empty && !receive->news)
		receive_finish(call);
}

enum step_result receive_wait(struct call *call)
{
	struct receive *receive = call->state;
	if (call->awaited || receive->over)
		return STEP_WAIT;
	receive->asking = false;
	/* A full answer has more behind it: they are asked for when these have left. */
	if (receive->rows == WITHDRAWALS_AT_ONCE)
		return STEP_WAIT;
	if (!receive->subscription && queues_draining(service_queues(call->service)))
		receive_leave(call, RECEIVE_DRAINING);
	else if (receive->barred)
		wait_barred(call);
	else if (!receive->subscription)
		receive->subscription = queue_subscribe(
			call, access_queue(&receive->access, call), receive->window, receive->until_empty);
	if (receive->news && !receive->over)
		ask(call);
	return STEP_WAIT;
}

void receive_close(struct call *call)
{
	struct receive *receive = call->state;
	if (!receive)
		return;
	if (receive->arrival)
		receive->arrival->receive = NULL;
	if (receive->subscription)
		queue_unsubscribe(receive->subscription);
	queue_unlisten(receive->listener);
}

void receive_news(struct call *call)
{
	struct receive *receive = call->state;
	receive->news = true;
	if (!receive->asking && !receive->over)
		ask(call);
}

static void finish(struct call *call, const struct status *status)
{
	struct receive *receive = call->state;
	receive->over = true;
	if (call->stream)
		server_stream_finish(call->stream, status);
}

void receive_finish(struct call *call)
{
	static const struct status ok = { .code = GRPC_OK };
	finish(call, &ok);
}

void receive_leave(struct call *call, enum receive_leaving why)
{
	static const struct status statuses[] = {
		[RECEIVE_DRAINING] = { .code = GRPC_UNAVAILABLE,
			.reason = "DRAINING",
			.message = "the service is being restarted; connect again" },
		[RECEIVE_CHANGED] = { .code = GRPC_UNAVAILABLE,
			.reason = "RECIPIENT_CHANGED",
			.message = "this recipient is served otherwise from now on; connect again" },
	};
	finish(call, &statuses[why]);
}

void receive_writable(struct call *call)
{
	struct receive *receive = call->state;
	if (receive && receive->rows == WITHDRAWALS_AT_ONCE && !receive->asking && !receive->over)
		ask(call);
	if (receive && receive->subscription)
		queue_writable(receive->subscription);
}

/* ---- a delivery that nobody is left to acknowledge may be repeated at once ---- */

struct freed {
	struct delivery_key key;
	struct queue *queue;
	const char *device;
};

static enum step_result freed_commit(struct call *call)
{
	return train_board(call);
}

static enum boarding freed_board(struct call *call, struct departure *departure)
{
	const struct freed *freed = call->state;
	departure_write(departure, WRITE_SENT_FREED,
		(struct cell[]){ cell_bytes(freed->key.disclosure, 16), cell_number(freed->key.release),
			cell_number(freed->key.serial), cell_number(departure_now(departure)),
			cell_text(freed->device) });
	return BOARDED;
}

static enum step_result freed_done(struct call *call)
{
	(void)call;
	return STEP_DONE;
}

static void freed_release(struct call *call)
{
	const struct freed *freed = call->state;
	queue_freed(freed->queue);
}

static const struct method freed_method = {
	.steps = { freed_commit, freed_done },
	.board = freed_board,
	.train_class = TRAIN_DELIVERY,
	.release = freed_release,
};

void release_freed(struct service *service, struct queue *queue, const char *device, const struct delivery_key *key)
{
	struct call *call = call_new_own(service, &freed_method);
	struct freed *freed = call_alloc(call, sizeof *freed);
	freed->key = *key;
	freed->queue = queue;
	freed->device = arena_strdup(call->arena, device);
	call->state = freed;
	call_run(call);
}
