#include "cli/audit_exposure.h"

#include "cli/audit_pages.h"
#include "cli/options.h"
#include "cli/output.h"
#include "pure/time.h"

#include <needtoknow/methods.h>

#include <inttypes.h>

const struct flag audit_exposure_flags[] = {
	{ "device", "NAME", "what this device of it held [any of them]", false },
	{ "from", "TIME", "held at this time or later [ever]", false },
	{ "until", "TIME", "held before this time [now]", false },
	FORMAT_FLAG,
	{ 0 },
};

struct exposure {
	const char *recipient_id;
	Needtoknow__V1__GetExposureRequest request;
	const Needtoknow__V1__GetExposureResponse *page;
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

static void add_csv(struct csv *csv, const char *recipient_id, const Needtoknow__V1__ExposedDisclosure *disclosure,
	const Needtoknow__V1__ExposedRelease *release)
{
	csv_text(csv, recipient_id);
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

static int ask_page(void *context, struct needtoknow_client *client, char *token, const char **next,
	struct needtoknow_status *status)
{
	struct exposure *exposure = context;

	exposure->request.page_token = token;
	if (needtoknow_get_exposure(client, &exposure->request, &exposure->page, status) != 0)
		return -1;
	*next = exposure->page->next_page_token;
	return 0;
}

static int show_page(const void *context, struct audit_view *view)
{
	const struct exposure *exposure = context;

	for (size_t i = 0; i < exposure->page->n_disclosures; i++) {
		const Needtoknow__V1__ExposedDisclosure *disclosure = exposure->page->disclosures[i];
		if (view->format == FORMAT_JSON && output_json_write(stdout, output_json(&disclosure->base)) != 0)
			return -1;
		for (size_t k = 0; k < disclosure->n_releases; k++) {
			if (view->format == FORMAT_TEXT)
				add_row(view->table, disclosure, disclosure->releases[k]);
			else if (view->format == FORMAT_CSV)
				add_csv(&view->csv, exposure->recipient_id, disclosure, disclosure->releases[k]);
		}
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

enum exit_code audit_exposure_run(const struct invocation *invocation)
{
	struct exposure exposure = {
		.recipient_id = invocation->operand,
		.request = NEEDTOKNOW__V1__GET_EXPOSURE_REQUEST__INIT,
	};
	Needtoknow__V1__GetExposureRequest *request = &exposure.request;
	Google__Protobuf__Timestamp held_from, held_until;
	int64_t from = TIME_NONE, until = TIME_NONE;
	enum format format;
	enum exit_code code = format_read(invocation, FORMAT_CSV, &format);

	if (code == EXIT_OK)
		code = options_time(invocation, "from", &from, stderr);
	if (code == EXIT_OK)
		code = options_time(invocation, "until", &until, stderr);
	if (code != EXIT_OK)
		return code;
	request->recipient_id = operand_text(invocation);
	if (flag_given(invocation, "device"))
		request->device = flag_text(invocation, "device");
	time_to_timestamp(from, &held_from);
	time_to_timestamp(until, &held_until);
	request->held_from = from != TIME_NONE ? &held_from : NULL;
	request->held_until = until != TIME_NONE ? &held_until : NULL;
	request->page_size = AUDIT_PAGE_SIZE;
	return audit_pages_print(invocation, &question, format, &exposure);
}
