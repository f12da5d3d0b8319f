#include "pure/time.h"
#include "rpc/entries.h"
#include "rpc/methods.h"
#include "service/batch.h"
#include "service/service.h"
#include "service/tail.h"
#include "service/train.h"
#include "sql.h"

/*
 * AuditService.StreamEntries: all that a filter finds, in index order, a reading at a time. One reading is under way or
 * its answer is on its way out: a client that reads slowly is waited for.
 */
#define READING_BYTES ((size_t)128 << 10)
#define MESSAGE_BYTES ((size_t)128 << 10)
#define ENTRY_BYTES_MAX (2 * (size_t)UINT16_MAX + 64)
/* Nothing more is read while as much waits to be sent. */
#define QUEUED_MAX ((size_t)128 << 10)
#define INDICES_AT_ONCE 128
/* While calls are being committed a reading waits for as long: what nobody waits for must not take what somebody does.
 */
#define YIELD (TIME_SECOND / 100)

struct stream {
	struct audited audited; /* first */
	struct entry_filter filter;
	struct entries entries;
	struct follower follower;
	struct buffer message; /* as it grows */
	bool bodies_only, follow;
	enum {
		STREAM_READS,
		STREAM_WAITS, /* at the end, for the ledger to grow */
		STREAM_ASKS, /* whether it has */
	} state;
	int64_t size; /* of the ledger, when it was last asked */
	struct loop_timer yield;
	enum {
		YIELD_NOT,
		YIELD_WAITS, /* the timer is set */
		YIELD_OVER, /* the next reading has waited */
	} yielding;
};

/* False: it must wait for the client. */
static bool send_message(struct call *call, struct stream *stream)
{
	if (!stream->message.length)
		return true;
	if (server_stream_room(call->stream) < stream->message.length)
		return false;
	server_stream_send(call->stream, stream->message.data, stream->message.length);
	buffer_clear(&stream->message);
	return true;
}

static bool stream_take(struct call *call, struct entries *entries, const struct found_entry *entry)
{
	struct stream *stream = entries->target;
	if (stream->message.length >= MESSAGE_BYTES && !send_message(call, stream))
		return false;
	return entries_append(&stream->message, entry, !stream->bodies_only) == 0;
}

static void yield_over(void *context)
{
	struct call *call = context;
	struct stream *stream = call->state;
	stream->yielding = YIELD_OVER;
	call_run(call);
}

static enum step_result stream_decode(struct call *call)
{
	const Needtoknow__V1__StreamEntriesRequest *request =
		(const Needtoknow__V1__StreamEntriesRequest *)call->request;
	struct stream *stream = call_alloc(call, sizeof *stream);
	if (!stream)
		return STEP_NEXT;
	buffer_init(&stream->message, MESSAGE_BYTES + ENTRY_BYTES_MAX);
	loop_timer_init(&stream->yield, service_loop(call->service), yield_over, call);
	call->state = stream;
	stream->bodies_only = request->bodies_only;
	stream->follow = request->follow;
	if (!entry_filter_decode(call, request->filter, false, &stream->filter, &stream->audited))
		return STEP_DONE;
	audited_begin(&stream->audited);
	entries_begin(call, &stream->entries, &stream->filter, false, INDICES_AT_ONCE);
	stream->entries.budget = stream->entries.budget_max = READING_BYTES;
	stream->entries.take = stream_take;
	stream->entries.target = stream;
	stream->entries.next = request->from_index < INT64_MAX ? (int64_t)request->from_index : INT64_MAX;
	return STEP_NEXT;
}

/* It was recorded, and stays for as long as its client likes: it is none of the train's any more. */
static enum step_result stream_begin(struct call *call)
{
	struct stream *stream = call->state;
	train_leave(call);
	stream->follower.told = true;
	tail_follow(service_tail(call->service), &stream->follower, call);
	return STEP_NEXT;
}

static void size_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct stream *stream = target;
	(void)call;
	stream->size = row_int(result, row, 1);
}

static const struct read_kind size_read = {
	.statement = &sql_ledger_size, .from = READ_AUDIT, .types = { PG_INT8 }, .row = size_row
};

/* What was asked for has come. */
static void stream_settle(struct stream *stream)
{
	if (stream->state == STREAM_ASKS) {
		stream->state = stream->size > stream->entries.next ? STREAM_READS : STREAM_WAITS;
		if (stream->state == STREAM_READS)
			stream->entries.end = false;
	}
	if (stream->state == STREAM_READS && !entries_more(&stream->entries)) {
		/* What had been recorded when the size was asked was looked at, or passed over. */
		if (stream->entries.next < stream->size)
			stream->entries.next = stream->size;
		stream->state = STREAM_WAITS;
	}
}

/* True: the next reading may be asked for now. */
static bool stream_may_read(struct call *call, struct stream *stream)
{
	if (stream->yielding == YIELD_WAITS)
		return false;
	if (stream->yielding == YIELD_OVER || !train_is_busy(service_train(call->service))) {
		stream->yielding = YIELD_NOT;
		return true;
	}
	stream->yielding = YIELD_WAITS;
	loop_timer_set(&stream->yield, YIELD);
	return false;
}

static void stream_ask(struct call *call, struct stream *stream)
{
	if (stream->state == STREAM_READS && !stream_may_read(call, stream))
		return;
	if (stream->state == STREAM_READS) {
		entries_ask(call, &stream->entries);
	} else if (stream->state == STREAM_WAITS && stream->follower.told) {
		stream->follower.told = false;
		stream->state = STREAM_ASKS;
		batch_read(call, &size_read, stream, (struct cell[]){ cell_number(0) });
	}
}

static enum step_result stream_flow(struct call *call)
{
	static const struct status ok = { .code = GRPC_OK };
	static const struct status draining = { .code = GRPC_UNAVAILABLE,
		.reason = "DRAINING",
		.message = "the service is being restarted; go on from the last index" };
	struct stream *stream = call->state;
	if (service_state(call->service) == SERVICE_DRAINING)
		return call_refuse(call, &draining);
	if (call->awaited)
		return STEP_WAIT;
	stream_settle(stream);
	if (!call->stream || !send_message(call, stream))
		return STEP_WAIT;
	if (stream->state == STREAM_WAITS && !stream->follow)
		return call_refuse(call, &ok);
	if (server_stream_queued(call->stream) <= QUEUED_MAX)
		stream_ask(call, stream);
	return STEP_WAIT;
}

/* Its output has drained, or others' on the connection. */
static void stream_writable(struct call *call)
{
	call_run(call);
}

static void stream_release(struct call *call)
{
	struct stream *stream = call->state;
	if (!stream)
		return;
	tail_leave(service_tail(call->service), &stream->follower);
	loop_timer_release(&stream->yield);
	buffer_release(&stream->message);
}

const struct method audit_stream_entries = {
	.path = "/needtoknow.v1.AuditService/StreamEntries",
	.role = ROLE_AUDITOR,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__stream_entries_request__descriptor,
	.steps = { stream_decode, audited_ask, audited_commit, stream_begin, stream_flow },
	.again = 1,
	.board = audited_board,
	.train_class = TRAIN_SHARE,
	.writable = stream_writable,
	.release = stream_release,
};
