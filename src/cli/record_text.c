#include "cli/record_text.h"

#include "cli/csv.h"
#include "cli/output.h"
#include "cli/report_text.h"

#include <inttypes.h>
#include <string.h>

static int width_of(const Needtoknow__V1__GetSubjectRecordResponse *message)
{
	int width = OUTPUT_KEY_WIDTH;

	for (size_t i = 0; i < message->n_columns; i++) {
		int length = (int)strlen(message->columns[i]->column);
		width = length > width ? length : width;
	}
	return width;
}

static void print_column(FILE *file, const Needtoknow__V1__RecordColumn *column, int width)
{
	char time[OUTPUT_TIME_MAX];

	output_pair(file, column->column, width, column->is_null ? "(none)" : column->value);
	fprintf(file, "  %*s %s%s of %s", width, "", output_style(file, STYLE_DIM),
		output_enum(&needtoknow__v1__origin__descriptor, (int)column->origin),
		output_time(column->collected_at, time));
	if (column->keep_until != NULL)
		fprintf(file, ", kept until %s", output_time(column->keep_until, time));
	if (column->keep_because[0] != '\0') {
		fputs(", ", file);
		output_text(file, column->keep_because);
	}
	fprintf(file, "%s%s\n", column->held ? ", HELD for that alone" : "", output_style(file, STYLE_PLAIN));
}

static void print_notification(FILE *file, const Needtoknow__V1__RecipientNotification *told)
{
	char time[OUTPUT_TIME_MAX];

	fputs("  ", file);
	output_text(file, told->staff ? "STAFF" : told->recipient);
	fprintf(file, ", %s told of %s for entry %" PRIu64 ": %s",
		told->told_at != NULL ? output_time(told->told_at, time) : "not yet",
		output_enum(&needtoknow__v1__notification_kind__descriptor, (int)told->kind), told->request_index,
		output_enum(&needtoknow__v1__notification_answer__descriptor, (int)told->answer));
	if (told->answered_at != NULL)
		fprintf(file, " %s", output_time(told->answered_at, time));
	if (told->ground[0] != '\0') {
		fprintf(file, " until %s, because of: ", output_time(told->until, time));
		output_text(file, told->ground);
	}
	putc('\n', file);
}

static void print_heading(FILE *file, const char *text)
{
	fputs(output_style(file, STYLE_BOLD), file);
	output_text(file, text);
	fprintf(file, "%s\n", output_style(file, STYLE_PLAIN));
}

void record_text_print(FILE *file, const char *subject_id, const Needtoknow__V1__GetSubjectRecordResponse *message)
{
	int width = width_of(message);
	char time[OUTPUT_TIME_MAX];

	print_heading(file, subject_id);
	output_pair(file, "controller", width, message->controller);
	output_pair(file, "officer", width, message->data_protection_officer);
	for (size_t i = 0; i < message->n_columns; i++)
		print_column(file, message->columns[i], width);
	if (message->notice != NULL) {
		output_pair(file, "notice", width, message->notice->version);
		output_pair(file, "", width, message->notice->location);
		output_pair(file, "in force", width, output_time(message->notice->in_force_since, time));
	}
	if (message->n_notifications > 0)
		print_heading(file, "Told (art. 19)");
	for (size_t i = 0; i < message->n_notifications; i++)
		print_notification(file, message->notifications[i]);
	if (message->report != NULL)
		report_text_print(file, message->report);
	if (message->receipt != NULL)
		fprintf(file, "  entry %" PRIu64 " of %s\n", message->receipt->ledger_index,
			output_time(message->receipt->recorded_at, time));
}

void record_csv_print(FILE *file, const Needtoknow__V1__GetSubjectRecordResponse *message)
{
	static const char *const headings[] = { "column", "value", "is_null", "origin", "collected_at", "keep_until",
		"keep_because", "held" };
	struct csv csv;

	csv_begin(&csv, file, headings, sizeof headings / sizeof headings[0]);
	for (size_t i = 0; i < message->n_columns; i++) {
		const Needtoknow__V1__RecordColumn *column = message->columns[i];
		csv_text(&csv, column->column);
		csv_text(&csv, column->value);
		csv_word(&csv, column->is_null ? "true" : "false");
		csv_word(&csv, output_enum(&needtoknow__v1__origin__descriptor, (int)column->origin));
		csv_time(&csv, column->collected_at);
		csv_time(&csv, column->keep_until);
		csv_text(&csv, column->keep_because);
		csv_word(&csv, column->held ? "true" : "false");
		csv_end(&csv);
	}
}
