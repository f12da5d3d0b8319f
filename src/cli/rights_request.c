#include "cli/rights_request.h"

#include "cli/failure.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/when.h"
#include "pure/time.h"

#include <string.h>

int rights_channel_parse(const char *text, Needtoknow__V1__Channel *out)
{
	char name[16];
	int value;

	if (snprintf(name, sizeof name, "%s", text) >= (int)sizeof name)
		return -1;
	for (char *at = name; *at != '\0'; at++)
		*at = *at == '-' ? '_' : *at;
	if (output_enum_parse(&needtoknow__v1__channel__descriptor, name, strlen(name), &value) != 0 || value == 0)
		return -1;
	*out = (Needtoknow__V1__Channel)value;
	return 0;
}

enum exit_code rights_request_read(const struct invocation *invocation, struct rights_request *out)
{
	const char *channel = flag_value(invocation, "channel");
	int64_t received = when_now();
	enum exit_code code = options_time(invocation, "received", &received, stderr);

	if (code != EXIT_OK)
		return code;
	if (channel == NULL) {
		fprintf(stderr,
			"needtoknow %s: --channel CHANNEL is missing: account, email, phone, letter or in-person\n",
			invocation->command->name);
		return EXIT_USAGE;
	}
	if (rights_channel_parse(channel, &out->channel) != 0) {
		fprintf(stderr,
			"needtoknow %s: --channel: `%s` is none of account, email, phone, letter and in-person\n",
			invocation->command->name, channel);
		return EXIT_USAGE;
	}
	time_to_timestamp(received, &out->received_at);
	out->request_id = booking_request_id(invocation, out->storage);
	return EXIT_OK;
}

/* What the contract says of a request that cannot be carried out, and what to do. */
static const struct {
	const char *reason;
	enum exit_code code;
	const char *hint;
} known[] = {
	{ "NO_RIGHT_TO_OBJECT", EXIT_REFUSED, "tell the client why it continues; the refusal is recorded" },
	{ "ACTIVE_BOOKINGS", EXIT_REFUSED,
		"--dry-run shows what is booked; --cancel-bookings cancels it with the erasure" },
	{ "ABSOLUTE_RIGHT", EXIT_REFUSED, "nothing overrides an objection to direct marketing (art. 21(2), (3))" },
	{ "UNKNOWN_SUBJECT", EXIT_FAILED, "is this their client number?" },
	{ "UNKNOWN_PURPOSE", EXIT_FAILED, "`needtoknow policy explain` lists the purposes, as `dpv:DirectMarketing`" },
	{ "UNKNOWN_COLUMN", EXIT_USAGE, "`needtoknow rights record` lists the columns" },
	{ "MISSING_COLUMN", EXIT_USAGE, "the company's database takes no client without it" },
	{ "BAD_VALUE", EXIT_USAGE, "the company's database does not take this value in this column" },
	{ "BAD_TIMESTAMP", EXIT_USAGE, "--received is when the client asked, and not in the future" },
	{ "NOT_OBJECTED", EXIT_FAILED, "there is no such objection to lift; `needtoknow rights record` lists them" },
	{ "NOT_RESTRICTED", EXIT_FAILED, "there is no restriction to lift" },
	{ "UNKNOWN_REQUEST", EXIT_FAILED, "`needtoknow rights list` lists the requests; --caller names another's" },
	{ "ALREADY_EXTENDED", EXIT_FAILED, "it may be extended once (art. 12(3)): answer it in time" },
	{ "RIGHTS_NOT_CONFIGURED", EXIT_FAILED, "the service needs `database.rights` in its configuration for this" },
};

static size_t find_known(const struct needtoknow_status *status)
{
	size_t i = 0;

	while (i < sizeof known / sizeof known[0] && strcmp(known[i].reason, status->reason) != 0)
		i++;
	return i;
}

enum exit_code rights_failure_code(const struct needtoknow_status *status)
{
	size_t at = find_known(status);

	return at < sizeof known / sizeof known[0] ? known[at].code : failure_code(status);
}

enum exit_code rights_failed(const struct invocation *invocation, const struct needtoknow_status *status,
	const struct rights_request *request)
{
	size_t at = find_known(status);
	enum exit_code code = at < sizeof known / sizeof known[0]
		? failure_report_as(invocation, status, known[at].code, known[at].hint)
		: failure_report(invocation, status);
	char received[TIME_TEXT_MAX];
	int64_t time;

	if (code != EXIT_UNAVAILABLE || request == NULL || time_from_timestamp(&request->received_at, &time) != 0)
		return code;
	time_format(time, received);
	fprintf(stderr, "  the request was --request-id %s --received %s\n", request->request_id, received);
	return code;
}

enum exit_code rights_subject(const struct invocation *invocation, char **out)
{
	if (invocation->operand == NULL) {
		fprintf(stderr, "needtoknow %s: SUBJECT_ID is missing: the client's number, or --file for many\n",
			invocation->command->name);
		return EXIT_USAGE;
	}
	*out = operand_text(invocation);
	return EXIT_OK;
}

enum exit_code rights_contradict(const struct invocation *invocation, const char *flag, const char *other)
{
	fprintf(stderr, "needtoknow %s: %s and %s contradict one another\n", invocation->command->name, flag, other);
	return EXIT_USAGE;
}

enum exit_code rights_print_json(const ProtobufCMessage *response, const char *request_id)
{
	json_t *object = output_json(response);

	json_object_set_new(object, "request_id", json_string(request_id));
	return output_json_line(object) == 0 ? EXIT_OK : EXIT_FAILED;
}
