#include "recipients.h"

#include "base/memory.h"
#include "pure/message.h"

#include <needtoknow/methods.h>

#include <stdio.h>
#include <string.h>

#define DELIVERY_MAX (4 * 1024 * 1024)

struct stream {
	struct recipients *recipients;
	struct channel *channel;
	uint32_t *held; /* received and not yet acknowledged, oldest first: indexes of load->bookings */
	size_t held_count, held_capacity, held_first;
	uint32_t acknowledging; /* calls */
};

/* One call of Acknowledge. */
struct batch {
	struct stream *stream;
	size_t count;
	uint32_t indexes[];
};

struct recipients {
	struct load *load;
	struct recipients_plan plan;
	struct stream *streams;
	uint32_t stream_count;
	struct recipients_counters counters;
	struct loop_hook hook;
};

/* ---- receiving ---- */

static void hold(struct stream *stream, uint32_t index)
{
	if (stream->held_count == stream->held_capacity) {
		stream->held_capacity = stream->held_capacity != 0 ? stream->held_capacity * 2 : 1024;
		stream->held = mem_realloc(stream->held, stream->held_capacity * sizeof *stream->held);
	}
	stream->held[stream->held_count++] = index;
}

/* How many values it carries; 0 when one is missing: then it is no delivery. */
static size_t count_values(const Needtoknow__V1__Delivery *delivery)
{
	for (size_t i = 0; i < delivery->n_fields; i++)
		if (delivery->fields[i]->is_null || delivery->fields[i]->value[0] == '\0')
			return 0;
	return delivery->n_fields;
}

static void take_again(struct recipients *recipients, const Needtoknow__V1__Delivery *delivery)
{
	if (delivery->cause == NEEDTOKNOW__V1__DELIVERY_CAUSE__DELIVERY_CAUSE_REPEATED)
		recipients->counters.repeated++;
	else
		recipients->counters.duplicated++;
}

static void take(struct stream *stream, const Needtoknow__V1__Delivery *delivery)
{
	struct recipients *recipients = stream->recipients;
	struct load *load = recipients->load;
	int64_t index = load_index(load, delivery->booking_id);
	size_t values = count_values(delivery);

	if (index < 0) {
		load_fail(load,
			"a delivery of no booking of the phase has come: another run has left it; start on an empty "
			"backlog",
			NULL);
		return;
	}
	struct load_booking *booking = &load->bookings[index];
	if (booking->received != 0) {
		take_again(recipients, delivery);
		return;
	}
	if (values == 0 || delivery->receipt == NULL || delivery->receipt->leaf_hash.len != sizeof booking->leaf_hash) {
		load_fail(load, "a delivery came without a value or a receipt", NULL);
		return;
	}
	booking->received = latency_clock();
	snprintf(booking->delivery_id, sizeof booking->delivery_id, "%s", delivery->delivery_id);
	booking->ledger_index = delivery->receipt->ledger_index;
	memcpy(booking->leaf_hash, delivery->receipt->leaf_hash.data, sizeof booking->leaf_hash);
	recipients->counters.received++;
	recipients->counters.values += values;
	hold(stream, (uint32_t)index);
	if (recipients->plan.received != NULL)
		recipients->plan.received(recipients->plan.context, (uint32_t)index);
}

static void on_message(void *context, const uint8_t *bytes, size_t length)
{
	struct stream *stream = context;
	struct arena *arena = arena_new(DELIVERY_MAX);
	ProtobufCMessage *message;
	const char *field;

	if (message_unpack(needtoknow_method_receive.response, bytes, length, arena, &message, &field) != MESSAGE_OK) {
		load_fail(stream->recipients->load, "Receive: what came is not a ReceiveResponse", NULL);
	} else {
		const Needtoknow__V1__ReceiveResponse *response = (const Needtoknow__V1__ReceiveResponse *)message;
		if (response->event_case == NEEDTOKNOW__V1__RECEIVE_RESPONSE__EVENT_DELIVERY)
			take(stream, response->delivery);
	}
	arena_free(arena);
}

static void on_stream_done(void *context, const struct channel_reply *reply)
{
	const struct stream *stream = context;

	load_fail(stream->recipients->load, "Receive has ended", reply->status);
}

void recipients_receive(struct recipients *recipients)
{
	Needtoknow__V1__ReceiveRequest request = NEEDTOKNOW__V1__RECEIVE_REQUEST__INIT;

	request.max_unacknowledged = (int32_t)recipients->load->options.window;
	for (uint32_t i = 0; i < recipients->stream_count; i++)
		load_call(recipients->streams[i].channel, needtoknow_method_receive.path, &request.base, on_message,
			on_stream_done, &recipients->streams[i]);
}

/* ---- acknowledging ---- */

static uint32_t acknowledged_count(const struct channel_reply *reply)
{
	struct arena *arena = arena_new(4096);
	ProtobufCMessage *message;
	const char *field;
	uint32_t count = 0;

	if (message_unpack(needtoknow_method_acknowledge.response, reply->message, reply->length, arena, &message,
		    &field) == MESSAGE_OK)
		count = (uint32_t)((const Needtoknow__V1__AcknowledgeResponse *)message)->acknowledged;
	arena_free(arena);
	return count;
}

static void on_acknowledged(void *context, const struct channel_reply *reply)
{
	struct batch *batch = context;
	struct stream *stream = batch->stream;
	struct recipients *recipients = stream->recipients;

	stream->acknowledging--;
	if (reply->status->code != NEEDTOKNOW_OK) {
		load_fail(recipients->load, "Acknowledge", reply->status);
	} else if (acknowledged_count(reply) != batch->count) {
		load_fail(recipients->load, "Acknowledge: the server does not know all of them", NULL);
	} else {
		recipients->counters.acknowledged += (uint32_t)batch->count;
		for (size_t i = 0; i < batch->count; i++) {
			recipients->load->bookings[batch->indexes[i]].acknowledged = true;
			if (recipients->plan.acknowledged != NULL)
				recipients->plan.acknowledged(recipients->plan.context, batch->indexes[i]);
		}
	}
	mem_free(batch);
}

static void acknowledge(struct stream *stream)
{
	Needtoknow__V1__AcknowledgeRequest request = NEEDTOKNOW__V1__ACKNOWLEDGE_REQUEST__INIT;
	struct load *load = stream->recipients->load;
	size_t count = stream->held_count - stream->held_first;

	if (count > load->options.batch)
		count = load->options.batch;
	struct batch *batch = mem_alloc(sizeof *batch + count * sizeof *batch->indexes);
	batch->stream = stream;
	batch->count = count;
	memcpy(batch->indexes, stream->held + stream->held_first, count * sizeof *batch->indexes);
	stream->held_first += count;
	if (stream->held_first == stream->held_count)
		stream->held_first = stream->held_count = 0;
	request.delivery_ids = mem_calloc(count, sizeof *request.delivery_ids);
	for (; request.n_delivery_ids < count; request.n_delivery_ids++)
		request.delivery_ids[request.n_delivery_ids] =
			load->bookings[batch->indexes[request.n_delivery_ids]].delivery_id;
	stream->acknowledging++;
	stream->recipients->counters.acknowledge_calls++;
	load_call(stream->channel, needtoknow_method_acknowledge.path, &request.base, NULL, on_acknowledged, batch);
	mem_free(request.delivery_ids);
}

/* The end of a turn of the loop: all that it brought is acknowledged together. */
static int on_turn(void *context)
{
	struct recipients *recipients = context;

	for (uint32_t i = 0; recipients->plan.acknowledge && i < recipients->stream_count; i++) {
		struct stream *stream = &recipients->streams[i];
		while (stream->held_first < stream->held_count &&
			stream->acknowledging < recipients->load->options.acknowledging)
			acknowledge(stream);
	}
	return 0;
}

void recipients_acknowledge(struct recipients *recipients)
{
	recipients->plan.acknowledge = true;
}

/* ---- birth and death ---- */

struct recipients *recipients_new(struct load *load, uint32_t streams, const struct recipients_plan *plan)
{
	struct recipients *recipients = mem_calloc(1, sizeof *recipients);
	struct channel **channels = mem_calloc(streams, sizeof *channels);

	recipients->load = load;
	recipients->plan = *plan;
	recipients->streams = mem_calloc(streams, sizeof *recipients->streams);
	recipients->hook = (struct loop_hook){ .run = on_turn, .context = recipients };
	loop_hook_add(load->loop, LOOP_PHASE_SERVICE, &recipients->hook);
	for (; recipients->stream_count < streams; recipients->stream_count++) {
		uint32_t i = recipients->stream_count;
		channels[i] = load_channel(load, load->options.recipients[i % load->options.recipient_count]);
		if (channels[i] == NULL)
			break;
		recipients->streams[i] = (struct stream){ .recipients = recipients, .channel = channels[i] };
	}
	load_connect(load, channels, recipients->stream_count);
	mem_free(channels);
	if (load->failure[0] == '\0')
		return recipients;
	recipients_free(recipients);
	return NULL;
}

void recipients_free(struct recipients *recipients)
{
	if (recipients == NULL)
		return;
	for (uint32_t i = 0; i < recipients->stream_count; i++) {
		channel_free(recipients->streams[i].channel);
		mem_free(recipients->streams[i].held);
	}
	loop_hook_remove(recipients->load->loop, LOOP_PHASE_SERVICE, &recipients->hook);
	mem_free(recipients->streams);
	mem_free(recipients);
}

const struct recipients_counters *recipients_counters(const struct recipients *recipients)
{
	return &recipients->counters;
}
