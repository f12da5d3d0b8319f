#include "cli/bulk.h"

#include "base/memory.h"
#include "cli/bulk_failures.h"
#include "cli/bulk_results.h"
#include "cli/failure.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/rights_request.h"
#include "client/backoff.h"
#include "client/endpoint.h"
#include "client/status.h"
#include "pure/time.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#define IN_FLIGHT 16
#define IN_FLIGHT_MAX 256
#define TIMEOUT (60 * TIME_SECOND)
/* Together half a minute and more: a fail-over of the database takes that long. */
#define TRIES 9
#define TRIES_OF_NOBODY 4 /* while nobody has answered yet: the address may be wrong */
#define UNAVAILABLE_MAX 4 /* lines in a row; one alone may be its client's */
#define BACKOFF_FIRST (TIME_SECOND / 4)
#define BACKOFF_LONGEST (10 * TIME_SECOND)

struct bulk;

/* A line that is on its way, or waits to be tried again. */
struct flight {
	struct bulk *bulk;
	struct bulk_line *line; /* NULL: free */
	struct channel_call *call;
	struct loop_timer timer;
	struct backoff backoff;
};

struct bulk {
	const struct invocation *invocation;
	const struct bulk_kind *kind;
	struct bulk_file file;
	struct bulk_results results;
	struct endpoint endpoint;
	struct flight *flights;
	int32_t in_flight;
	size_t flying, next; /* the next line that was not begun */
	struct progress progress;

	size_t before, same, done; /* lines: done by an earlier run, that ask what another asks, done by this one */
	struct bulk_failures failures;
	unsigned unavailable; /* lines in a row that it could not do now */
	bool answered; /* somebody is there */
	bool stopping; /* begin no other line */
	struct needtoknow_status gave_up; /* why it stopped; its code 0: it did not */
};

/* ---- one line ---- */

static void fill(struct bulk *bulk);

static void land(struct flight *flight)
{
	struct bulk *bulk = flight->bulk;

	flight->line = NULL;
	flight->call = NULL;
	bulk->flying--;
	fill(bulk);
}

static void give_up(struct bulk *bulk, const struct needtoknow_status *status)
{
	if (bulk->stopping)
		return;
	bulk->stopping = true;
	bulk->gave_up = *status;
}

static void record(struct bulk *bulk, const struct bulk_line *line, const struct bulk_result *result)
{
	struct needtoknow_status status;

	if (bulk_results_add(&bulk->results, line, result) == 0)
		return;
	/* It would not be known any more what was done. */
	client_status_set(&status, NEEDTOKNOW_INTERNAL, NULL, "the file of results cannot be written");
	give_up(bulk, &status);
}

static void succeeded(struct flight *flight, const struct channel_reply *reply)
{
	struct bulk *bulk = flight->bulk;
	struct arena *arena = arena_new(ENDPOINT_ARENA_MAX);
	struct needtoknow_status status = { 0 };
	const ProtobufCMessage *answer =
		endpoint_unpack(bulk->kind->method->response, reply->message, reply->length, arena, &status);
	const Needtoknow__V1__Receipt *receipt = answer != NULL ? bulk->kind->receipt(answer) : NULL;

	flight->line->done = true;
	flight->line->ledger_index = receipt != NULL ? receipt->ledger_index : 0;
	bulk->done++;
	record(bulk, flight->line, &(struct bulk_result){ "DONE", "", "" });
	arena_free(arena);
}

static void failed(struct flight *flight, const struct needtoknow_status *status, enum exit_code code)
{
	struct bulk *bulk = flight->bulk;
	const char *outcome = code == EXIT_REFUSED ? "REFUSED" : code == EXIT_UNAVAILABLE ? "UNAVAILABLE" : "FAILED";

	bulk_failures_add(&bulk->failures, flight->line, code, status);
	record(bulk, flight->line,
		&(struct bulk_result){ outcome,
			status->reason[0] != '\0' ? status->reason : needtoknow_status_name(status->code),
			status->message });
}

/* Of all lines alike: the next one would fail too, and none of them was asked for. */
static bool concerns_all(const struct needtoknow_status *status, enum exit_code code)
{
	return code == EXIT_NOT_PERMITTED || status->code == NEEDTOKNOW_UNIMPLEMENTED ||
		strcmp(status->reason, NEEDTOKNOW_REASON_CONNECTION_FAILED) == 0 ||
		strcmp(status->reason, "RIGHTS_NOT_CONFIGURED") == 0;
}

static bool try_again(struct flight *flight, enum exit_code code)
{
	struct bulk *bulk = flight->bulk;
	unsigned tries = bulk->answered ? TRIES : TRIES_OF_NOBODY;

	if (code != EXIT_UNAVAILABLE || flight->backoff.failures + 1 >= tries || bulk->stopping)
		return false;
	loop_timer_set(&flight->timer, backoff_next(&flight->backoff));
	return true;
}

static void on_done(void *context, const struct channel_reply *reply)
{
	struct flight *flight = context;
	struct bulk *bulk = flight->bulk;
	enum exit_code code = rights_failure_code(reply->status);

	flight->call = NULL;
	bulk->answered |= strcmp(reply->status->reason, NEEDTOKNOW_REASON_CONNECTION_FAILED) != 0;
	if (try_again(flight, code))
		return;
	bulk->unavailable = code == EXIT_UNAVAILABLE ? bulk->unavailable + 1 : 0;
	if (code == EXIT_OK)
		succeeded(flight, reply);
	else if (concerns_all(reply->status, code))
		give_up(bulk, reply->status);
	else
		failed(flight, reply->status, code);
	if (bulk->unavailable >= UNAVAILABLE_MAX)
		give_up(bulk, reply->status);
	progress_show(&bulk->progress, bulk->before + bulk->same + bulk->done + bulk->failures.count);
	land(flight);
}

static void send_line(void *context)
{
	struct flight *flight = context;
	struct bulk *bulk = flight->bulk;
	size_t length;
	uint8_t *request = bulk->kind->pack(bulk->invocation, flight->line, &length);

	flight->call = channel_start(bulk->endpoint.channel,
		&(struct channel_request){ .path = bulk->kind->method->path,
			.message = request,
			.length = length,
			.timeout = TIMEOUT,
			.done = on_done,
			.context = flight });
	mem_free(request);
}

/* ---- all ---- */

static struct bulk_line *next_line(struct bulk *bulk)
{
	while (!bulk->stopping && bulk->next < bulk->file.count) {
		struct bulk_line *line = &bulk->file.lines[bulk->next++];
		if (!line->done && line->same_as == 0)
			return line;
	}
	return NULL;
}

static void fill(struct bulk *bulk)
{
	for (int32_t i = 0; i < bulk->in_flight; i++) {
		struct flight *flight = &bulk->flights[i];
		if (flight->line != NULL)
			continue;
		flight->line = next_line(bulk);
		if (flight->line == NULL)
			break;
		flight->backoff = (struct backoff){ .first = BACKOFF_FIRST, .longest = BACKOFF_LONGEST };
		bulk->flying++;
		send_line(flight);
	}
	if (bulk->flying == 0)
		loop_stop(bulk->endpoint.loop);
}

/* For the signal handler, which is given nothing. */
static struct endpoint *running;

static void on_signal(int number)
{
	(void)number;
	endpoint_wake(running);
}

/* What is on its way is waited for; what waits to be tried again is not. */
static void on_interrupt(void *context)
{
	struct bulk *bulk = context;

	bulk->stopping = true;
	for (int32_t i = 0; i < bulk->in_flight; i++) {
		struct flight *flight = &bulk->flights[i];
		if (flight->line == NULL || flight->call != NULL)
			continue;
		loop_timer_clear(&flight->timer);
		flight->line = NULL;
		bulk->flying--;
	}
	if (bulk->flying == 0)
		loop_stop(bulk->endpoint.loop);
}

static void handle_signals(struct endpoint *endpoint)
{
	/* The second one ends it at once. */
	struct sigaction action = { .sa_handler = endpoint != NULL ? on_signal : SIG_DFL,
		.sa_flags = (int)SA_RESETHAND };

	running = endpoint;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static void run_lines(struct bulk *bulk)
{
	bulk->flights = mem_calloc((size_t)bulk->in_flight, sizeof *bulk->flights);
	for (int32_t i = 0; i < bulk->in_flight; i++) {
		bulk->flights[i].bulk = bulk;
		loop_timer_init(&bulk->flights[i].timer, bulk->endpoint.loop, send_line, &bulk->flights[i]);
	}
	progress_start(&bulk->progress, bulk->kind->doing, bulk->before + bulk->same, bulk->file.count);
	bulk->progress.unit = "lines";
	handle_signals(&bulk->endpoint);
	fill(bulk);
	if (bulk->flying > 0 && loop_run(bulk->endpoint.loop) != 0)
		client_status_set(&bulk->gave_up, NEEDTOKNOW_INTERNAL, NULL, "the event loop failed");
	handle_signals(NULL);
	progress_end(&bulk->progress);
	for (int32_t i = 0; i < bulk->in_flight; i++) {
		if (bulk->flights[i].call != NULL)
			channel_cancel(bulk->flights[i].call);
		loop_timer_release(&bulk->flights[i].timer);
	}
	mem_free(bulk->flights);
}

/* ---- before and after ---- */

static enum exit_code check_flags(const struct bulk *bulk)
{
	const struct invocation *invocation = bulk->invocation;

	if (invocation->operand != NULL)
		return rights_contradict(invocation, invocation->operand, "--file");
	for (const char *const *name = bulk->kind->singles; *name != NULL; name++) {
		char flag[32];
		snprintf(flag, sizeof flag, "--%s", *name);
		if (flag_given(invocation, *name))
			return rights_contradict(invocation, flag, "--file");
	}
	return EXIT_OK;
}

static void count_lines(struct bulk *bulk)
{
	for (size_t i = 0; i < bulk->file.count; i++) {
		bulk->same += bulk->file.lines[i].same_as != 0;
		bulk->before += bulk->file.lines[i].done;
	}
}

static enum exit_code connect_it(struct bulk *bulk)
{
	struct needtoknow_options options;
	struct needtoknow_status status;
	enum exit_code code = options_connection(bulk->invocation, &options, stderr);

	if (code == EXIT_OK && endpoint_init(&bulk->endpoint, &options, on_interrupt, bulk, &status) != 0)
		code = failure_report(bulk->invocation, &status);
	return code;
}

static void say(struct bulk *bulk, size_t left)
{
	if (flag_given(bulk->invocation, "json")) {
		json_t *object = json_object();
		json_object_set_new(object, "lines", json_integer((json_int_t)bulk->file.count));
		json_object_set_new(object, "done", json_integer((json_int_t)bulk->done));
		json_object_set_new(object, "done_before", json_integer((json_int_t)bulk->before));
		json_object_set_new(object, "same", json_integer((json_int_t)bulk->same));
		json_object_set_new(object, "refused", json_integer((json_int_t)bulk->failures.refused));
		json_object_set_new(
			object, "failed", json_integer((json_int_t)(bulk->failures.count - bulk->failures.refused)));
		json_object_set_new(object, "left", json_integer((json_int_t)left));
		json_object_set_new(object, "results", json_string(bulk->results.path));
		output_json_line(object);
		return;
	}
	printf("%zu of %zu lines %s, %.0f a second", bulk->done, bulk->file.count, bulk->kind->doing,
		progress_rate(&bulk->progress, bulk->before + bulk->same + bulk->done));
	if (bulk->before > 0)
		printf("; %zu were before", bulk->before);
	if (bulk->same > 0)
		printf("; %zu ask what an earlier line asks", bulk->same);
	printf(".\n");
	output_line(stdout, "results", bulk->results.path);
	output_flush();
}

/* What went wrong, at the end, where it is read. */
static enum exit_code report(struct bulk *bulk)
{
	size_t over = bulk->before + bulk->same + bulk->done + bulk->failures.count;
	size_t left = bulk->file.count - over;

	say(bulk, left);
	bulk_failures_print(&bulk->failures, flag_value(bulk->invocation, "file"), bulk->results.path);
	if (left > 0)
		fprintf(stderr, "%zu lines were not begun: run it again to go on.\n", left);
	if (bulk->gave_up.code != NEEDTOKNOW_OK)
		return rights_failed(bulk->invocation, &bulk->gave_up, NULL);
	if (bulk->failures.count == 0)
		return left > 0 ? EXIT_FAILED : EXIT_OK;
	return bulk_failures_code(&bulk->failures);
}

enum exit_code bulk_run(const struct invocation *invocation, const struct bulk_kind *kind)
{
	struct bulk bulk = { .invocation = invocation, .kind = kind, .in_flight = IN_FLIGHT };
	const char *path = flag_value(invocation, "file");
	enum exit_code code = check_flags(&bulk);

	if (code == EXIT_OK)
		code = options_number(invocation, "in-flight", 1, IN_FLIGHT_MAX, &bulk.in_flight, stderr);
	if (code == EXIT_OK)
		code = bulk_file_read(invocation, &kind->shape, path, &bulk.file);
	if (code != EXIT_OK)
		return code;
	code = connect_it(&bulk);
	if (code == EXIT_OK) {
		code = bulk_results_open(&bulk.results, flag_value(invocation, "results"), path,
			(kind->shape.columns & BULK_HAS(BULK_VALUE)) != 0, &bulk.file);
		if (code == EXIT_OK) {
			count_lines(&bulk);
			run_lines(&bulk);
			code = report(&bulk);
		}
		endpoint_release(&bulk.endpoint);
	}
	if (bulk_results_close(&bulk.results) != 0 && code == EXIT_OK)
		code = EXIT_FAILED;
	bulk_failures_release(&bulk.failures);
	bulk_file_release(&bulk.file);
	return code;
}
