#include "service/receive.h"

#include "pure/time.h"
#include "service/service.h"
#include "service/train.h"
#include "sql.h"

#include <needtoknow/v1/delivery.pb-c.h>

#include <string.h>

/* On a stream's way at once, well below what a connection may have queued. */
#define WITHDRAWALS_AT_ONCE 256

struct receive {
	struct subscription *subscription;
	int64_t seen; /* the entry of the last withdrawal that was sent on this stream; -1: none */
	bool asking, news;
	unsigned rows; /* of the last answer */
	uint32_t window;
	bool until_empty;
};

static void withdrawal_row(struct call *call, void *target, const PGresult *result, int row);

static const struct read_kind withdrawals_unconfirmed = {
	.statement = &sql_withdrawals_unconfirmed,
	.from = READ_STATE,
	.types = { PG_TEXT, PG_TEXT, PG_INT8, PG_INT4 },
	.row = withdrawal_row,
};

static void send_withdrawal(struct call *call, Needtoknow__V1__Withdrawal *withdrawal)
{
	Needtoknow__V1__ReceiveResponse response = NEEDTOKNOW__V1__RECEIVE_RESPONSE__INIT;
	Google__Protobuf__Timestamp now;
	uint8_t bytes[1024];
	time_to_timestamp(service_guess_time(call->service), &now);
	response.server_time = &now;
	response.event_case = NEEDTOKNOW__V1__RECEIVE_RESPONSE__EVENT_WITHDRAWAL;
	response.withdrawal = withdrawal;
	size_t length = needtoknow__v1__receive_response__get_packed_size(&response);
	if (length > sizeof bytes)
		return; /* identifiers are at most 128 bytes: it never is */
	needtoknow__v1__receive_response__pack(&response, bytes);
	server_stream_send(call->stream, bytes, length);
	queue_count(service_queues(call->service))->withdrawals++;
}

/* No memory of the call's is taken: it lives as long as the stream. */
static void withdrawal_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct receive *receive = target;
	Needtoknow__V1__Withdrawal withdrawal = NEEDTOKNOW__V1__WITHDRAWAL__INIT;
	Needtoknow__V1__Receipt receipt = NEEDTOKNOW__V1__RECEIPT__INIT;
	Google__Protobuf__Timestamp delete_by, recorded_at;
	uint8_t id[16];
	char disclosure_id[UUID_TEXT_LENGTH + 1], booking_id[IDENTIFIER_MAX + 1] = "";

	if (!call->stream || row_bytes(result, row, 1, id, sizeof id))
		return;
	uuid_format(id, disclosure_id);
	if (!row_is_null(result, row, 2) && PQgetlength(result, row, 2) <= IDENTIFIER_MAX)
		memcpy(booking_id, PQgetvalue(result, row, 2), (size_t)PQgetlength(result, row, 2));
	time_to_timestamp(row_time(result, row, 4), &delete_by);
	time_to_timestamp(row_time(result, row, 6), &recorded_at);
	receipt.ledger_index = (uint64_t)row_int(result, row, 5);
	receipt.recorded_at = &recorded_at;
	receipt.leaf_hash.len = (size_t)PQgetlength(result, row, 7);
	receipt.leaf_hash.data = (uint8_t *)PQgetvalue(result, row, 7);
	withdrawal.disclosure_id = disclosure_id;
	withdrawal.booking_id = booking_id;
	withdrawal.cause = (Needtoknow__V1__WithdrawalCause)row_int(result, row, 3);
	withdrawal.delete_by = &delete_by;
	withdrawal.receipt = &receipt;
	receive->seen = (int64_t)receipt.ledger_index;
	receive->rows++;
	send_withdrawal(call, &withdrawal);
}

static void ask(struct call *call)
{
	struct receive *receive = call->state;
	receive->news = false;
	receive->asking = true;
	receive->rows = 0;
	batch_read(call, &withdrawals_unconfirmed, receive,
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
	call->state = receive;
	ask(call);
	return STEP_NEXT;
}

enum step_result receive_wait(struct call *call)
{
	struct receive *receive = call->state;
	if (call->awaited)
		return STEP_WAIT;
	receive->asking = false;
	/* A full answer has more behind it: they are asked for when these have left. */
	if (receive->rows == WITHDRAWALS_AT_ONCE)
		return STEP_WAIT;
	if (!receive->subscription)
		receive->subscription = queue_subscribe(call, receive->window, receive->until_empty);
	if (receive->news)
		ask(call);
	return STEP_WAIT;
}

void receive_close(struct call *call)
{
	struct receive *receive = call->state;
	if (receive && receive->subscription)
		queue_unsubscribe(receive->subscription);
}

void receive_news(struct call *call)
{
	struct receive *receive = call->state;
	receive->news = true;
	if (!receive->asking)
		ask(call);
}

void receive_finish(struct call *call)
{
	static const struct status ok = { .code = GRPC_OK };
	if (call->stream)
		server_stream_finish(call->stream, &ok);
}

void receive_leave(struct call *call)
{
	if (call->stream)
		server_stream_finish(call->stream,
			&(struct status){ .code = GRPC_UNAVAILABLE,
				.reason = "DRAINING",
				.message = "the service is being restarted; connect again" });
}

void receive_writable(struct call *call)
{
	struct receive *receive = call->state;
	if (receive && receive->rows == WITHDRAWALS_AT_ONCE && !receive->asking)
		ask(call);
	if (receive && receive->subscription)
		queue_writable(receive->subscription);
}

/* ---- a delivery that nobody is left to acknowledge may be repeated at once ---- */

struct freed {
	struct delivery_key key;
	struct queue *queue;
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
			cell_number(freed->key.serial), cell_number(departure_now(departure)) });
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

void release_freed(struct service *service, struct queue *queue, const struct delivery_key *key)
{
	struct call *call = call_new_own(service, &freed_method);
	struct freed *freed = call_alloc(call, sizeof *freed);
	freed->key = *key;
	freed->queue = queue;
	call->state = freed;
	call_run(call);
}
