#include "daemon/metrics.h"

#include "base/memory.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define WHY_MAX 512
#define DAY 86400.0 /* seconds */

/* ---- what is told of each worker ---- */

enum origin {
	FROM_ELSEWHERE, /* not of a struct of counters */
	FROM_SERVER,
	FROM_TRAIN,
	FROM_QUEUE,
	FROM_ROOM,
	FROM_SIGNER,
	FROM_CORRECTOR,
	FROM_SWEEPER,
	FROM_ERASER,
	FROM_RETENTION_SWEEPER,
};

enum kind {
	COUNTER, /* adds up over the workers that followed each other in one place */
	GAUGE, /* the present worker's; not told while there is none */
	FLAG, /* the same, and 0 while there is none */
	MOMENT, /* the same, seconds since the epoch; not told while it is 0 */
};

struct metric {
	const char *name, *help;
	enum kind kind;
	enum origin origin;
	size_t offset; /* of the uint64_t in its origin's struct */
};

#define SERVER(member) FROM_SERVER, offsetof(struct server_counters, member)
#define TRAIN(member) FROM_TRAIN, offsetof(struct train_counters, member)
#define QUEUE(member) FROM_QUEUE, offsetof(struct queue_counters, member)
#define ROOM(member) FROM_ROOM, offsetof(struct ledger_room_counters, member)
#define SIGNER(member) FROM_SIGNER, offsetof(struct signer_counters, member)
#define CORRECTOR(member) FROM_CORRECTOR, offsetof(struct corrector_counters, member)
#define SWEEPER(member) FROM_SWEEPER, offsetof(struct sweeper_counters, member)
#define ERASER(member) FROM_ERASER, offsetof(struct eraser_counters, member)
#define RETENTION_SWEEPER(member) FROM_RETENTION_SWEEPER, offsetof(struct retention_sweeper_counters, member)
#define OTHER FROM_ELSEWHERE, 0

/* Those that are not merely copied from a worker's counters. */
enum {
	METRIC_ALIVE,
	METRIC_SERVING,
	METRIC_STARTS,
	METRIC_STARTED_AT,
	METRIC_HEARD,
	METRIC_CERTIFICATE_EXPIRY,
};

static const struct metric metrics_table[] = {
	[METRIC_ALIVE] = { "needtoknow_worker_alive", "1 while the worker's process lives, else 0.", FLAG, OTHER },
	[METRIC_SERVING] = { "needtoknow_worker_serving", "1 while the worker serves calls, else 0.", FLAG, OTHER },
	[METRIC_STARTS] = { "needtoknow_worker_starts_total", "Processes started in this worker's place.", COUNTER,
		OTHER },
	[METRIC_STARTED_AT] = { "needtoknow_worker_start_timestamp_seconds",
		"When the worker was started, in seconds since the epoch.", MOMENT, OTHER },
	[METRIC_HEARD] = { "needtoknow_worker_heartbeat_timestamp_seconds",
		"When the worker last told its figures, in seconds since the epoch.", MOMENT, OTHER },
	[METRIC_CERTIFICATE_EXPIRY] = { "needtoknow_certificate_expiry_timestamp_seconds",
		"When the server's certificate expires, in seconds since the epoch.", MOMENT, OTHER },
	{ "needtoknow_connections_accepted_total", "TCP connections taken.", COUNTER, SERVER(connections_accepted) },
	{ "needtoknow_connections_refused_total", "TCP connections closed at once: max_connections were open.", COUNTER,
		SERVER(connections_refused) },
	{ "needtoknow_connections_open", "Connections open now.", GAUGE, SERVER(connections_open) },
	{ "needtoknow_handshakes_failed_total", "TLS handshakes that failed.", COUNTER, SERVER(handshakes_failed) },
	{ "needtoknow_limit_closed_total", "Streams and connections ended because a peer went past a limit.", COUNTER,
		SERVER(limit_closed) },
	{ "needtoknow_streams_opened_total", "HTTP/2 streams opened: calls begun.", COUNTER, SERVER(streams_opened) },
	{ "needtoknow_streams_open", "HTTP/2 streams open now.", GAUGE, SERVER(streams_open) },
	{ "needtoknow_read_bytes_total", "HTTP/2 bytes read from peers, decrypted.", COUNTER, SERVER(bytes_read) },
	{ "needtoknow_written_bytes_total", "HTTP/2 bytes written to peers, before encryption.", COUNTER,
		SERVER(bytes_written) },
	{ "needtoknow_trains_total", "Transactions that were committed.", COUNTER, TRAIN(trains) },
	{ "needtoknow_train_calls_total", "Calls that these transactions carried.", COUNTER, TRAIN(calls) },
	{ "needtoknow_ledger_entries_total", "Entries that these transactions added to the ledger.", COUNTER,
		TRAIN(entries) },
	{ "needtoknow_train_failures_total", "Transactions that the database refused.", COUNTER, TRAIN(failures) },
	{ "needtoknow_train_bisections_total", "Times a transaction was halved to find the call whose data failed it.",
		COUNTER, TRAIN(bisections) },
	{ "needtoknow_train_rereads_total", "Calls that read again, since others had written meanwhile.", COUNTER,
		TRAIN(again) },
	{ "needtoknow_requests_shed_total", "New requests refused, since those before them waited too long.", COUNTER,
		TRAIN(shed) },
	{ "needtoknow_train_unknown_total", "COMMITs that were not answered for certain.", COUNTER, TRAIN(unknown) },
	{ "needtoknow_recipients_connected", "Recipients that receive from this worker now.", GAUGE,
		QUEUE(recipients) },
	{ "needtoknow_subscriptions_open", "Receive streams open now.", GAUGE, QUEUE(subscriptions) },
	{ "needtoknow_deliveries_total", "Deliveries recorded for a stream.", COUNTER, QUEUE(deliveries) },
	{ "needtoknow_repeats_total", "Deliveries taken up anew, since nobody had acknowledged them.", COUNTER,
		QUEUE(repeats) },
	{ "needtoknow_deliveries_held_total", "Times a delivery was put off, to be tried again.", COUNTER,
		QUEUE(held) },
	{ "needtoknow_deliveries_abandoned_total", "Deliveries that ended before anything was recorded or sent.",
		COUNTER, QUEUE(abandoned) },
	{ "needtoknow_withdrawals_sent_total", "Withdrawals sent.", COUNTER, QUEUE(withdrawals) },
	{ "needtoknow_checkpoints_signed_total", "Checkpoints of the ledger that this worker has signed.", COUNTER,
		SIGNER(checkpoints) },
	{ "needtoknow_checkpoint_size", "Entries that the last checkpoint in the database covers.", GAUGE,
		SIGNER(size) },
	{ "needtoknow_checkpoint_timestamp_seconds", "When that checkpoint was signed, in seconds since the epoch.",
		MOMENT, SIGNER(signed_at) },
	{ "needtoknow_checkpoint_entries_behind", "Entries that it does not cover yet.", GAUGE, SIGNER(behind) },
	{ "needtoknow_signing_stopped", "1 while no checkpoint may be signed; the log says why, and GetCheckpoint too.",
		FLAG, SIGNER(stopped) },
	{ "needtoknow_sweeps_total", "Times the database was asked what is over; by the elected worker alone.", COUNTER,
		SWEEPER(looks) },
	{ "needtoknow_expiries_total", "Disclosures that were found to have expired.", COUNTER, SWEEPER(found) },
	{ "needtoknow_expiry_late_microseconds", "By how much the oldest was late of those that were found last.",
		GAUGE, SWEEPER(late) },
	{ "needtoknow_ledger_room_short",
		"1 when less than one whole partition is left ahead of the ledger's head: run needtoknowd maintain.",
		FLAG, ROOM(is_short) },
	{ "needtoknow_changes_total", "Rows of the company's change queue that are done with.", COUNTER,
		CORRECTOR(changes) },
	{ "needtoknow_corrections_total", "Sendings that a change made due again.", COUNTER, CORRECTOR(corrected) },
	{ "needtoknow_changes_waiting", "Rows of the change queue that are to be looked at once more.", GAUGE,
		CORRECTOR(waiting) },
	{ "needtoknow_corrections_stopped",
		"1 while the change queue cannot be read or removed from; the log says why.", FLAG,
		CORRECTOR(stopped) },
	{ "needtoknow_erasures_waiting", "Erasures that the company's database has still to answer.", GAUGE,
		ERASER(waiting) },
	{ "needtoknow_erasures_resumed_total", "Erasures that the elected worker went on with and finished.", COUNTER,
		ERASER(resumed) },
	{ "needtoknow_erasures_stopped", "1 while the company's database does not answer an erasure.", FLAG,
		ERASER(stopped) },
	{ "needtoknow_subjects_forgotten_total",
		"Clients whose key was destroyed, since they were erased long enough ago.", COUNTER,
		ERASER(forgotten) },
	{ "needtoknow_column_sweeps_total", "Times the company was asked whose columns it may not keep any longer.",
		COUNTER, RETENTION_SWEEPER(looks) },
	{ "needtoknow_columns_erased_total", "Columns of the company's that were erased, since their time was over.",
		COUNTER, RETENTION_SWEEPER(columns) },
	{ "needtoknow_column_sweeps_waiting",
		"Clients whose columns stay beyond their time: restricted, or not erased by the company.", GAUGE,
		RETENTION_SWEEPER(waiting) },
	{ "needtoknow_column_sweeps_stopped",
		"1 when the last sweep of columns could not ask or do something; the log says what.", FLAG,
		RETENTION_SWEEPER(stopped) },
};

#define METRICS COUNT_OF(metrics_table)

struct page {
	_Atomic uint64_t values[METRICS]; /* of the present worker */
	uint64_t carried[METRICS]; /* of those before it in this place; the supervisor's alone */
	_Atomic uint32_t state; /* enum service_state */
	_Atomic bool has_served;
	/* Its last byte stays 0. A reader may see half of two sentences for a moment; both are ours. */
	_Atomic char why[WHY_MAX];
};

struct metrics {
	unsigned workers, elders;
	struct page *pages; /* shared */
	char why[WHY_MAX + 32];
};

static struct page *page_of(const struct metrics *metrics, unsigned worker)
{
	assert(worker >= 1 && worker <= metrics->workers);
	return &metrics->pages[worker - 1];
}

static void set(struct page *page, size_t metric, uint64_t value)
{
	atomic_store_explicit(&page->values[metric], value, memory_order_relaxed);
}

static uint64_t get(const struct page *page, size_t metric)
{
	return atomic_load_explicit(&page->values[metric], memory_order_relaxed);
}

struct metrics *metrics_new(unsigned workers)
{
	void *pages =
		mmap(NULL, workers * sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return NULL;
	struct metrics *metrics = mem_calloc(1, sizeof *metrics);
	metrics->workers = workers;
	metrics->pages = pages;
	return metrics;
}

void metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	munmap(metrics->pages, metrics->workers * sizeof *metrics->pages);
	mem_free(metrics);
}

/* ---- written ---- */

static void set_why(struct page *page, const char *why)
{
	size_t length = strnlen(why, WHY_MAX - 1);
	for (size_t i = 0; i <= length; i++)
		atomic_store_explicit(&page->why[i], i < length ? why[i] : '\0', memory_order_relaxed);
}

void metrics_publish(struct metrics *metrics, unsigned worker, const struct metrics_sample *sample)
{
	struct page *page = page_of(metrics, worker);
	const void *const origins[] = {
		[FROM_ELSEWHERE] = NULL,
		[FROM_SERVER] = sample->server,
		[FROM_TRAIN] = sample->train,
		[FROM_QUEUE] = sample->queue,
		[FROM_ROOM] = sample->room,
		[FROM_SIGNER] = sample->signer,
		[FROM_CORRECTOR] = sample->corrector,
		[FROM_SWEEPER] = sample->sweeper,
		[FROM_ERASER] = sample->eraser,
		[FROM_RETENTION_SWEEPER] = sample->retention_sweeper,
	};
	for (size_t metric = 0; metric < METRICS; metric++) {
		const char *origin = origins[metrics_table[metric].origin];
		if (origin)
			set(page, metric, *(const uint64_t *)(const void *)(origin + metrics_table[metric].offset));
	}
	set(page, METRIC_SERVING, sample->state == SERVICE_SERVING);
	set(page, METRIC_CERTIFICATE_EXPIRY, (uint64_t)sample->certificate_expiry);
	set(page, METRIC_HEARD, (uint64_t)time(NULL));
	set_why(page, sample->why);
	atomic_store(&page->state, (uint32_t)sample->state);
	if (sample->state == SERVICE_SERVING)
		atomic_store(&page->has_served, true);
}

void metrics_worker_started(struct metrics *metrics, unsigned worker)
{
	struct page *page = page_of(metrics, worker);
	uint64_t now = (uint64_t)time(NULL);
	set(page, METRIC_ALIVE, 1);
	set(page, METRIC_STARTS, 1);
	set(page, METRIC_STARTED_AT, now);
	set(page, METRIC_HEARD, now);
	set_why(page, "it is starting");
	atomic_store(&page->state, SERVICE_STARTING);
}

/* It writes no more: what it counted is added to what those before it had counted. */
void metrics_worker_ended(struct metrics *metrics, unsigned worker)
{
	struct page *page = page_of(metrics, worker);
	for (size_t metric = 0; metric < METRICS; metric++) {
		if (metrics_table[metric].kind == COUNTER)
			page->carried[metric] += get(page, metric);
		set(page, metric, 0);
	}
	set_why(page, "it has ended");
	atomic_store(&page->state, SERVICE_NOT_SERVING);
}

/* ---- read ---- */

void metrics_set_elders(struct metrics *metrics, unsigned elders)
{
	metrics->elders = elders;
}

unsigned metrics_elders(const struct metrics *metrics)
{
	return metrics->elders;
}

bool metrics_is_alive(const struct metrics *metrics, unsigned worker)
{
	return get(page_of(metrics, worker), METRIC_ALIVE) != 0;
}

enum service_state metrics_state(const struct metrics *metrics, unsigned worker)
{
	return (enum service_state)atomic_load(&page_of(metrics, worker)->state);
}

bool metrics_has_served(const struct metrics *metrics, unsigned worker)
{
	return atomic_load(&page_of(metrics, worker)->has_served);
}

int64_t metrics_heard(const struct metrics *metrics, unsigned worker)
{
	return (int64_t)get(page_of(metrics, worker), METRIC_HEARD);
}

unsigned metrics_alive(const struct metrics *metrics)
{
	unsigned count = 0;
	for (unsigned worker = 1; worker <= metrics->workers; worker++)
		count += metrics_is_alive(metrics, worker);
	return count;
}

unsigned metrics_serving(const struct metrics *metrics)
{
	unsigned count = 0;
	for (unsigned worker = 1; worker <= metrics->workers; worker++)
		count += metrics_is_alive(metrics, worker) && metrics_state(metrics, worker) == SERVICE_SERVING;
	return count;
}

const char *metrics_why(struct metrics *metrics)
{
	if (metrics_serving(metrics) + metrics->elders > 0)
		return "serving";
	for (unsigned worker = 1; worker <= metrics->workers; worker++) {
		const struct page *page = page_of(metrics, worker);
		if (!metrics_is_alive(metrics, worker))
			continue;
		size_t length = 0;
		for (char next;
			length < WHY_MAX && (next = atomic_load_explicit(&page->why[length], memory_order_relaxed));)
			metrics->why[length++] = next;
		metrics->why[length] = '\0';
		return metrics->why;
	}
	return "no worker is alive";
}

static void write_head(struct evbuffer *out, const char *name, const char *help, enum kind kind)
{
	evbuffer_add_printf(
		out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind == COUNTER ? "counter" : "gauge");
}

static bool is_told(const struct page *page, size_t metric)
{
	switch (metrics_table[metric].kind) {
	case GAUGE:
		return get(page, METRIC_ALIVE) != 0;
	case MOMENT:
		return get(page, metric) != 0;
	default:
		return true;
	}
}

static void write_metric(const struct metrics *metrics, size_t metric, struct evbuffer *out)
{
	const char *name = metrics_table[metric].name;
	write_head(out, name, metrics_table[metric].help, metrics_table[metric].kind);
	for (unsigned worker = 1; worker <= metrics->workers; worker++) {
		const struct page *page = page_of(metrics, worker);
		if (is_told(page, metric))
			evbuffer_add_printf(out, "%s{worker=\"%u\"} %" PRIu64 "\n", name, worker,
				page->carried[metric] + get(page, metric));
	}
}

/* For people and for simple alarms; negative once it has expired. */
static void write_certificate_days(const struct metrics *metrics, struct evbuffer *out)
{
	const char *name = "needtoknow_certificate_expiry_days";
	write_head(out, name, "Days until the server's certificate expires.", GAUGE);
	for (unsigned worker = 1; worker <= metrics->workers; worker++) {
		int64_t expiry = (int64_t)get(page_of(metrics, worker), METRIC_CERTIFICATE_EXPIRY);
		if (expiry != 0)
			evbuffer_add_printf(
				out, "%s{worker=\"%u\"} %.2f\n", name, worker, (double)(expiry - time(NULL)) / DAY);
	}
}

void metrics_write(const struct metrics *metrics, struct evbuffer *out)
{
	write_head(out, "needtoknow_build_info", "The version that runs.", GAUGE);
	evbuffer_add_printf(out, "needtoknow_build_info{version=\"" NEEDTOKNOW_VERSION "\"} 1\n");
	write_head(out, "needtoknow_workers", "Workers that the configuration asks for.", GAUGE);
	evbuffer_add_printf(out, "needtoknow_workers %u\n", metrics->workers);
	write_head(out, "needtoknow_workers_of_before", "Workers of before a rolling restart that still serve.", GAUGE);
	evbuffer_add_printf(out, "needtoknow_workers_of_before %u\n", metrics->elders);
	for (size_t metric = 0; metric < METRICS; metric++)
		write_metric(metrics, metric, out);
	write_certificate_days(metrics, out);
}
