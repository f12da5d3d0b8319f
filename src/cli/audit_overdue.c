#include "cli/audit_overdue.h"

#include "cli/audit_failure.h"
#include "cli/csv.h"
#include "cli/failure.h"
#include "cli/format.h"
#include "cli/output.h"
#include "cli/table.h"

#include <needtoknow/methods.h>

#include <inttypes.h>

#define PAGE_SIZE 1000

const struct flag audit_overdue_flags[] = {
	FORMAT_FLAG,
	{ 0 },
};

struct view {
	enum format format;
	struct table *table;
	struct csv csv;
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

static enum exit_code print_page(struct view *view, const Needtoknow__V1__ListOverdueDeletionsResponse *page)
{
	for (size_t i = 0; i < page->n_deletions; i++) {
		if (view->format == FORMAT_TEXT)
			add_row(view->table, page->deletions[i]);
		else if (view->format == FORMAT_CSV)
			add_csv(&view->csv, page->deletions[i]);
		else if (output_json_write(stdout, output_json(&page->deletions[i]->base)) != 0)
			return EXIT_FAILED;
	}
	if (view->format == FORMAT_TEXT)
		table_print(view->table, stdout);
	return output_flush() == 0 ? EXIT_OK : EXIT_FAILED;
}

static enum exit_code print_pages(
	const struct invocation *invocation, struct needtoknow_client *client, struct view *view)
{
	Needtoknow__V1__ListOverdueDeletionsRequest request = NEEDTOKNOW__V1__LIST_OVERDUE_DELETIONS_REQUEST__INIT;
	const Needtoknow__V1__ListOverdueDeletionsResponse *page;
	struct needtoknow_status status;
	char token[1024] = "";
	enum exit_code code;

	request.page_size = PAGE_SIZE;
	request.page_token = token;
	do {
		if (needtoknow_list_overdue_deletions(client, &request, &page, &status) != 0)
			return audit_failure(invocation, &status);
		code = print_page(view, page);
		snprintf(token, sizeof token, "%s", page->next_page_token);
	} while (code == EXIT_OK && token[0] != '\0');
	return code;
}

enum exit_code audit_overdue_run(const struct invocation *invocation)
{
	struct view view = { 0 };
	enum exit_code code = format_read(invocation, FORMAT_CSV, &view.format);

	if (code != EXIT_OK)
		return code;
	struct needtoknow_client *client = failure_connect(invocation, &code);
	if (client == NULL)
		return code;
	if (view.format == FORMAT_TEXT)
		view.table = table_new(text_headings, sizeof text_headings / sizeof text_headings[0]);
	if (view.format == FORMAT_CSV)
		csv_begin(&view.csv, stdout, csv_headings, sizeof csv_headings / sizeof csv_headings[0]);
	code = print_pages(invocation, client, &view);
	table_free(view.table);
	needtoknow_client_free(client);
	return code;
}
