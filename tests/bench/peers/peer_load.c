/*
 * What asks a peer (peer.proto) for clients' values, as fast as it answers, over mutual TLS: on the same HTTP/2 client
 * as needtoknow_load, so that what differs is the server.
 *
 *   $ printf 'get count=20000\n' | peer_load ADDRESS CA CERTIFICATES-DIR CLIENTS CONNECTIONS IN-FLIGHT
 *
 * A line of JSON for each line. An answer counts when it has the log's number and all three values.
 */
#include "base/memory.h"
#include "load.h"
#include "peer.pb-c.h"
#include "pure/message.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define ANSWER_MAX (16 * 1024)

struct asker;

struct question {
	struct asker *asker;
	int64_t started;
};

struct asker {
	struct load *load;
	struct channel **channels;
	struct question *questions;
	uint32_t count, started, answered;
	struct latencies latencies;
};

static void ask(struct asker *asker);

static bool is_whole(const struct channel_reply *reply)
{
	struct arena *arena = arena_new(ANSWER_MAX);
	ProtobufCMessage *message;
	const char *field;
	bool whole = false;

	if (message_unpack(&peer__get_response__descriptor, reply->message, reply->length, arena, &message, &field) ==
		MESSAGE_OK) {
		const Peer__GetResponse *response = (const Peer__GetResponse *)message;
		whole = response->log_id > 0 && *response->given_name && *response->home_address && *response->phone;
	}
	arena_free(arena);
	return whole;
}

static void on_answer(void *context, const struct channel_reply *reply)
{
	const struct question *question = context;
	struct asker *asker = question->asker;

	if (reply->status->code != NEEDTOKNOW_OK) {
		load_fail(asker->load, "Get", reply->status);
		return;
	}
	if (!is_whole(reply)) {
		load_fail(asker->load, "Get: the answer lacks a value", NULL);
		return;
	}
	latencies_add(&asker->latencies, latency_clock() - question->started);
	if (++asker->answered == asker->count)
		loop_stop(asker->load->loop);
	else
		ask(asker);
}

static void ask(struct asker *asker)
{
	struct load *load = asker->load;
	Peer__GetRequest request = PEER__GET_REQUEST__INIT;
	char booking[24], subject[24];

	if (asker->started == asker->count)
		return;
	uint32_t index = asker->started++;
	uint64_t number = load->first++ % load->options.clients + 1;
	snprintf(booking, sizeof booking, "B%06" PRIu64, number);
	snprintf(subject, sizeof subject, "C%06" PRIu64, number);
	request.booking_id = booking;
	request.subject_id = subject;
	request.recipient_id = "sparkle";
	request.service = "home-cleaning";
	asker->questions[index] = (struct question){ asker, latency_clock() };
	load_call(asker->channels[index % load->options.connections], "/peer.Clients/Get", &request.base, NULL,
		on_answer, &asker->questions[index]);
}

static bool ask_all(struct asker *asker, uint32_t count)
{
	asker->count = count;
	asker->started = asker->answered = 0;
	asker->latencies.count = 0;
	asker->questions = mem_realloc(asker->questions, count * sizeof *asker->questions);
	for (uint32_t i = 0; i < asker->load->options.in_flight; i++)
		ask(asker);
	return load_run(asker->load);
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int obey(struct asker *asker)
{
	char line[80];

	while (fgets(line, sizeof line, stdin) != NULL) {
		unsigned count;
		if (sscanf(line, "get count=%u", &count) != 1 || count == 0) {
			fprintf(stderr, "peer_load: an order is `get count=N`\n");
			return 2;
		}
		double cpu = cpu_seconds();
		int64_t began = latency_clock();
		if (!ask_all(asker, count)) {
			fprintf(stderr, "peer_load: %s\n", asker->load->failure);
			return 1;
		}
		double seconds = (double)(latency_clock() - began) / 1e6;
		json_t *report = json_pack("{s:s, s:i, s:f, s:f, s:f, s:{s:{s:f, s:f, s:f}}}", "phase", "get", "count",
			(int)count, "seconds", seconds, "per_second", count / seconds, "cpu_seconds",
			cpu_seconds() - cpu, "milliseconds", "get", "p50", latencies_quantile(&asker->latencies, 0.5),
			"p99", latencies_quantile(&asker->latencies, 0.99), "max",
			latencies_quantile(&asker->latencies, 1));
		json_dumpf(report, stdout, JSON_COMPACT);
		json_decref(report);
		putchar('\n');
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 7) {
		fprintf(stderr, "usage: peer_load ADDRESS CA CERTIFICATES-DIR CLIENTS CONNECTIONS IN-FLIGHT\n");
		return 2;
	}
	struct load load = { .loop = loop_new() };
	load.options = (struct load_options){ .address = argv[1],
		.ca = argv[2],
		.certificates = argv[3],
		.clients = strtoull(argv[4], NULL, 10),
		.connections = (uint32_t)strtoul(argv[5], NULL, 10),
		.in_flight = (uint32_t)strtoul(argv[6], NULL, 10),
		.timeout = 300 };
	struct asker asker = { .load = &load };
	asker.channels = mem_calloc(load.options.connections, sizeof(struct channel *));
	for (uint32_t i = 0; i < load.options.connections; i++)
		asker.channels[i] = load_channel(&load, "booking");
	int result = load.failure[0] != '\0' ? 1 : obey(&asker);
	if (load.failure[0] != '\0' && result == 0)
		fprintf(stderr, "peer_load: %s\n", load.failure);
	for (uint32_t i = 0; i < load.options.connections; i++)
		channel_free(asker.channels[i]);
	mem_free(asker.channels);
	mem_free(asker.questions);
	latencies_release(&asker.latencies);
	loop_free(load.loop);
	return result;
}
