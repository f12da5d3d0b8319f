#include "cli/report_csv.h"

#include "cli/csv.h"
#include "cli/output.h"

/* Of the first two groups every line has what it belongs to; of the last, what is its own. `at`: when it happened. */
static const char *const headings[] = { "record", "at", "ledger_index",
	/* of the recipient */
	"recipient_kind", "recipient_id", "display_name", "service", "service_title", "purpose", "legal_basis",
	/* of the disclosure */
	"disclosure_id", "state", "starts_at", "ends_at", "expires_at",
	/* of the release */
	"release", "fields", "due_at",
	/* of a delivery, a deletion or a right */
	"acknowledged", "cause", "delete_by", "outcome", "confirmed_at", "ground", "retained_until" };
#define CELLS_OF_RECIPIENT 7
#define CELLS_OF_DISCLOSURE 5
#define CELLS_OF_RELEASE 3
#define CELLS_OF_DELETION 6

struct place {
	struct csv *csv;
	const Needtoknow__V1__ReportedRecipient *recipient;
	const Needtoknow__V1__ReportedDisclosure *disclosure;
};

static void begin_line(
	const struct place *place, const char *record, const Google__Protobuf__Timestamp *at, const uint64_t *index)
{
	const Needtoknow__V1__ReportedRecipient *recipient = place->recipient;
	const Needtoknow__V1__ReportedDisclosure *disclosure = place->disclosure;
	struct csv *csv = place->csv;

	csv_word(csv, record);
	csv_time(csv, at);
	if (index != NULL)
		csv_number(csv, *index);
	else
		csv_empty(csv, 1);
	csv_word(csv, output_enum(&needtoknow__v1__recipient_kind__descriptor, (int)recipient->kind));
	csv_text(csv, recipient->recipient_id);
	csv_text(csv, recipient->display_name);
	csv_text(csv, recipient->service);
	csv_text(csv, recipient->service_title);
	csv_text(csv, recipient->purpose);
	csv_text(csv, recipient->legal_basis);
	csv_text(csv, disclosure->disclosure_id);
	csv_word(csv, output_enum(&needtoknow__v1__disclosure_state__descriptor, (int)disclosure->state));
	csv_time(csv, disclosure->starts_at);
	csv_time(csv, disclosure->ends_at);
	csv_time(csv, disclosure->expires_at);
}

static void release_cells(struct csv *csv, const Needtoknow__V1__ReportedRelease *release)
{
	csv_text(csv, release->name);
	csv_texts(csv, release->fields, release->n_fields);
	csv_time(csv, release->due_at);
}

static void add_release(const struct place *place, const Needtoknow__V1__ReportedRelease *release)
{
	begin_line(place, "RELEASE", NULL, NULL);
	release_cells(place->csv, release);
	csv_empty(place->csv, 1 + CELLS_OF_DELETION);
	csv_end(place->csv);
	for (size_t i = 0; i < release->n_deliveries; i++) {
		const Needtoknow__V1__ReportedDelivery *delivery = release->deliveries[i];
		begin_line(place, "DELIVERY", delivery->sent_at, &delivery->ledger_index);
		release_cells(place->csv, release);
		csv_word(place->csv, delivery->acknowledged ? "true" : "false");
		csv_empty(place->csv, CELLS_OF_DELETION);
		csv_end(place->csv);
	}
}

static void add_deletion(const struct place *place, const Needtoknow__V1__ReportedDeletion *deletion)
{
	bool answered = deletion->outcome != NEEDTOKNOW__V1__DELETION_OUTCOME__DELETION_OUTCOME_UNSPECIFIED;

	begin_line(place, "DELETION", deletion->ordered_at, &deletion->ledger_index);
	csv_empty(place->csv, CELLS_OF_RELEASE + 1);
	csv_word(place->csv, output_enum(&needtoknow__v1__withdrawal_cause__descriptor, (int)deletion->cause));
	csv_time(place->csv, deletion->delete_by);
	csv_word(place->csv,
		answered ? output_enum(&needtoknow__v1__deletion_outcome__descriptor, (int)deletion->outcome) : "");
	csv_time(place->csv, deletion->confirmed_at);
	csv_text(place->csv, deletion->ground);
	csv_time(place->csv, deletion->retained_until);
	csv_end(place->csv);
}

static void add_disclosure(const struct place *place)
{
	const Needtoknow__V1__ReportedDisclosure *disclosure = place->disclosure;

	begin_line(place, "DISCLOSURE", disclosure->shared_at, &disclosure->shared_index);
	csv_empty(place->csv, CELLS_OF_RELEASE + 1 + CELLS_OF_DELETION);
	csv_end(place->csv);
	for (size_t i = 0; i < disclosure->n_releases; i++)
		add_release(place, disclosure->releases[i]);
	for (size_t i = 0; i < disclosure->n_deletions; i++)
		add_deletion(place, disclosure->deletions[i]);
}

static void add_right(struct csv *csv, const Needtoknow__V1__ReportedRight *right)
{
	csv_word(csv, "RIGHT");
	csv_time(csv, right->raised_at);
	csv_empty(csv, 1 + CELLS_OF_RECIPIENT - 2);
	csv_text(csv, right->purpose);
	csv_empty(csv, 1 + CELLS_OF_DISCLOSURE + CELLS_OF_RELEASE + 1);
	csv_word(csv, output_enum(&needtoknow__v1__right_kind__descriptor, (int)right->kind));
	csv_empty(csv, CELLS_OF_DELETION - 1);
	csv_end(csv);
}

void report_csv_print(FILE *file, const Needtoknow__V1__GetSubjectReportResponse *message)
{
	struct csv csv;

	csv_begin(&csv, file, headings, sizeof headings / sizeof headings[0]);
	for (size_t i = 0; i < message->n_recipients; i++) {
		const Needtoknow__V1__ReportedRecipient *recipient = message->recipients[i];
		for (size_t k = 0; k < recipient->n_disclosures; k++)
			add_disclosure(&(struct place){ &csv, recipient, recipient->disclosures[k] });
	}
	for (size_t i = 0; i < message->n_rights; i++)
		add_right(&csv, message->rights[i]);
}
