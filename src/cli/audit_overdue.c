#include "cli/audit_overdue.h"

#include "cli/audit_pages.h"
#include "cli/output.h"

#include <needtoknow/methods.h>

#include <inttypes.h>

const struct flag audit_overdue_flags[] = {
	FORMAT_FLAG,
	{ 0 },
};

struct overdue {
	Needtoknow__V1__ListOverdueDeletionsRequest request;
	const Needtoknow__V1__ListOverdueDeletionsResponse *page;
};

static const char *const text_headings[] = { "DELETE BY", "RECIPIENT", "DEVICE", "WHY", "ORDERED", "DISCLOSURE",
	"INDEX" };
static const char *const csv_headings[] = { "delete_by", "recipient_id", "device", "cause", "ordered_at",
	"disclosure_id", "ledger_index" };

static const char *cause_of(const Needtoknow__V1__OverdueDeletion *deletion)
{
	return output_enum(&needtoknow__v1__withdrawal_cause__descriptor, (int)deletion->cause);
}

static void add_row(struct table *table, const Needtoknow__V1__OverdueDeletion *deletion)
{
	char time[OUTPUT_TIME_MAX];

	table_cell(table, output_time(deletion->delete_by, time));
	table_cell(table, deletion->recipient_id);
	table_cell(table, deletion->device);
	table_cell(table, cause_of(deletion));
	table_cell(table, output_time(deletion->ordered_at, time));
	table_cell(table, deletion->disclosure_id);
	table_cellf(table, "%" PRIu64, deletion->ledger_index);
}

static void add_csv(struct csv *csv, const Needtoknow__V1__OverdueDeletion *deletion)
{
	csv_time(csv, deletion->delete_by);
	csv_text(csv, deletion->recipient_id);
	csv_text(csv, deletion->device);
	csv_word(csv, cause_of(deletion));
	csv_time(csv, deletion->ordered_at);
	csv_text(csv, deletion->disclosure_id);
	csv_number(csv, deletion->ledger_index);
	csv_end(csv);
}

static int ask_page(void *context, struct needtoknow_client *client, char *token, const char **next,
	struct needtoknow_status *status)
{
	struct overdue *overdue = context;

	overdue->request.page_token = token;
	if (needtoknow_list_overdue_deletions(client, &overdue->request, &overdue->page, status) != 0)
		return -1;
	*next = overdue->page->next_page_token;
	return 0;
}

static int show_page(const void *context, struct audit_view *view)
{
	const struct overdue *overdue = context;

	for (size_t i = 0; i < overdue->page->n_deletions; i++) {
		const Needtoknow__V1__OverdueDeletion *deletion = overdue->page->deletions[i];
		if (view->format == FORMAT_TEXT)
			add_row(view->table, deletion);
		else if (view->format == FORMAT_CSV)
			add_csv(&view->csv, deletion);
		else if (output_json_write(stdout, output_json(&deletion->base)) != 0)
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

enum exit_code audit_overdue_run(const struct invocation *invocation)
{
	struct overdue overdue = { .request = NEEDTOKNOW__V1__LIST_OVERDUE_DELETIONS_REQUEST__INIT };
	enum format format;
	enum exit_code code = format_read(invocation, FORMAT_CSV, &format);

	overdue.request.page_size = AUDIT_PAGE_SIZE;
	return code == EXIT_OK ? audit_pages_print(invocation, &question, format, &overdue) : code;
}
