#include "cli/report_text.h"

#include "cli/output.h"

#include <inttypes.h>

static void print_heading(FILE *file, const Needtoknow__V1__ReportedRecipient *recipient)
{
	const char *kind = output_enum(&needtoknow__v1__recipient_kind__descriptor, (int)recipient->kind);

	fprintf(file, "\n%s", output_style(file, STYLE_BOLD));
	if (recipient->kind == NEEDTOKNOW__V1__RECIPIENT_KIND__RECIPIENT_KIND_STAFF) {
		fputs(kind, file);
	} else {
		output_text(file, recipient->display_name);
		fputs(" (", file);
		output_text(file, recipient->recipient_id);
		fputs(")", file);
	}
	fputs(": ", file);
	output_text(file, recipient->service);
	fprintf(file, "%s\n", output_style(file, STYLE_PLAIN));
	output_line(file, "title", recipient->service_title);
	output_line(file, "purpose", recipient->purpose);
	output_line(file, "basis", recipient->legal_basis);
}

static void print_release(FILE *file, const Needtoknow__V1__ReportedRelease *release)
{
	char time[OUTPUT_TIME_MAX];

	fputs("    ", file);
	output_text(file, release->name);
	fprintf(file, ", due %s:", output_time(release->due_at, time));
	for (size_t i = 0; i < release->n_fields; i++) {
		fputs(i == 0 ? " " : ", ", file);
		output_text(file, release->fields[i]);
	}
	putc('\n', file);
	for (size_t i = 0; i < release->n_deliveries; i++) {
		const Needtoknow__V1__ReportedDelivery *delivery = release->deliveries[i];
		fprintf(file, "      sent %s, %s, entry %" PRIu64 "\n", output_time(delivery->sent_at, time),
			delivery->acknowledged ? "acknowledged" : "not acknowledged", delivery->ledger_index);
	}
	if (release->n_deliveries == 0)
		fputs("      not sent\n", file);
}

static void print_deletion(FILE *file, const Needtoknow__V1__ReportedDeletion *deletion)
{
	char time[OUTPUT_TIME_MAX];

	fprintf(file, "    %s, ordered to delete %s",
		output_enum(&needtoknow__v1__withdrawal_cause__descriptor, (int)deletion->cause),
		output_time(deletion->ordered_at, time));
	fprintf(file, " by %s, entry %" PRIu64 ": ", output_time(deletion->delete_by, time), deletion->ledger_index);
	if (deletion->outcome == NEEDTOKNOW__V1__DELETION_OUTCOME__DELETION_OUTCOME_UNSPECIFIED) {
		fputs("not confirmed\n", file);
		return;
	}
	fprintf(file, "%s %s", output_enum(&needtoknow__v1__deletion_outcome__descriptor, (int)deletion->outcome),
		output_time(deletion->confirmed_at, time));
	if (deletion->outcome == NEEDTOKNOW__V1__DELETION_OUTCOME__DELETION_OUTCOME_RETAINED) {
		fprintf(file, " until %s, because of: ", output_time(deletion->retained_until, time));
		output_text(file, deletion->ground);
	}
	putc('\n', file);
}

static void print_disclosure(FILE *file, const Needtoknow__V1__ReportedDisclosure *disclosure)
{
	char time[OUTPUT_TIME_MAX];

	fputs("  ", file);
	output_text(file, disclosure->disclosure_id);
	fprintf(file, " %s, shared %s, entry %" PRIu64 "\n",
		output_enum(&needtoknow__v1__disclosure_state__descriptor, (int)disclosure->state),
		output_time(disclosure->shared_at, time), disclosure->shared_index);
	fprintf(file, "    from %s", output_time(disclosure->starts_at, time));
	fprintf(file, " to %s", output_time(disclosure->ends_at, time));
	fprintf(file, ", expires %s\n", output_time(disclosure->expires_at, time));
	for (size_t i = 0; i < disclosure->n_releases; i++)
		print_release(file, disclosure->releases[i]);
	for (size_t i = 0; i < disclosure->n_deletions; i++)
		print_deletion(file, disclosure->deletions[i]);
}

void report_text_print(FILE *file, const Needtoknow__V1__GetSubjectReportResponse *message)
{
	char time[OUTPUT_TIME_MAX];

	fputs(output_style(file, STYLE_BOLD), file);
	output_text(file, message->subject_id);
	fprintf(file, "%s\n", output_style(file, STYLE_PLAIN));
	fprintf(file, "  %s%-*s%s ", output_style(file, STYLE_DIM), OUTPUT_KEY_WIDTH, "pseudonym",
		output_style(file, STYLE_PLAIN));
	output_hex(file, message->subject_pseudonym.data, message->subject_pseudonym.len);
	putc('\n', file);
	output_line(file, "made", output_time(message->made_at, time));
	output_line(file, "controller", message->controller);
	output_line(file, "officer", message->data_protection_officer);
	output_line(file, "backups", message->backups_keep);
	for (size_t i = 0; i < message->n_rights; i++) {
		const Needtoknow__V1__ReportedRight *right = message->rights[i];
		char text[512];
		snprintf(text, sizeof text, "%s%s%s, since %s",
			output_enum(&needtoknow__v1__right_kind__descriptor, (int)right->kind),
			right->purpose[0] != '\0' ? " " : "", right->purpose, output_time(right->raised_at, time));
		output_line(file, i == 0 ? "rights" : "", text);
	}
	for (size_t i = 0; i < message->n_recipients; i++) {
		print_heading(file, message->recipients[i]);
		for (size_t k = 0; k < message->recipients[i]->n_disclosures; k++)
			print_disclosure(file, message->recipients[i]->disclosures[k]);
	}
}
