#include "cli/audit_pages.h"
#include "cli/output.h"
#include "cli/rights.h"

#include <needtoknow/methods.h>

#include <inttypes.h>

const struct flag rights_list_flags[] = {
	{ "subject", "ID", "this client's alone", false },
	{ "open", NULL, "those alone that are not answered", false },
	FORMAT_FLAG,
	{ 0 },
};

struct listing {
	Needtoknow__V1__ListRequestsRequest request;
	const Needtoknow__V1__ListRequestsResponse *page;
};

static const char *const text_headings[] = { "DUE", "STATE", "KIND", "CLIENT", "PURPOSE", "CHANNEL", "RECEIVED",
	"ANSWERED", "REQUEST", "INDEX" };
static const char *const csv_headings[] = { "due_at", "overdue", "state", "kind", "subject_id", "purpose", "columns",
	"channel", "received_at", "answered_at", "extended_because", "caller", "request_id", "ledger_index" };

static const char *state_of(const Needtoknow__V1__RightsRequest *request)
{
	return output_enum(&needtoknow__v1__rights_request_state__descriptor, (int)request->state);
}

static const char *kind_of(const Needtoknow__V1__RightsRequest *request)
{
	return output_enum(&needtoknow__v1__rights_request_kind__descriptor, (int)request->kind);
}

static const char *channel_of(const Needtoknow__V1__RightsRequest *request)
{
	return output_enum(&needtoknow__v1__channel__descriptor, (int)request->channel);
}

static void add_row(struct table *table, const Needtoknow__V1__RightsRequest *request)
{
	char time[OUTPUT_TIME_MAX];

	table_cell(table, output_time(request->due_at, time));
	table_cellf(table, "%s%s%s", state_of(request), request->overdue ? ", OVERDUE" : "",
		request->extended_because[0] != '\0' ? ", extended" : "");
	table_cell(table, kind_of(request));
	table_cell(table, request->subject_id);
	table_cell(table, request->purpose);
	table_cell(table, channel_of(request));
	table_cell(table, output_time(request->received_at, time));
	table_cell(table, output_time(request->answered_at, time));
	table_cell(table, request->request_id);
	table_cellf(table, "%" PRIu64, request->ledger_index);
}

static void add_csv(struct csv *csv, const Needtoknow__V1__RightsRequest *request)
{
	csv_time(csv, request->due_at);
	csv_word(csv, request->overdue ? "true" : "false");
	csv_word(csv, state_of(request));
	csv_word(csv, kind_of(request));
	csv_text(csv, request->subject_id);
	csv_text(csv, request->purpose);
	csv_texts(csv, request->columns, request->n_columns);
	csv_word(csv, channel_of(request));
	csv_time(csv, request->received_at);
	csv_time(csv, request->answered_at);
	csv_text(csv, request->extended_because);
	csv_text(csv, request->caller);
	csv_text(csv, request->request_id);
	csv_number(csv, request->ledger_index);
	csv_end(csv);
}

static int ask_page(void *context, struct needtoknow_client *client, char *token, const char **next,
	struct needtoknow_status *status)
{
	struct listing *listing = context;

	listing->request.page_token = token;
	if (needtoknow_list_requests(client, &listing->request, &listing->page, status) != 0)
		return -1;
	*next = listing->page->next_page_token;
	return 0;
}

static int show_page(const void *context, struct audit_view *view)
{
	const struct listing *listing = context;

	for (size_t i = 0; i < listing->page->n_requests; i++) {
		const Needtoknow__V1__RightsRequest *request = listing->page->requests[i];
		if (view->format == FORMAT_TEXT)
			add_row(view->table, request);
		else if (view->format == FORMAT_CSV)
			add_csv(&view->csv, request);
		else if (output_json_write(stdout, output_json(&request->base)) != 0)
			return -1;
	}
	return 0;
}

static const struct audit_question question = {
	.text_headings = text_headings,
	.text_count = sizeof text_headings / sizeof text_headings[0],
	.csv_headings = csv_headings,
	.csv_count = sizeof csv_headings / sizeof csv_headings[0],
	.ask = ask_page,
	.show = show_page,
};

enum exit_code rights_list_run(const struct invocation *invocation)
{
	struct listing listing = { .request = NEEDTOKNOW__V1__LIST_REQUESTS_REQUEST__INIT };
	enum format format;
	enum exit_code code = format_read(invocation, FORMAT_CSV, &format);

	listing.request.page_size = AUDIT_PAGE_SIZE;
	listing.request.open_only = flag_given(invocation, "open");
	if (flag_given(invocation, "subject"))
		listing.request.subject_id = flag_text(invocation, "subject");
	return code == EXIT_OK ? audit_pages_print(invocation, &question, format, &listing) : code;
}
