#include "phases.h"

#include "base/memory.h"
#include "recipients.h"
#include "sharer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

struct phases {
	struct load *load;
	struct sharer *sharer;
	struct recipients *recipients; /* from deliver to the end of acknowledge */
	struct latencies received, acknowledged;
	uint32_t target;
	bool booking_open; /* the phase `booking` is on, in a closed loop */
	bool delivering; /* the phase `deliver` is on: nothing is acknowledged */
};

struct phases *phases_new(struct load *load)
{
	struct phases *phases = mem_calloc(1, sizeof *phases);

	phases->load = load;
	phases->sharer = sharer_new(load);
	return phases;
}

void phases_free(struct phases *phases)
{
	recipients_free(phases->recipients);
	sharer_free(phases->sharer);
	latencies_release(&phases->received);
	latencies_release(&phases->acknowledged);
	mem_free(phases->load->bookings);
	mem_free(phases);
}

/* ---- bookings and streams of a phase ---- */

static bool take_bookings(struct phases *phases, uint32_t count)
{
	struct load *load = phases->load;

	if (count == 0 || count > load->options.clients) {
		load_fail(load, "count must be at least 1, and no more than there are clients", NULL);
		return false;
	}
	load->first = (load->first + load->count) % load->options.clients;
	load->count = count;
	load->bookings = mem_realloc(load->bookings, count * sizeof *load->bookings);
	memset(load->bookings, 0, count * sizeof *load->bookings);
	phases->received.count = phases->acknowledged.count = 0;
	return true;
}

/* Without acknowledgements a stream takes a window's worth; each recipient has as many streams as its share needs. */
static uint32_t streams_for(const struct load *load, uint32_t waiting)
{
	uint32_t recipients = (uint32_t)load->options.recipient_count;
	uint32_t each = (waiting + recipients - 1) / recipients;

	if (load->options.streams != 0)
		return load->options.streams;
	return recipients * ((each + load->options.window - 1) / load->options.window);
}

/* ---- what comes ---- */

static void on_received(void *context, uint32_t index)
{
	struct phases *phases = context;
	const struct load_booking *booking = &phases->load->bookings[index];

	latencies_add(&phases->received, booking->received - booking->started);
	if (phases->delivering && recipients_counters(phases->recipients)->received == phases->target)
		loop_stop(phases->load->loop);
}

/* Of those that were shared. */
static bool all_acknowledged(const struct phases *phases)
{
	return recipients_counters(phases->recipients)->acknowledged == sharer_answered(phases->sharer);
}

static void on_acknowledged(void *context, uint32_t index)
{
	struct phases *phases = context;
	const struct load_booking *booking = &phases->load->bookings[index];

	latencies_add(&phases->acknowledged, latency_clock() - booking->started);
	if (phases->booking_open)
		sharer_next(phases->sharer);
	if (all_acknowledged(phases) && sharer_is_done(phases->sharer))
		loop_stop(phases->load->loop);
}

static void on_all_shared(void *context)
{
	struct phases *phases = context;

	if (phases->recipients == NULL || all_acknowledged(phases))
		loop_stop(phases->load->loop);
}

static bool open_streams(struct phases *phases, uint32_t streams, bool acknowledge)
{
	const struct recipients_plan plan = {
		.acknowledge = acknowledge,
		.received = on_received,
		.acknowledged = on_acknowledged,
		.context = phases,
	};

	if (phases->recipients != NULL) {
		load_fail(phases->load, "the streams are open: `acknowledge` first", NULL);
		return false;
	}
	phases->recipients = recipients_new(phases->load, streams, &plan);
	return phases->recipients != NULL;
}

static void close_streams(struct phases *phases)
{
	recipients_free(phases->recipients);
	phases->recipients = NULL;
}

/* ---- the report ---- */

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void add_latencies(json_t *report, const char *name, struct latencies *latencies)
{
	json_object_set_new(report, name,
		json_pack("{s:f, s:f, s:f}", "p50", latencies_quantile(latencies, 0.5), "p99",
			latencies_quantile(latencies, 0.99), "max", latencies_quantile(latencies, 1)));
}

static void add_counters(json_t *report, const struct recipients_counters *counters)
{
	json_t *more = json_pack("{s:i, s:I, s:i, s:i, s:i, s:i}", "received", (int)counters->received, "values",
		(json_int_t)counters->values, "repeated", (int)counters->repeated, "duplicated",
		(int)counters->duplicated, "acknowledged", (int)counters->acknowledged, "acknowledge_calls",
		(int)counters->acknowledge_calls);

	json_object_update_new(report, more);
}

/* ---- the phases ---- */

typedef void phase_begin(struct phases *phases, const struct phase_order *order);

static void share_begin(struct phases *phases, const struct phase_order *order)
{
	const struct sharer_plan plan = {
		.rate = order->rate,
		.in_flight = order->in_flight,
		.done = on_all_shared,
		.context = phases,
	};

	phases->booking_open = false;
	sharer_start(phases->sharer, &plan);
}

static void deliver_begin(struct phases *phases, const struct phase_order *order)
{
	(void)order;
	phases->booking_open = false;
	phases->delivering = true;
	recipients_receive(phases->recipients);
}

static void acknowledge_begin(struct phases *phases, const struct phase_order *order)
{
	(void)order;
	recipients_acknowledge(phases->recipients);
}

static void booking_begin(struct phases *phases, const struct phase_order *order)
{
	const struct sharer_plan plan = {
		.rate = order->rate,
		.in_flight = order->in_flight,
		.held = true,
		.done = on_all_shared,
		.context = phases,
	};

	phases->booking_open = order->rate <= 0;
	recipients_receive(phases->recipients);
	sharer_start(phases->sharer, &plan);
}

/* As `booking`, at a rate that is too much. */
static void overload_begin(struct phases *phases, const struct phase_order *order)
{
	const struct sharer_plan plan = {
		.rate = order->rate,
		.may_be_shed = true,
		.done = on_all_shared,
		.context = phases,
	};

	phases->booking_open = false;
	recipients_receive(phases->recipients);
	sharer_start(phases->sharer, &plan);
}

/* The part that takes no time of the phase's. False after load_fail(). */
static bool prepare(struct phases *phases, const struct phase_order *order)
{
	struct load *load = phases->load;
	uint32_t recipients = (uint32_t)load->options.recipient_count;

	if (strcmp(order->name, "share") == 0)
		return take_bookings(phases, order->count);
	if (strcmp(order->name, "overload") == 0 && order->rate <= 0) {
		load_fail(load, "`overload` is at a rate", NULL);
		return false;
	}
	if (strcmp(order->name, "booking") == 0 || strcmp(order->name, "overload") == 0)
		return take_bookings(phases, order->count) &&
			open_streams(phases, load->options.streams != 0 ? load->options.streams : recipients, true);
	if (strcmp(order->name, "deliver") == 0)
		return open_streams(phases, streams_for(load, load->count), false);
	if (phases->recipients != NULL)
		return true;
	load_fail(load, "`acknowledge` comes after `deliver`", NULL);
	return false;
}

static json_t *report(struct phases *phases, const char *name, double seconds, double cpu)
{
	json_t *report = json_pack("{s:s, s:i, s:f, s:f, s:f}", "phase", name, "count", (int)phases->target, "seconds",
		seconds, "per_second", (double)phases->target / seconds, "cpu_seconds", cpu);
	json_t *milliseconds = json_object();
	bool overload = strcmp(name, "overload") == 0, booking = overload || strcmp(name, "booking") == 0;

	if (overload)
		json_object_update_new(report,
			json_pack("{s:i, s:i, s:f}", "accepted", (int)sharer_answered(phases->sharer), "shed",
				(int)sharer_shed(phases->sharer), "tail_milliseconds",
				(double)sharer_tail(phases->sharer) / 1000));
	if (booking || strcmp(name, "share") == 0)
		add_latencies(milliseconds, "share", sharer_latencies(phases->sharer));
	if (booking) {
		add_latencies(milliseconds, "received", &phases->received);
		add_latencies(milliseconds, "acknowledged", &phases->acknowledged);
	}
	json_object_set_new(report, "milliseconds", milliseconds);
	if (phases->recipients != NULL)
		add_counters(report, recipients_counters(phases->recipients));
	return report;
}

/* What a phase that failed had come to. */
static void say_how_far(const struct phases *phases, const char *name)
{
	static const struct recipients_counters none;
	const struct recipients_counters *counters =
		phases->recipients != NULL ? recipients_counters(phases->recipients) : &none;

	fprintf(stderr,
		"needtoknow_load: %s of %" PRIu32 ": %" PRIu32 " shared, %" PRIu32 " received, %" PRIu32
		" acknowledged\n",
		name, phases->target, sharer_answered(phases->sharer), counters->received, counters->acknowledged);
}

json_t *phases_run(struct phases *phases, const struct phase_order *order)
{
	static const struct {
		const char *name;
		phase_begin *begin;
		bool closes; /* the streams */
	} table[] = {
		{ "share", share_begin, false },
		{ "deliver", deliver_begin, false },
		{ "acknowledge", acknowledge_begin, true },
		{ "booking", booking_begin, true },
		{ "overload", overload_begin, true },
	};
	struct load *load = phases->load;
	size_t i = 0;

	while (i < sizeof table / sizeof *table && strcmp(table[i].name, order->name) != 0)
		i++;
	if (i == sizeof table / sizeof *table) {
		load_fail(load, "a phase is share, deliver, acknowledge, booking or overload", NULL);
		return NULL;
	}
	if (load->failure[0] != '\0' || !prepare(phases, order))
		return NULL;
	phases->target = load->count;
	phases->delivering = false;
	struct phase_order settled = *order;
	if (settled.in_flight == 0)
		settled.in_flight = load->options.in_flight;
	double cpu = cpu_seconds();
	int64_t began = latency_clock();
	table[i].begin(phases, &settled);
	if (!load_run(load)) {
		say_how_far(phases, order->name);
		return NULL;
	}
	double seconds = (double)(latency_clock() - began) / 1e6;
	json_t *result = report(phases, order->name, seconds, cpu_seconds() - cpu);
	if (table[i].closes)
		close_streams(phases);
	return result;
}
