#include "sharer.h"

#include "base/memory.h"
#include "pure/message.h"
#include "pure/time.h"

#include <needtoknow/methods.h>

#include <inttypes.h>
#include <stdio.h>

#define TICK INT64_C(1000)
#define ANSWER_MAX (64 * 1024)

struct asked {
	struct sharer *sharer;
	uint32_t index;
};

struct sharer {
	struct load *load;
	struct channel **channels;
	struct sharer_plan plan;
	struct asked *asked;
	uint32_t started, answered, shed;
	int64_t began, last_intended, last_answer;
	struct loop_timer tick;
	struct latencies latencies;
};

static void on_tick(void *context);

struct sharer *sharer_new(struct load *load)
{
	struct sharer *sharer = mem_calloc(1, sizeof *sharer);

	sharer->load = load;
	sharer->channels = mem_calloc(load->options.connections, sizeof(struct channel *));
	loop_timer_init(&sharer->tick, load->loop, on_tick, sharer);
	for (uint32_t i = 0; i < load->options.connections; i++) {
		sharer->channels[i] = load_channel(load, "booking");
		if (sharer->channels[i] == NULL) {
			sharer_free(sharer);
			return NULL;
		}
	}
	load_connect(load, sharer->channels, load->options.connections);
	if (load->failure[0] == '\0')
		return sharer;
	sharer_free(sharer);
	return NULL;
}

void sharer_free(struct sharer *sharer)
{
	if (sharer == NULL)
		return;
	for (uint32_t i = 0; i < sharer->load->options.connections; i++)
		channel_free(sharer->channels[i]);
	mem_free(sharer->channels);
	mem_free(sharer->asked);
	loop_timer_release(&sharer->tick);
	latencies_release(&sharer->latencies);
	mem_free(sharer);
}

/* An answer counts when it says what a ledger entry says: its place and its hash. */
static bool is_recorded(const struct channel_reply *reply)
{
	struct arena *arena = arena_new(ANSWER_MAX);
	ProtobufCMessage *message;
	const char *field;
	bool recorded = false;

	if (message_unpack(needtoknow_method_share.response, reply->message, reply->length, arena, &message, &field) ==
		MESSAGE_OK) {
		const Needtoknow__V1__ShareResponse *response = (const Needtoknow__V1__ShareResponse *)message;
		recorded = response->disclosure != NULL && response->disclosure->n_releases == 1 &&
			response->receipt != NULL && response->receipt->leaf_hash.len == 32;
	}
	arena_free(arena);
	return recorded;
}

static void on_shared(void *context, const struct channel_reply *reply)
{
	const struct asked *asked = context;
	struct sharer *sharer = asked->sharer;
	const struct load_booking *booking = &sharer->load->bookings[asked->index];

	sharer->last_answer = latency_clock();
	if (reply->status->code == NEEDTOKNOW_RESOURCE_EXHAUSTED && sharer->plan.may_be_shed) {
		sharer->shed++;
		if (sharer_is_done(sharer))
			sharer->plan.done(sharer->plan.context);
		return;
	}
	if (reply->status->code != NEEDTOKNOW_OK) {
		load_fail(sharer->load, "Share", reply->status);
		return;
	}
	latencies_add(&sharer->latencies, latency_clock() - booking->started);
	if (!is_recorded(reply)) {
		load_fail(sharer->load, "Share: the answer has no receipt", NULL);
		return;
	}
	sharer->answered++;
	if (sharer_is_done(sharer) && sharer->plan.done != NULL)
		sharer->plan.done(sharer->plan.context);
	if (sharer->plan.rate <= 0 && !sharer->plan.held)
		sharer_next(sharer);
}

static void share(struct sharer *sharer, int64_t intended)
{
	struct load *load = sharer->load;
	const struct load_options *options = &load->options;
	Needtoknow__V1__ShareRequest request = NEEDTOKNOW__V1__SHARE_REQUEST__INIT;
	Google__Protobuf__Timestamp starts_at, ends_at;
	char request_id[96], booking[24], subject[24];
	uint32_t index = sharer->started++;
	uint64_t number = (load->first + index) % options->clients + 1;

	snprintf(request_id, sizeof request_id, "%.48s-%" PRIu64, options->run, load->shared++);
	snprintf(booking, sizeof booking, "B%06" PRIu64, number);
	snprintf(subject, sizeof subject, "C%06" PRIu64, number);
	time_to_timestamp(load->starts_at, &starts_at);
	time_to_timestamp(load->ends_at, &ends_at);
	request.request_id = request_id;
	request.booking_id = booking;
	request.subject_id = subject;
	request.recipient_id = (char *)options->recipients[number % options->recipient_count];
	request.service = (char *)options->service;
	request.starts_at = &starts_at;
	request.ends_at = &ends_at;
	sharer->last_intended = intended;
	load->bookings[index] = (struct load_booking){ .started = intended };
	sharer->asked[index] = (struct asked){ sharer, index };
	load_call(sharer->channels[index % options->connections], needtoknow_method_share.path, &request.base, NULL,
		on_shared, &sharer->asked[index]);
}

void sharer_next(struct sharer *sharer)
{
	if (sharer->started < sharer->load->count)
		share(sharer, latency_clock());
}

static void on_tick(void *context)
{
	struct sharer *sharer = context;
	int64_t now = latency_clock();

	while (sharer->started < sharer->load->count) {
		int64_t intended = sharer->began + (int64_t)(sharer->started * 1e6 / sharer->plan.rate);
		if (intended > now)
			break;
		share(sharer, intended);
	}
	if (sharer->started < sharer->load->count)
		loop_timer_set(&sharer->tick, TICK);
}

void sharer_start(struct sharer *sharer, const struct sharer_plan *plan)
{
	sharer->plan = *plan;
	sharer->asked = mem_realloc(sharer->asked, sharer->load->count * sizeof *sharer->asked);
	sharer->started = sharer->answered = sharer->shed = 0;
	sharer->latencies.count = 0;
	sharer->began = latency_clock();
	if (plan->rate > 0) {
		on_tick(sharer);
		return;
	}
	for (uint32_t i = 0; i < plan->in_flight; i++)
		sharer_next(sharer);
}

void sharer_stop(struct sharer *sharer)
{
	sharer->started = sharer->load->count;
	loop_timer_clear(&sharer->tick);
}

bool sharer_is_done(const struct sharer *sharer)
{
	return sharer->answered + sharer->shed == sharer->load->count;
}

uint32_t sharer_shed(const struct sharer *sharer)
{
	return sharer->shed;
}

int64_t sharer_tail(const struct sharer *sharer)
{
	return sharer->last_answer - sharer->last_intended;
}

uint32_t sharer_answered(const struct sharer *sharer)
{
	return sharer->answered;
}

struct latencies *sharer_latencies(struct sharer *sharer)
{
	return &sharer->latencies;
}
