#include "cli/failure.h"

#include "cli/options.h"
#include "cli/output.h"

#include <needtoknow/v1/ledger.pb-c.h>

#include <stdio.h>
#include <string.h>

/* Reasons that say more than their status, and what to do about them. */
static const struct {
	const char *reason;
	enum exit_code code;
	const char *hint;
} known[] = {
	{ NEEDTOKNOW_REASON_BAD_ADDRESS, EXIT_USAGE, "--address or NEEDTOKNOW_ADDRESS says where needtoknow listens" },
	{ NEEDTOKNOW_REASON_BAD_CREDENTIALS, EXIT_USAGE,
		"--ca, --cert and --key, or NEEDTOKNOW_CA, NEEDTOKNOW_CERT and NEEDTOKNOW_KEY, name these files" },
	{ NEEDTOKNOW_REASON_CONNECTION_FAILED, EXIT_UNAVAILABLE,
		"is needtoknowd running, and is this where it listens? --address or NEEDTOKNOW_ADDRESS says where" },
	{ NEEDTOKNOW_REASON_CONNECTION_LOST, EXIT_UNAVAILABLE,
		"whether it was done is not known: repeat it; with the same --request-id nothing is done twice" },
	{ NEEDTOKNOW_REASON_SERVER_NOT_TRUSTED, EXIT_NOT_PERMITTED,
		"--ca or NEEDTOKNOW_CA must be who signed the server's certificate; --server-name is for one that "
		"carries "
		"another name than the address" },
	{ NEEDTOKNOW_REASON_CLIENT_NOT_TRUSTED, EXIT_NOT_PERMITTED,
		"--cert or NEEDTOKNOW_CERT must be signed by the server's `client_ca`, in date and not revoked" },
	{ NEEDTOKNOW_REASON_BAD_ANSWER, EXIT_FAILED, "is this the address of needtoknow, and of the same version?" },
	{ "ROLE_NOT_ALLOWED", EXIT_NOT_PERMITTED,
		"the role is in the certificate; --cert or NEEDTOKNOW_CERT must be one that may do this" },
	{ "REQUEST_ID_REUSED", EXIT_FAILED, "another --request-id, or none, makes it a new request" },
	{ "DATABASE_UNAVAILABLE", EXIT_UNAVAILABLE, "needtoknow is up, its database is not: try again" },
	{ "SOURCE_UNAVAILABLE", EXIT_UNAVAILABLE, "needtoknow is up, the company's database is not: try again" },
	{ "BAD_IDENTIFIER", EXIT_USAGE, "identifiers are 1 to 128 bytes of UTF-8 without control characters" },
};

struct needtoknow_client *failure_connect(const struct invocation *invocation, enum exit_code *code)
{
	struct needtoknow_options options;
	struct needtoknow_status status;
	struct needtoknow_client *client;

	*code = options_connection(invocation, &options, stderr);
	if (*code != EXIT_OK)
		return NULL;
	client = needtoknow_client_new(&options, &status);
	if (client == NULL)
		*code = failure_report(invocation, &status);
	return client;
}

/* The reasons of refusals come first in the contract's enum, up to CONSENT_MISSING. */
static bool is_refusal(const char *reason)
{
	int value;

	return output_enum_parse(&needtoknow__v1__reason__descriptor, reason, strlen(reason), &value) == 0 &&
		value >= NEEDTOKNOW__V1__REASON__REASON_UNKNOWN_SERVICE &&
		value <= NEEDTOKNOW__V1__REASON__REASON_CONSENT_MISSING;
}

static size_t find_known(const char *reason)
{
	size_t i = 0;

	while (i < sizeof known / sizeof known[0] && strcmp(known[i].reason, reason) != 0)
		i++;
	return i;
}

enum exit_code failure_code(const struct needtoknow_status *status)
{
	size_t at = find_known(status->reason);

	if (status->code == NEEDTOKNOW_OK)
		return EXIT_OK;
	if (at < sizeof known / sizeof known[0])
		return known[at].code;
	if (is_refusal(status->reason))
		return EXIT_REFUSED;
	switch (status->code) {
	case NEEDTOKNOW_UNAVAILABLE:
	case NEEDTOKNOW_DEADLINE_EXCEEDED:
	case NEEDTOKNOW_RESOURCE_EXHAUSTED:
	case NEEDTOKNOW_ABORTED:
		return EXIT_UNAVAILABLE;
	case NEEDTOKNOW_PERMISSION_DENIED:
	case NEEDTOKNOW_UNAUTHENTICATED:
		return EXIT_NOT_PERMITTED;
	default:
		return EXIT_FAILED;
	}
}

enum exit_code failure_report_as(const struct invocation *invocation, const struct needtoknow_status *status,
	enum exit_code code, const char *hint)
{
	const char *what = code == EXIT_REFUSED ? "refused: " : "";

	output_flush();
	fprintf(stderr, "%sneedtoknow %s:%s %s", output_style(stderr, STYLE_BAD), invocation->command->name,
		output_style(stderr, STYLE_PLAIN), what);
	output_text(stderr, status->message[0] != '\0' ? status->message : "failed without a word");
	fprintf(stderr, "\n  %s", needtoknow_status_name(status->code));
	if (status->reason[0] != '\0') {
		fputs(", ", stderr);
		output_text(stderr, status->reason);
	}
	for (size_t i = 0; i < status->metadata_count; i++) {
		fputs(", ", stderr);
		output_text(stderr, status->metadata[i].key);
		putc(' ', stderr);
		output_text(stderr, status->metadata[i].value);
	}
	putc('\n', stderr);
	if (hint != NULL)
		fprintf(stderr, "  %s\n", hint);
	return code;
}

enum exit_code failure_report(const struct invocation *invocation, const struct needtoknow_status *status)
{
	size_t at = find_known(status->reason);

	return failure_report_as(
		invocation, status, failure_code(status), at < sizeof known / sizeof known[0] ? known[at].hint : NULL);
}
