#include "cli/audit_exposure.h"

#include "cli/audit_failure.h"
#include "cli/csv.h"
#include "cli/failure.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/table.h"
#include "pure/time.h"

#include <needtoknow/methods.h>

#include <inttypes.h>

#define PAGE_SIZE 1000

const struct flag audit_exposure_flags[] = {
	{ "device", "NAME", "what this device of it held [any of them]", false },
	{ "from", "TIME", "held at this time or later [ever]", false },
	{ "until", "TIME", "held before this time [now]", false },
	FORMAT_FLAG,
	{ 0 },
};

/* Where the lines go. */
struct view {
	enum format format;
	const char *recipient_id;
	struct table *table;
	struct csv csv;
};

static const char *const text_headings[] = { "HELD FROM", "HELD UNTIL", "DEVICE", "SUBJECT", "SERVICE", "RELEASE",
	"DISCLOSURE", "INDEX", "FIELDS" };
static const char *const csv_headings[] = { "recipient_id", "device", "held_from", "held_until", "retained_ground",
	"subject_id", "subject_pseudonym", "service", "purpose", "release", "fields", "disclosure_id", "ledger_index" };

/* As far as anyone can still tell. */
static void add_subject(struct table *table, const Needtoknow__V1__ExposedDisclosure *disclosure)
{
	char pseudonym[16 * 2 + 1] = "";

	if (disclosure->subject_id[0] != '\0') {
		table_cell(table, disclosure->subject_id);
		return;
	}
	for (size_t i = 0; i < disclosure->subject_pseudonym.len && i < 16; i++)
		snprintf(pseudonym + i * 2, 3, "%02x", disclosure->subject_pseudonym.data[i]);
	table_cell(table, pseudonym[0] != '\0' ? pseudonym : "(forgotten)");
}

static void add_row(struct table *table, const Needtoknow__V1__ExposedDisclosure *disclosure,
	const Needtoknow__V1__ExposedRelease *release)
{
	char time[OUTPUT_TIME_MAX], fields[256] = "";
	size_t used = 0;

	for (size_t i = 0; i < release->n_fields && used < sizeof fields; i++)
		used += (size_t)snprintf(
			fields + used, sizeof fields - used, "%s%s", i == 0 ? "" : " ", release->fields[i]);
	table_cell(table, output_time(release->held_from, time));
	if (release->held_until != NULL)
		table_cell(table, output_time(release->held_until, time));
	else if (release->retained_ground[0] != '\0')
		table_cellf(table, "kept: %s", release->retained_ground);
	else
		table_cell(table, "still held");
	table_cell(table, release->device);
	add_subject(table, disclosure);
	table_cell(table, disclosure->service);
	table_cell(table, release->name);
	table_cell(table, disclosure->disclosure_id);
	table_cellf(table, "%" PRIu64, release->ledger_index);
	table_cell(table, fields);
}

static void add_csv(struct view *view, const Needtoknow__V1__ExposedDisclosure *disclosure,
	const Needtoknow__V1__ExposedRelease *release)
{
	struct csv *csv = &view->csv;

	csv_text(csv, view->recipient_id);
	csv_text(csv, release->device);
	csv_time(csv, release->held_from);
	csv_time(csv, release->held_until);
	csv_text(csv, release->retained_ground);
	csv_text(csv, disclosure->subject_id);
	csv_bytes(csv, disclosure->subject_pseudonym.data, disclosure->subject_pseudonym.len);
	csv_text(csv, disclosure->service);
	csv_text(csv, disclosure->purpose);
	csv_text(csv, release->name);
	csv_texts(csv, release->fields, release->n_fields);
	csv_text(csv, disclosure->disclosure_id);
	csv_number(csv, release->ledger_index);
	csv_end(csv);
}

static enum exit_code print_page(struct view *view, const Needtoknow__V1__GetExposureResponse *page)
{
	for (size_t i = 0; i < page->n_disclosures; i++) {
		const Needtoknow__V1__ExposedDisclosure *disclosure = page->disclosures[i];
		if (view->format == FORMAT_JSON && output_json_write(stdout, output_json(&disclosure->base)) != 0)
			return EXIT_FAILED;
		for (size_t k = 0; k < disclosure->n_releases; k++) {
			if (view->format == FORMAT_TEXT)
				add_row(view->table, disclosure, disclosure->releases[k]);
			else if (view->format == FORMAT_CSV)
				add_csv(view, disclosure, disclosure->releases[k]);
		}
	}
	if (view->format == FORMAT_TEXT)
		table_print(view->table, stdout);
	return output_flush() == 0 ? EXIT_OK : EXIT_FAILED;
}

static enum exit_code print_pages(const struct invocation *invocation, struct needtoknow_client *client,
	Needtoknow__V1__GetExposureRequest *request, struct view *view)
{
	const Needtoknow__V1__GetExposureResponse *page;
	struct needtoknow_status status;
	char token[1024] = "";
	enum exit_code code;

	request->page_size = PAGE_SIZE;
	request->page_token = token;
	do {
		if (needtoknow_get_exposure(client, request, &page, &status) != 0)
			return audit_failure(invocation, &status);
		code = print_page(view, page);
		snprintf(token, sizeof token, "%s", page->next_page_token);
	} while (code == EXIT_OK && token[0] != '\0');
	return code;
}

enum exit_code audit_exposure_run(const struct invocation *invocation)
{
	Needtoknow__V1__GetExposureRequest request = NEEDTOKNOW__V1__GET_EXPOSURE_REQUEST__INIT;
	Google__Protobuf__Timestamp held_from, held_until;
	int64_t from = TIME_NONE, until = TIME_NONE;
	struct view view = { .recipient_id = invocation->operand };
	enum exit_code code = format_read(invocation, FORMAT_CSV, &view.format);

	if (code == EXIT_OK)
		code = options_time(invocation, "from", &from, stderr);
	if (code == EXIT_OK)
		code = options_time(invocation, "until", &until, stderr);
	if (code != EXIT_OK)
		return code;
	request.recipient_id = operand_text(invocation);
	if (flag_given(invocation, "device"))
		request.device = flag_text(invocation, "device");
	time_to_timestamp(from, &held_from);
	time_to_timestamp(until, &held_until);
	request.held_from = from != TIME_NONE ? &held_from : NULL;
	request.held_until = until != TIME_NONE ? &held_until : NULL;

	struct needtoknow_client *client = failure_connect(invocation, &code);
	if (client == NULL)
		return code;
	if (view.format == FORMAT_TEXT)
		view.table = table_new(text_headings, sizeof text_headings / sizeof text_headings[0]);
	if (view.format == FORMAT_CSV)
		csv_begin(&view.csv, stdout, csv_headings, sizeof csv_headings / sizeof csv_headings[0]);
	code = print_pages(invocation, client, &request, &view);
	table_free(view.table);
	needtoknow_client_free(client);
	return code;
}
