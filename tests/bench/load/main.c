/*
 * needtoknow_load: one booking system and its recipients' apps, as fast as the server lets them, over mutual TLS.
 * It is told what to do on standard input, a phase a line, and answers each with one line of JSON:
 *
 *   $ printf 'share count=20000\ndeliver\nacknowledge\nbooking count=5000 rate=1000\n' | needtoknow_load ...
 */
#include "base/memory.h"
#include "handshakes.h"
#include "phases.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
	"usage: needtoknow_load --address HOST:PORT --ca FILE --certificates DIR --clients N [OPTION...]\n"
	"\n"
	"Standard input: a phase a line, `share count=N`, `deliver`, `acknowledge`, `booking count=N`,\n"
	"`overload count=N rate=R`. Share and booking take rate=R (a second: open loop) or in_flight=N (closed loop);\n"
	"`connect count=N` makes connections, each with a full handshake, in_flight=N at a time [16];\n"
	"overload is a booking of which the service may refuse some for want of room. Standard output: a JSON object a "
	"line.\n"
	"\n"
	"  --recipients A,B      who receives [sparkle,greenthumb]\n"
	"  --service NAME        what is shared [home-cleaning]\n"
	"  --first N             the first booking, from 1 [1]\n"
	"  --run WORD            in request ids; a run that repeats another's gets that one's answers [the time]\n"
	"  --connections N       of the booking system [16]\n"
	"  --in-flight N         shares, together [1024]\n"
	"  --streams N           of recipients [as many as the backlog needs; one each in `booking`]\n"
	"  --window N            max_unacknowledged [1024]\n"
	"  --batch N             delivery ids in a call of Acknowledge [256]\n"
	"  --acknowledging N     such calls in flight, a stream [2]\n"
	"  --timeout N           seconds that a phase may take [120]\n"
	"  --deliveries FILE     appends a line for each delivery: its id, its entry's index and leaf hash\n";

#define CONNECT_AT_ONCE 16
#define WINDOW_FROM INT64_C(24 * 3600) /* of every share: seconds from now */
#define WINDOW_TO INT64_C(26 * 3600)

static uint64_t number(const char *text, uint64_t least, uint64_t most)
{
	char *end;

	errno = 0;
	uint64_t value = strtoull(text, &end, 10);
	if (errno == 0 && *text >= '0' && *text <= '9' && *end == '\0' && value >= least && value <= most)
		return value;
	fprintf(stderr, "needtoknow_load: `%s` is no number from %" PRIu64 " to %" PRIu64 "\n", text, least, most);
	exit(2);
}

static void take_recipients(struct load_options *options, char *list)
{
	char *name;

	options->recipient_count = 0;
	while ((name = strsep(&list, ",")) != NULL && options->recipient_count < LOAD_RECIPIENTS_MAX)
		options->recipients[options->recipient_count++] = name;
}

static void take_numbers(struct load *load, char option, const char *text)
{
	struct load_options *options = &load->options;
	const struct {
		char option;
		uint32_t *value;
		uint64_t most;
	} table[] = {
		{ 'C', &options->connections, 10000 },
		{ 'i', &options->in_flight, 1000000 },
		{ 'S', &options->streams, 10000 },
		{ 'w', &options->window, 1024 },
		{ 'b', &options->batch, 1000 },
		{ 'A', &options->acknowledging, 1000 },
		{ 't', &options->timeout, 86400 },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (table[i].option == option)
			*table[i].value = (uint32_t)number(text, 1, table[i].most);
}

/* The deliveries' file, or NULL when none is wanted. */
static FILE *take_options(struct load *load, int argc, char **argv)
{
	static const struct option known[] = {
		{ "address", required_argument, NULL, 'a' },
		{ "ca", required_argument, NULL, 'c' },
		{ "certificates", required_argument, NULL, 'd' },
		{ "clients", required_argument, NULL, 'n' },
		{ "recipients", required_argument, NULL, 'r' },
		{ "service", required_argument, NULL, 's' },
		{ "first", required_argument, NULL, 'f' },
		{ "run", required_argument, NULL, 'R' },
		{ "connections", required_argument, NULL, 'C' },
		{ "in-flight", required_argument, NULL, 'i' },
		{ "streams", required_argument, NULL, 'S' },
		{ "window", required_argument, NULL, 'w' },
		{ "batch", required_argument, NULL, 'b' },
		{ "acknowledging", required_argument, NULL, 'A' },
		{ "timeout", required_argument, NULL, 't' },
		{ "deliveries", required_argument, NULL, 'D' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct load_options *options = &load->options;
	FILE *deliveries = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'a':
			options->address = optarg;
			break;
		case 'c':
			options->ca = optarg;
			break;
		case 'd':
			options->certificates = optarg;
			break;
		case 'n':
			options->clients = number(optarg, 1, 99999999);
			break;
		case 'r':
			take_recipients(options, optarg);
			break;
		case 's':
			options->service = optarg;
			break;
		case 'f':
			load->first = number(optarg, 1, 99999999) - 1;
			break;
		case 'R':
			options->run = optarg;
			break;
		case 'D':
			deliveries = fopen(optarg, "a");
			if (deliveries == NULL) {
				fprintf(stderr, "needtoknow_load: %s: %s\n", optarg, strerror(errno));
				exit(2);
			}
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case '?':
			fputs(usage, stderr);
			exit(2);
		default:
			take_numbers(load, (char)option, optarg);
			break;
		}
	}
	if (options->address == NULL || options->ca == NULL || options->certificates == NULL || options->clients == 0 ||
		optind < argc) {
		fputs(usage, stderr);
		exit(2);
	}
	return deliveries;
}

/* `share count=20000 rate=500`; cuts the line in place. 0 or -1. */
static int parse_order(char *line, struct phase_order *out)
{
	char *word;

	*out = (struct phase_order){ .name = strsep(&line, " ") };
	while ((word = strsep(&line, " ")) != NULL) {
		char *value = strchr(word, '=');
		if (value == NULL)
			return -1;
		*value++ = '\0';
		if (strcmp(word, "count") == 0)
			out->count = (uint32_t)number(value, 1, UINT32_MAX);
		else if (strcmp(word, "in_flight") == 0)
			out->in_flight = (uint32_t)number(value, 1, 1000000);
		else if (strcmp(word, "rate") == 0)
			out->rate = (double)number(value, 1, 10000000);
		else
			return -1;
	}
	return 0;
}

static void write_deliveries(const struct load *load, FILE *file)
{
	for (uint32_t i = 0; i < load->count; i++) {
		const struct load_booking *booking = &load->bookings[i];
		if (booking->received == 0)
			continue;
		fprintf(file, "%s %" PRIu64 " ", booking->delivery_id, booking->ledger_index);
		for (size_t at = 0; at < sizeof booking->leaf_hash; at++)
			fprintf(file, "%02x", booking->leaf_hash[at]);
		fputc('\n', file);
	}
	fflush(file);
}

static int obey(struct load *load, struct phases *phases, FILE *deliveries)
{
	char line[256];

	while (fgets(line, sizeof line, stdin) != NULL) {
		struct phase_order order;
		line[strcspn(line, "\n")] = '\0';
		if (parse_order(line, &order) != 0)
			load_fail(load, "a phase's words are count=, rate= and in_flight=", NULL);
		json_t *report = strcmp(order.name, "connect") == 0
			? handshakes_run(load, order.count, order.in_flight != 0 ? order.in_flight : CONNECT_AT_ONCE)
			: phases_run(phases, &order);
		if (report == NULL)
			return -1;
		char *text = json_dumps(report, JSON_REAL_PRECISION(6));
		puts(text);
		fflush(stdout);
		free(text);
		json_decref(report);
		if (deliveries != NULL &&
			(strcmp(order.name, "deliver") == 0 || strcmp(order.name, "booking") == 0 ||
				strcmp(order.name, "overload") == 0))
			write_deliveries(load, deliveries);
	}
	return load->failure[0] == '\0' ? 0 : -1;
}

int main(int argc, char **argv)
{
	char run[24];
	struct load load = { .options = {
				     .recipients = { "sparkle", "greenthumb" },
				     .recipient_count = 2,
				     .service = "home-cleaning",
				     .run = run,
				     .connections = 16,
				     .in_flight = 1024,
				     .window = 1024,
				     .batch = 256,
				     .acknowledging = 2,
				     .timeout = 120,
			     } };
	int64_t now = (int64_t)time(NULL);
	int failed = -1;

	snprintf(run, sizeof run, "%" PRId64, now);
	load.starts_at = (now + WINDOW_FROM) * 1000000;
	load.ends_at = (now + WINDOW_TO) * 1000000;
	FILE *deliveries = take_options(&load, argc, argv);
	load.loop = loop_new();
	if (load.loop == NULL) {
		fputs("needtoknow_load: no event loop\n", stderr);
		return 1;
	}
	struct phases *phases = phases_new(&load);
	if (load.failure[0] == '\0')
		failed = obey(&load, phases, deliveries);
	if (failed != 0)
		fprintf(stderr, "needtoknow_load: %s\n", load.failure);
	phases_free(phases);
	loop_free(load.loop);
	if (deliveries != NULL && fclose(deliveries) != 0)
		failed = -1;
	return failed == 0 ? 0 : 1;
}
