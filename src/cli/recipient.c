#include "cli/recipient.h"

#include "cli/failure.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/when.h"
#include "cli/words.h"
#include "pure/time.h"

#include <needtoknow/methods.h>

#include <stdint.h>
#include <string.h>

const struct flag recipient_put_flags[] = {
	{ "kind", "KIND", "provider or staff [provider]", false },
	{ "name", "TEXT", "how it is called, for people", true },
	{ "services", "A,B", "what it is authorised for, as the policy names it [nothing]", false },
	{ "agreement", "REF", "the company's reference of the agreement (GDPR art. 28)", false },
	{ "agreement-from", "TIME", "from when it is in force [now]", false },
	{ "agreement-until", "TIME", "until when [without end]", false },
	{ "deliver-to", "WHICH", "any-device or every-device [any-device]", false },
	{ "json", NULL, "print one JSON object", false },
	{ 0 },
};

const struct flag recipient_get_flags[] = {
	{ "json", NULL, "print one JSON object", false },
	{ 0 },
};

const struct flag recipient_list_flags[] = {
	{ "json", NULL, "print one JSON object a line", false },
	{ 0 },
};

/* What the strings and times of a PutRecipientRequest are kept in. */
struct put {
	Needtoknow__V1__PutRecipientRequest request;
	Needtoknow__V1__Recipient recipient;
	Google__Protobuf__Timestamp from, until;
	struct words services;
};

static int read_choice(const struct invocation *invocation, const char *flag, const char *const *names, int *out)
{
	const char *given = flag_value(invocation, flag);

	if (given == NULL)
		return 0;
	for (int i = 0; names[i] != NULL; i++) {
		if (strcmp(names[i], given) == 0) {
			*out = i + 1; /* the contract's numbers start with 1 */
			return 0;
		}
	}
	fprintf(stderr, "needtoknow %s: --%s: `%s` is neither %s nor %s\n", invocation->command->name, flag, given,
		names[0], names[1]);
	return -1;
}

static enum exit_code read_put(const struct invocation *invocation, struct put *put)
{
	static const char *const kinds[] = { "provider", "staff", NULL };
	static const char *const devices[] = { "any-device", "every-device", NULL };
	int kind = NEEDTOKNOW__V1__RECIPIENT_KIND__RECIPIENT_KIND_PROVIDER;
	int deliver_to = NEEDTOKNOW__V1__DELIVER_TO__DELIVER_TO_ANY_DEVICE;
	int64_t from = TIME_NONE, until = TIME_NONE;
	Needtoknow__V1__Recipient *recipient = &put->recipient;

	if (read_choice(invocation, "kind", kinds, &kind) != 0 ||
		read_choice(invocation, "deliver-to", devices, &deliver_to) != 0 ||
		options_time(invocation, "agreement-from", &from, stderr) != EXIT_OK ||
		options_time(invocation, "agreement-until", &until, stderr) != EXIT_OK)
		return EXIT_USAGE;
	needtoknow__v1__put_recipient_request__init(&put->request);
	needtoknow__v1__recipient__init(recipient);
	put->request.recipient = recipient;
	recipient->recipient_id = operand_text(invocation);
	recipient->kind = (Needtoknow__V1__RecipientKind)kind;
	recipient->deliver_to = (Needtoknow__V1__DeliverTo)deliver_to;
	recipient->display_name = flag_text(invocation, "name");
	if (flag_given(invocation, "agreement"))
		recipient->agreement_ref = flag_text(invocation, "agreement");
	time_to_timestamp(from != TIME_NONE ? from : when_now(), &put->from);
	recipient->agreement_from = &put->from;
	if (until != TIME_NONE) {
		time_to_timestamp(until, &put->until);
		recipient->agreement_until = &put->until;
	}
	if (flag_given(invocation, "services"))
		words_split(&put->services, flag_value(invocation, "services"));
	recipient->services = put->services.items;
	recipient->n_services = put->services.count;
	return EXIT_OK;
}

void recipient_show(const Needtoknow__V1__Recipient *recipient)
{
	char time[OUTPUT_TIME_MAX];

	if (recipient == NULL)
		return;
	printf("%s", output_style(stdout, STYLE_BOLD));
	output_text(stdout, recipient->recipient_id);
	printf("%s%s%s%s\n", output_style(stdout, STYLE_PLAIN), output_style(stdout, STYLE_BAD),
		recipient->suspended ? " SUSPENDED" : "", output_style(stdout, STYLE_PLAIN));
	output_line(stdout, "name", recipient->display_name);
	output_line(stdout, "kind", output_enum(&needtoknow__v1__recipient_kind__descriptor, (int)recipient->kind));
	output_line(
		stdout, "deliver to", output_enum(&needtoknow__v1__deliver_to__descriptor, (int)recipient->deliver_to));
	output_line(stdout, "agreement", recipient->agreement_ref);
	output_line(stdout, "from", output_time(recipient->agreement_from, time));
	output_line(stdout, "until", output_time(recipient->agreement_until, time));
	for (size_t i = 0; i < recipient->n_services; i++)
		output_line(stdout, i == 0 ? "services" : "", recipient->services[i]);
	if (recipient->n_services == 0)
		output_line(stdout, "services", "none");
}

static void show_devices(const Needtoknow__V1__GetRecipientResponse *response)
{
	static const char *const headings[] = { "DEVICE", "FIRST SEEN", "REVOKED" };
	struct table *table = table_new(headings, sizeof headings / sizeof headings[0]);
	char time[OUTPUT_TIME_MAX];

	for (size_t i = 0; i < response->n_devices; i++) {
		table_cell(table, response->devices[i]->device);
		table_cell(table, output_time(response->devices[i]->first_seen_at, time));
		table_cell(table,
			response->devices[i]->revoked_at ? output_time(response->devices[i]->revoked_at, time) : "");
	}
	if (response->n_devices > 0)
		printf("\n");
	table_print(table, stdout);
	table_free(table);
}

enum exit_code recipient_put_run(const struct invocation *invocation)
{
	const Needtoknow__V1__PutRecipientResponse *response;
	struct needtoknow_status status;
	struct needtoknow_client *client = NULL;
	struct put put = { 0 };
	enum exit_code code = read_put(invocation, &put);

	if (code != EXIT_OK)
		goto out;
	client = failure_connect(invocation, &code);
	if (client == NULL)
		goto out;
	if (needtoknow_put_recipient(client, &put.request, &response, &status) != 0) {
		code = failure_report(invocation, &status);
	} else if (flag_given(invocation, "json")) {
		code = output_json_line(output_json(&response->base)) == 0 ? EXIT_OK : EXIT_FAILED;
	} else {
		recipient_show(response->recipient);
		show_receipt(response->receipt);
	}
out:
	needtoknow_client_free(client);
	words_release(&put.services);
	return code;
}

enum exit_code recipient_get_run(const struct invocation *invocation)
{
	Needtoknow__V1__GetRecipientRequest request = NEEDTOKNOW__V1__GET_RECIPIENT_REQUEST__INIT;
	const Needtoknow__V1__GetRecipientResponse *response;
	struct needtoknow_status status;
	enum exit_code code;
	struct needtoknow_client *client = failure_connect(invocation, &code);

	if (client == NULL)
		return code;
	request.recipient_id = operand_text(invocation);
	if (needtoknow_get_recipient(client, &request, &response, &status) != 0) {
		code = failure_report(invocation, &status);
	} else if (flag_given(invocation, "json")) {
		code = output_json_line(output_json(&response->base)) == 0 ? EXIT_OK : EXIT_FAILED;
	} else {
		recipient_show(response->recipient);
		show_devices(response);
	}
	needtoknow_client_free(client);
	return code;
}

static void add_row(struct table *table, const Needtoknow__V1__Recipient *recipient)
{
	char time[OUTPUT_TIME_MAX];
	char services[256] = "";
	size_t used = 0;

	for (size_t i = 0; i < recipient->n_services && used < sizeof services; i++)
		used += (size_t)snprintf(
			services + used, sizeof services - used, "%s%s", i == 0 ? "" : ", ", recipient->services[i]);
	table_cell(table, recipient->recipient_id);
	table_cell(table, recipient->display_name);
	table_cell(table, output_enum(&needtoknow__v1__recipient_kind__descriptor, (int)recipient->kind));
	table_cell(table, recipient->suspended ? "SUSPENDED" : "");
	table_cell(table, recipient->agreement_ref);
	table_cell(table, output_time(recipient->agreement_until, time));
	table_cell(table, services);
}

static enum exit_code list_pages(
	const struct invocation *invocation, struct needtoknow_client *client, struct table *table)
{
	Needtoknow__V1__ListRecipientsRequest request = NEEDTOKNOW__V1__LIST_RECIPIENTS_REQUEST__INIT;
	const Needtoknow__V1__ListRecipientsResponse *response;
	struct needtoknow_status status;
	char token[1024] = "";

	do {
		request.page_token = token;
		if (needtoknow_list_recipients(client, &request, &response, &status) != 0)
			return failure_report(invocation, &status);
		for (size_t i = 0; i < response->n_recipients; i++) {
			if (!flag_given(invocation, "json"))
				add_row(table, response->recipients[i]);
			else if (output_json_line(output_json(&response->recipients[i]->base)) != 0)
				return EXIT_FAILED;
		}
		snprintf(token, sizeof token, "%s", response->next_page_token);
	} while (token[0] != '\0');
	return EXIT_OK;
}

enum exit_code recipient_list_run(const struct invocation *invocation)
{
	static const char *const headings[] = { "RECIPIENT", "NAME", "KIND", "STATE", "AGREEMENT", "UNTIL",
		"SERVICES" };
	enum exit_code code;
	struct table *table;
	struct needtoknow_client *client = failure_connect(invocation, &code);

	if (client == NULL)
		return code;
	table = table_new(headings, sizeof headings / sizeof headings[0]);
	code = list_pages(invocation, client, table);
	if (table_rows(table) > 0)
		table_print(table, stdout);
	table_free(table);
	needtoknow_client_free(client);
	return code;
}
