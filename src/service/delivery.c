#include "service/delivery.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "pure/time.h"
#include "service/service.h"
#include "service/train.h"

#include <assert.h>
#include <string.h>

#define HOLD_SOURCE TIME_SECOND
#define HOLD_POLICY TIME_SECOND /* another was put in force, and is being looked up: the hold ends with that */
#define HOLD_UNKNOWN (100 * TIME_SECOND / 1000) /* another worker shared under a policy that is new to this one */
#define HOLD_LATER_MAX (30 * TIME_SECOND) /* its window may move meanwhile, at another worker */
#define HOLD_UNUSABLE (30 * TIME_SECOND)

struct delivery {
	const struct call *reader; /* only in the first step: it ends before the delivery does */
	struct subscription *subscription;
	struct due due;
	struct shipment shipment;
	const char *device;
	bool withheld;
	bool sent, done; /* recorded as delivered; nothing of it is due any more */
	bool pushed; /* it is in the stream's output */
	size_t claimed; /* of the stream's credit */
	int64_t hold;
};

/* ---- ask: the release's columns ---- */

static enum step_result delivery_ask(struct call *call)
{
	struct delivery *delivery = call->state;
	const struct due *due = &delivery->due;
	/* What was read with the queue is out of date: the queue asks again. */
	if (call->tries)
		return STEP_DONE;
	train_reading_with(call, delivery->reader);
	if (!rulebook_is_known(service_rulebook(call->service))) {
		delivery->hold = HOLD_POLICY;
		return STEP_DONE;
	}
	const struct rule *rule = disclosure_rule_now(call, &due->disclosure);
	struct rulebook *rulebook = service_rulebook(call->service);
	int number = due->disclosure.policy_number;
	if (!rule && !rulebook_policy(rulebook, number) && !rulebook_is_unfit(rulebook, number)) {
		delivery->hold = HOLD_UNKNOWN;
		return STEP_DONE;
	}
	if (!rule || due->key.release < 0 || (size_t)due->key.release >= rule->service->release_count) {
		log_warning("delivery",
			"policy %d, which a disclosure was shared under, cannot be used: its releases wait",
			due->disclosure.policy_number);
		delivery->hold = HOLD_UNUSABLE;
		return STEP_DONE;
	}
	release_send_keys(call, &due->key, due->device);
	call_key(call, KEY_DISCLOSURE, due->disclosure.id, 16, KEY_SHARED);
	call_key(call, KEY_RECIPIENT, due->disclosure.recipient_id, strlen(due->disclosure.recipient_id), KEY_SHARED);
	if (due->disclosure.subject_id)
		call_key(call, KEY_SUBJECT, due->disclosure.subject_id, strlen(due->disclosure.subject_id), KEY_SHARED);
	call_key(call, KEY_POLICY, "", 0, KEY_SHARED);
	/* What will not be sent whatever the sources say is not read (P2). */
	delivery->shipment =
		(struct shipment){ .due = due, .rule = rule, .release = &rule->service->releases[due->key.release] };
	int64_t wait =
		disclosure_due_at(&due->disclosure, delivery->shipment.release) - service_guess_time(call->service);
	if (wait > 0 && delivery->shipment.release->later_count) {
		delivery->hold = wait < HOLD_LATER_MAX ? wait + TIME_SECOND / 100 : HOLD_LATER_MAX;
		return STEP_DONE;
	}
	if (shipment_is_barred(&delivery->shipment, service_guess_time(call->service))) {
		delivery->hold = HOLD_UNUSABLE;
		return STEP_DONE;
	}
	shipment_ask(call, &delivery->shipment, due, rule);
	return STEP_NEXT;
}

static size_t values_length(const struct shipment *shipment)
{
	size_t length = 512;
	const struct release_read *read = &shipment->rule->releases[shipment->due->key.release];
	for (size_t i = 0; i < read->count; i++)
		for (size_t j = 0; j < read->sources[i]->field_count; j++)
			length += shipment->answers[i].values[j].length + 64;
	return length;
}

/* ---- gather: all answers are in, and the stream can take the values now ---- */

static enum step_result delivery_gather(struct call *call)
{
	struct delivery *delivery = call->state;
	if (call->awaited || !queue_may_board(delivery->subscription, &delivery->due.key, call))
		return STEP_WAIT;
	struct call *receive = subscription_call(delivery->subscription);
	if (!receive || !receive->stream)
		return STEP_DONE;
	size_t length = values_length(&delivery->shipment);
	if (!subscription_claim(delivery->subscription, length)) {
		delivery->hold = QUEUE_HOLD_UNTIL_WRITABLE;
		return STEP_DONE;
	}
	delivery->claimed = length;
	delivery->device = arena_strdup(call->arena, receive->device);
	return STEP_NEXT;
}

/* ---- commit: the entry that names the values ---- */

static enum step_result delivery_commit(struct call *call)
{
	const struct delivery *delivery = call->state;
	enum step_result result = train_board(call);
	queue_boarded(delivery->subscription, &delivery->due.key);
	return result;
}

static enum boarding delivery_board(struct call *call, struct departure *departure)
{
	struct delivery *delivery = call->state;
	Needtoknow__V1__Reason reason;
	const char *why;
	delivery->withheld = false;
	switch (shipment_check(&delivery->shipment, departure_now(departure), &reason, &why)) {
	case SHIPMENT_GOOD:
		delivery->shipment.reason = delivery->due.repeat ? NEEDTOKNOW__V1__REASON__REASON_REPEATED
								 : NEEDTOKNOW__V1__REASON__REASON_NEW;
		shipment_board(call, departure, &delivery->shipment, delivery->device, true);
		return BOARDED;
	case SHIPMENT_REFUSED:
		delivery->withheld = true;
		shipment_withhold(call, departure, &delivery->due, delivery->shipment.rule, reason);
		return BOARDED;
	case SHIPMENT_HELD:
		break;
	}
	delivery->withheld = true;
	delivery->hold = HOLD_UNUSABLE;
	log_warning("delivery", "release `%s` of a disclosure for `%s` is held: %s", delivery->shipment.release->name,
		delivery->due.disclosure.recipient_id, why);
	return BOARD_NOTHING;
}

/* ---- push: only now may the values leave ---- */

static void push(struct call *call, struct delivery *delivery, struct call *receive, int64_t die_at)
{
	Needtoknow__V1__ReceiveResponse response = NEEDTOKNOW__V1__RECEIVE_RESPONSE__INIT;
	Google__Protobuf__Timestamp server_time;
	int64_t recorded = delivery->shipment.recorded.at;

	response.delivery = shipment_message(call, &delivery->shipment);
	response.event_case = NEEDTOKNOW__V1__RECEIVE_RESPONSE__EVENT_DELIVERY;
	response.server_time = &server_time;
	if (!response.delivery)
		return;
	time_to_timestamp(recorded, &server_time);
	size_t length = needtoknow__v1__receive_response__get_packed_size(&response);
	uint8_t *bytes = mem_alloc(length);
	needtoknow__v1__receive_response__pack(&response, bytes);
	server_stream_send_values(receive->stream, bytes, length, delivery->due.disclosure.id, die_at);
	mem_free(bytes);
}

static enum step_result delivery_push(struct call *call)
{
	struct delivery *delivery = call->state;
	struct call *receive = subscription_call(delivery->subscription);
	delivery->done = !delivery->hold;
	if (delivery->withheld)
		return STEP_DONE;
	struct delivery_key key;
	int failed = delivery_id_parse(delivery->shipment.delivery_id, &key);
	assert(!failed);
	delivery->sent = true;
	fault_point("delivery.queued");
	/* A COMMIT known only after a doubt was long ago: its values are gone, and redelivery reads them again. */
	int64_t die_at = values_die_at(call, &delivery->due.disclosure);
	bool can_leave = receive && receive->stream && die_at;
	delivery->pushed = can_leave;
	if (can_leave)
		push(call, delivery, receive, die_at);
	queue_sent(delivery->subscription, &key, can_leave);
	fault_point("delivery.sent");
	return STEP_DONE;
}

/* ---- the end, whatever it was ---- */

static void delivery_failed(struct call *call)
{
	struct delivery *delivery = call->state;
	delivery->hold = HOLD_SOURCE;
}

static void delivery_doubted(struct call *call)
{
	const struct delivery *delivery = call->state;
	shipment_wipe(&delivery->shipment);
}

static void delivery_release(struct call *call)
{
	struct delivery *delivery = call->state;
	if (!delivery->sent)
		queue_count(service_queues(call->service))->abandoned++;
	if (delivery->claimed)
		subscription_unclaim(delivery->subscription, delivery->claimed, delivery->pushed);
	queue_landed(delivery->subscription, &delivery->due.key, delivery->hold, delivery->done);
}

static const struct method delivery_method = {
	.steps = { delivery_ask, delivery_gather, delivery_commit, delivery_push },
	.again = 0,
	.board = delivery_board,
	.train_class = TRAIN_DELIVERY,
	.failed = delivery_failed,
	.doubted = delivery_doubted,
	.release = delivery_release,
};

struct call *delivery_new(const struct call *reader, struct subscription *subscription, struct due **due)
{
	struct call *call = call_new_own(reader->service, &delivery_method);
	struct delivery *delivery = call_alloc(call, sizeof *delivery);
	assert(delivery);
	delivery->subscription = subscription;
	delivery->reader = reader;
	call->state = delivery;
	*due = &delivery->due;
	return call;
}
