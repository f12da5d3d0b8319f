#include "daemon/metrics.h"
#include "support/check.h"

#include <stdio.h>
#include <time.h>

#define EXPIRY INT64_C(4102444800) /* 2100-01-01 */

/* What is told, as text; good until the next call. */
static const char *text_of(const struct metrics *metrics)
{
	static char text[64 * 1024];
	struct evbuffer *out = evbuffer_new();
	assert_non_null(out);
	metrics_write(metrics, out);
	size_t length = evbuffer_get_length(out);
	assert_true(length < sizeof text);
	assert_int_equal(evbuffer_remove(out, text, length), length);
	text[length] = '\0';
	evbuffer_free(out);
	return text;
}

/* The value of a line of this name (with its labels); -1 when there is none. */
static double value_of(const struct metrics *metrics, const char *name)
{
	char start[160];
	snprintf(start, sizeof start, "\n%s ", name);
	const char *line = strstr(text_of(metrics), start);
	return line ? strtod(line + strlen(start), NULL) : -1;
}

struct figures {
	struct server_counters server;
	struct train_counters train;
	struct queue_counters queue;
	struct eraser_counters eraser;
	struct retention_sweeper_counters retention_sweeper;
};

static void publish(struct metrics *metrics, unsigned worker, enum service_state state, const char *why,
	const struct figures *figures)
{
	metrics_publish(metrics, worker,
		&(struct metrics_sample){ .state = state,
			.why = why,
			.certificate_expiry = EXPIRY,
			.server = &figures->server,
			.train = &figures->train,
			.queue = &figures->queue,
			.eraser = &figures->eraser,
			.retention_sweeper = &figures->retention_sweeper });
}

/* Two workers' places, nobody in them. */
static int set_up(void **state)
{
	*state = metrics_new(2);
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	metrics_free(*state);
	return 0;
}

static void test_a_worker_is_told_with_its_number(void **state)
{
	struct metrics *metrics = *state;
	const struct figures figures = {
		.server = { .connections_accepted = 7, .connections_open = 3, .bytes_written = UINT64_MAX / 2 },
		.train = { .trains = 11, .entries = 12 },
		.queue = { .subscriptions = 5, .withdrawals = 6 },
		.eraser = { .waiting = 13, .resumed = 14, .forgotten = 15, .stopped = 1 },
		.retention_sweeper = { .looks = 16, .columns = 17, .waiting = 18, .stopped = 1 },
	};
	metrics_worker_started(metrics, 1);
	metrics_worker_started(metrics, 2);
	publish(metrics, 2, SERVICE_SERVING, "", &figures);
	assert_true(value_of(metrics, "needtoknow_connections_accepted_total{worker=\"2\"}") == 7);
	assert_true(value_of(metrics, "needtoknow_connections_accepted_total{worker=\"1\"}") == 0);
	assert_true(value_of(metrics, "needtoknow_connections_open{worker=\"2\"}") == 3);
	assert_true(value_of(metrics, "needtoknow_trains_total{worker=\"2\"}") == 11);
	assert_true(value_of(metrics, "needtoknow_ledger_entries_total{worker=\"2\"}") == 12);
	assert_true(value_of(metrics, "needtoknow_subscriptions_open{worker=\"2\"}") == 5);
	assert_true(value_of(metrics, "needtoknow_erasures_waiting{worker=\"2\"}") == 13);
	assert_true(value_of(metrics, "needtoknow_erasures_resumed_total{worker=\"2\"}") == 14);
	assert_true(value_of(metrics, "needtoknow_subjects_forgotten_total{worker=\"2\"}") == 15);
	assert_true(value_of(metrics, "needtoknow_erasures_stopped{worker=\"2\"}") == 1);
	assert_true(value_of(metrics, "needtoknow_column_sweeps_total{worker=\"2\"}") == 16);
	assert_true(value_of(metrics, "needtoknow_columns_erased_total{worker=\"2\"}") == 17);
	assert_true(value_of(metrics, "needtoknow_column_sweeps_waiting{worker=\"2\"}") == 18);
	assert_true(value_of(metrics, "needtoknow_column_sweeps_stopped{worker=\"2\"}") == 1);
	assert_true(value_of(metrics, "needtoknow_withdrawals_sent_total{worker=\"2\"}") == 6);
	assert_true(value_of(metrics, "needtoknow_worker_serving{worker=\"1\"}") == 0);
	assert_true(value_of(metrics, "needtoknow_worker_serving{worker=\"2\"}") == 1);
	assert_non_null(
		strstr(text_of(metrics), "\nneedtoknow_written_bytes_total{worker=\"2\"} 9223372036854775807\n"));
	assert_true(value_of(metrics, "needtoknow_workers") == 2);
}

static void test_counters_never_fall_and_gauges_end_with_their_worker(void **state)
{
	struct metrics *metrics = *state;
	const struct figures first = { .server = { .streams_opened = 100, .streams_open = 4 } };
	const struct figures second = { .server = { .streams_opened = 1, .streams_open = 1 } };
	const char *counter = "needtoknow_streams_opened_total{worker=\"1\"}";
	const char *gauge = "needtoknow_streams_open{worker=\"1\"}";
	metrics_worker_started(metrics, 1);
	publish(metrics, 1, SERVICE_SERVING, "", &first);
	assert_true(value_of(metrics, counter) == 100);
	assert_true(value_of(metrics, gauge) == 4);

	metrics_worker_ended(metrics, 1);
	assert_true(value_of(metrics, counter) == 100);
	assert_true(value_of(metrics, gauge) == -1);
	assert_true(value_of(metrics, "needtoknow_worker_alive{worker=\"1\"}") == 0);
	assert_true(value_of(metrics, "needtoknow_worker_serving{worker=\"1\"}") == 0);

	metrics_worker_started(metrics, 1);
	assert_true(value_of(metrics, counter) == 100);
	publish(metrics, 1, SERVICE_SERVING, "", &second);
	assert_true(value_of(metrics, counter) == 101);
	assert_true(value_of(metrics, gauge) == 1);
	assert_true(value_of(metrics, "needtoknow_worker_starts_total{worker=\"1\"}") == 2);
	metrics_worker_ended(metrics, 1);
	metrics_worker_started(metrics, 1);
	assert_true(value_of(metrics, counter) == 101);
	assert_true(value_of(metrics, "needtoknow_worker_starts_total{worker=\"1\"}") == 3);
}

static void test_the_certificate_s_end_is_told_once_it_is_known(void **state)
{
	struct metrics *metrics = *state;
	const struct figures figures = { 0 };
	metrics_worker_started(metrics, 1);
	assert_true(value_of(metrics, "needtoknow_certificate_expiry_timestamp_seconds{worker=\"1\"}") == -1);
	assert_true(value_of(metrics, "needtoknow_certificate_expiry_days{worker=\"1\"}") == -1);
	publish(metrics, 1, SERVICE_NOT_SERVING, "", &figures);
	assert_true(value_of(metrics, "needtoknow_certificate_expiry_timestamp_seconds{worker=\"1\"}") == EXPIRY);
	double days = value_of(metrics, "needtoknow_certificate_expiry_days{worker=\"1\"}");
	assert_true(days > 10000 && days < (double)EXPIRY / 86400);
}

static void test_before_the_train_is_there_its_figures_stand_still(void **state)
{
	struct metrics *metrics = *state;
	struct figures figures = { .train = { .calls = 9 } };
	metrics_worker_started(metrics, 1);
	publish(metrics, 1, SERVICE_SERVING, "", &figures);
	metrics_publish(metrics, 1,
		&(struct metrics_sample){
			.state = SERVICE_NOT_SERVING, .why = "", .server = &figures.server, .queue = &figures.queue });
	assert_true(value_of(metrics, "needtoknow_train_calls_total{worker=\"1\"}") == 9);
}

static void test_alive_serving_and_why(void **state)
{
	struct metrics *metrics = *state;
	const struct figures figures = { 0 };
	assert_int_equal(metrics_alive(metrics), 0);
	assert_string_equal(metrics_why(metrics), "no worker is alive");

	metrics_worker_started(metrics, 2);
	assert_int_equal(metrics_alive(metrics), 1);
	assert_false(metrics_is_alive(metrics, 1));
	assert_true(metrics_is_alive(metrics, 2));
	assert_int_equal(metrics_serving(metrics), 0);
	assert_string_equal(metrics_why(metrics), "it is starting");
	assert_in_range(metrics_heard(metrics, 2), time(NULL) - 5, time(NULL));

	publish(metrics, 2, SERVICE_NOT_SERVING, "our own database cannot be reached", &figures);
	assert_string_equal(metrics_why(metrics), "our own database cannot be reached");
	assert_false(metrics_has_served(metrics, 2));
	publish(metrics, 2, SERVICE_NOT_SERVING, "shorter", &figures);
	assert_string_equal(metrics_why(metrics), "shorter");

	publish(metrics, 2, SERVICE_SERVING, "", &figures);
	assert_int_equal(metrics_serving(metrics), 1);
	assert_string_equal(metrics_why(metrics), "serving");
	publish(metrics, 2, SERVICE_DRAINING, "it is being stopped", &figures);
	assert_int_equal(metrics_serving(metrics), 0);
	metrics_worker_ended(metrics, 2);
	assert_true(metrics_has_served(metrics, 2));
	assert_false(metrics_has_served(metrics, 1));
	assert_string_equal(metrics_why(metrics), "no worker is alive");
}

static void test_a_sentence_that_is_too_long_is_cut(void **state)
{
	struct metrics *metrics = *state;
	const struct figures figures = { 0 };
	char why[4096];
	memset(why, 'x', sizeof why);
	why[sizeof why - 1] = '\0';
	metrics_worker_started(metrics, 1);
	publish(metrics, 1, SERVICE_NOT_SERVING, why, &figures);
	size_t length = strlen(metrics_why(metrics));
	assert_in_range(length, 200, 1000);
	assert_int_equal(strspn(metrics_why(metrics), "x"), length);
}

/* What a worker writes after the fork is what the supervisor reads. */
static void test_pages_are_shared_with_children(void **state)
{
	struct metrics *metrics = *state;
	const struct figures figures = { .server = { .bytes_read = 42 } };
	int status;
	metrics_worker_started(metrics, 1);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		publish(metrics, 1, SERVICE_SERVING, "", &figures);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(metrics_serving(metrics), 1);
	assert_true(value_of(metrics, "needtoknow_read_bytes_total{worker=\"1\"}") == 42);
}

/* Of the exposition format: help and type before each name's lines, which stand together; names and labels as allowed.
 */
static void test_the_format_is_prometheus_own(void **state)
{
	struct metrics *metrics = *state;
	const struct figures figures = { 0 };
	char family[128] = "", name[128], kind[16], rest[512];
	metrics_worker_started(metrics, 1);
	publish(metrics, 1, SERVICE_SERVING, "", &figures);
	const char *text = text_of(metrics);
	assert_int_equal(text[strlen(text) - 1], '\n');
	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		if (sscanf(line, "# HELP %127s %511[^\n]", name, rest) == 2) {
			assert_string_not_equal(name, family);
			snprintf(family, sizeof family, "%s", name);
			assert_memory_equal(name, "needtoknow_", 11);
			assert_int_equal(rest[strlen(rest) - 1], '.');
		} else if (sscanf(line, "# TYPE %127s %15s", name, kind) == 2) {
			assert_string_equal(name, family);
			size_t length = strlen(name);
			bool total = length > 6 && strcmp(name + length - 6, "_total") == 0;
			assert_string_equal(kind, total ? "counter" : "gauge");
		} else {
			assert_int_equal(strspn(line, "abcdefghijklmnopqrstuvwxyz_"), strlen(family));
			assert_memory_equal(line, family, strlen(family));
			const char *value = strchr(line, ' ');
			assert_non_null(value);
			char *end;
			strtod(value + 1, &end);
			assert_int_equal(*end, '\n');
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_worker_is_told_with_its_number, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_counters_never_fall_and_gauges_end_with_their_worker, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_certificate_s_end_is_told_once_it_is_known, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_before_the_train_is_there_its_figures_stand_still, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alive_serving_and_why, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_sentence_that_is_too_long_is_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pages_are_shared_with_children, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_format_is_prometheus_own, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
