#include "cli/disclosure.h"

#include "cli/failure.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/show.h"
#include "cli/table.h"

#include <needtoknow/methods.h>

const struct flag disclosure_get_flags[] = {
	{ "json", NULL, "print one JSON object", false },
	{ 0 },
};

const struct flag disclosure_list_flags[] = {
	{ "booking", "ID", "of this booking", false },
	{ "subject", "ID", "of this client", false },
	{ "recipient", "ID", "of this recipient", false },
	{ "json", NULL, "print one JSON object a line", false },
	{ 0 },
};

enum exit_code disclosure_get_run(const struct invocation *invocation)
{
	Needtoknow__V1__GetDisclosureRequest request = NEEDTOKNOW__V1__GET_DISCLOSURE_REQUEST__INIT;
	const Needtoknow__V1__GetDisclosureResponse *response;
	struct needtoknow_status status;
	enum exit_code code;
	struct needtoknow_client *client = failure_connect(invocation, &code);

	if (client == NULL)
		return code;
	request.disclosure_id = operand_text(invocation);
	if (needtoknow_get_disclosure(client, &request, &response, &status) != 0)
		code = failure_report(invocation, &status);
	else if (flag_given(invocation, "json"))
		code = output_json_line(output_json(&response->base)) == 0 ? EXIT_OK : EXIT_FAILED;
	else if (response->disclosure != NULL)
		show_disclosure(response->disclosure);
	needtoknow_client_free(client);
	return code;
}

/* A listing, page by page. */
struct listing {
	Needtoknow__V1__ListDisclosuresRequest request;
	char token[1024]; /* of the next page */
};

/* Exactly one of the three. */
static enum exit_code read_by(const struct invocation *invocation, Needtoknow__V1__ListDisclosuresRequest *out)
{
	int given = 0;

	if (flag_given(invocation, "booking")) {
		out->by_case = NEEDTOKNOW__V1__LIST_DISCLOSURES_REQUEST__BY_BOOKING_ID;
		out->booking_id = flag_text(invocation, "booking");
		given++;
	}
	if (flag_given(invocation, "subject")) {
		out->by_case = NEEDTOKNOW__V1__LIST_DISCLOSURES_REQUEST__BY_SUBJECT_ID;
		out->subject_id = flag_text(invocation, "subject");
		given++;
	}
	if (flag_given(invocation, "recipient")) {
		out->by_case = NEEDTOKNOW__V1__LIST_DISCLOSURES_REQUEST__BY_RECIPIENT_ID;
		out->recipient_id = flag_text(invocation, "recipient");
		given++;
	}
	if (given == 1)
		return EXIT_OK;
	fprintf(stderr, "needtoknow %s: one of --booking, --subject and --recipient is needed, and no more\n",
		invocation->command->name);
	return EXIT_USAGE;
}

static void add_row(struct table *table, const Needtoknow__V1__Disclosure *disclosure)
{
	char time[OUTPUT_TIME_MAX];

	table_cell(table, disclosure->disclosure_id);
	table_cell(table, output_enum(&needtoknow__v1__disclosure_state__descriptor, (int)disclosure->state));
	table_cell(table, disclosure->booking_id);
	table_cell(table, disclosure->recipient_id);
	table_cell(table, disclosure->service);
	table_cell(table, output_time(disclosure->starts_at, time));
	table_cell(table, output_time(disclosure->expires_at, time));
}

static enum exit_code list_pages(const struct invocation *invocation, struct needtoknow_client *client,
	struct listing *listing, struct table *table)
{
	const Needtoknow__V1__ListDisclosuresResponse *response;
	struct needtoknow_status status;

	do {
		listing->request.page_token = listing->token;
		if (needtoknow_list_disclosures(client, &listing->request, &response, &status) != 0)
			return failure_report(invocation, &status);
		for (size_t i = 0; i < response->n_disclosures; i++) {
			if (!flag_given(invocation, "json"))
				add_row(table, response->disclosures[i]);
			else if (output_json_line(output_json(&response->disclosures[i]->base)) != 0)
				return EXIT_FAILED;
		}
		snprintf(listing->token, sizeof listing->token, "%s", response->next_page_token);
	} while (listing->token[0] != '\0');
	return EXIT_OK;
}

enum exit_code disclosure_list_run(const struct invocation *invocation)
{
	static const char *const headings[] = { "DISCLOSURE", "STATE", "BOOKING", "RECIPIENT", "SERVICE", "FROM",
		"EXPIRES" };
	struct listing listing = { .request = NEEDTOKNOW__V1__LIST_DISCLOSURES_REQUEST__INIT };
	struct needtoknow_client *client;
	struct table *table;
	enum exit_code code = read_by(invocation, &listing.request);

	if (code != EXIT_OK)
		return code;
	client = failure_connect(invocation, &code);
	if (client == NULL)
		return code;
	table = table_new(headings, sizeof headings / sizeof headings[0]);
	code = list_pages(invocation, client, &listing, table);
	if (table_rows(table) > 0)
		table_print(table, stdout);
	table_free(table);
	needtoknow_client_free(client);
	return code;
}
