#include "cli/register_print.h"

#include "cli/csv.h"
#include "cli/output.h"

static const char *kind_of(const Needtoknow__V1__Processing *processing)
{
	return output_enum(&needtoknow__v1__recipient_kind__descriptor, (int)processing->recipient_kind);
}

/* ---- text ---- */

static void show_fields(const Needtoknow__V1__Processing *processing)
{
	for (size_t i = 0; i < processing->n_fields; i++) {
		const Needtoknow__V1__ProcessedField *field = processing->fields[i];
		char text[512];
		snprintf(text, sizeof text, "%s: %s, from %s%s", field->name, field->release, field->due,
			field->sensitive ? ", sensitive" : "");
		output_line(stdout, i == 0 ? "data" : "", text);
	}
}

static void show_processing(const Needtoknow__V1__Processing *processing)
{
	char title[512];

	printf("\n%s", output_style(stdout, STYLE_BOLD));
	snprintf(title, sizeof title, "%s%s%s", processing->service, processing->title[0] != '\0' ? ": " : "",
		processing->title);
	output_text(stdout, title);
	printf("%s\n", output_style(stdout, STYLE_PLAIN));
	output_line(stdout, "purpose", processing->purpose);
	output_line(stdout, "basis", processing->legal_basis);
	if (processing->requires[0] != '\0')
		output_line(stdout, "requires", processing->requires);
	output_line(stdout, "subjects", processing->subject_category);
	show_fields(processing);
	output_line(stdout, "recipients", kind_of(processing));
	for (size_t i = 0; i < processing->n_recipients; i++)
		output_line(stdout, "", processing->recipients[i]);
	output_line(stdout, "expires", processing->expires);
	output_line(stdout, "delete in", processing->delete_within);
}

static void show_register(const Needtoknow__V1__GetRegisterResponse *record)
{
	char time[OUTPUT_TIME_MAX];

	output_line(stdout, "controller", record->controller);
	output_line(stdout, "officer", record->data_protection_officer);
	for (size_t i = 0; i < record->n_security_measures; i++)
		output_line(stdout, i == 0 ? "security" : "", record->security_measures[i]);
	output_line(stdout, "policy of", output_time(record->policy_activated_at, time));
	printf("  %s%-*s%s ", output_style(stdout, STYLE_DIM), OUTPUT_KEY_WIDTH, "SHA-256",
		output_style(stdout, STYLE_PLAIN));
	output_hex(stdout, record->policy_digest.data, record->policy_digest.len);
	putchar('\n');
	for (size_t i = 0; i < record->n_processings; i++)
		show_processing(record->processings[i]);
	for (size_t i = 0; i < record->n_retention; i++) {
		const Needtoknow__V1__RetentionPeriod *period = record->retention[i];
		char text[1024];
		snprintf(text, sizeof text, "%s: %s%s%s", period->what, period->keep,
			period->because[0] != '\0' ? ", because: " : "", period->because);
		if (i == 0)
			printf("\n%skept%s\n", output_style(stdout, STYLE_BOLD), output_style(stdout, STYLE_PLAIN));
		output_line(stdout, "", text);
	}
}

/* ---- CSV: a line a field of a service, since what is due when differs between them; then a line a period ---- */

static const char *const csv_headings[] = { "record", "controller", "data_protection_officer", "service", "title",
	"purpose", "legal_basis", "requires", "subject_category", "field", "release", "due", "sensitive",
	"recipient_kind", "recipients", "expires", "delete_within", "security_measures", "policy_digest",
	"policy_activated_at", "keep", "because" };

static void add_field(struct csv *csv, const Needtoknow__V1__GetRegisterResponse *record,
	const Needtoknow__V1__Processing *processing, const Needtoknow__V1__ProcessedField *field)
{
	csv_word(csv, "FIELD");
	csv_text(csv, record->controller);
	csv_text(csv, record->data_protection_officer);
	csv_text(csv, processing->service);
	csv_text(csv, processing->title);
	csv_text(csv, processing->purpose);
	csv_text(csv, processing->legal_basis);
	csv_text(csv, processing->requires);
	csv_text(csv, processing->subject_category);
	csv_text(csv, field->name);
	csv_text(csv, field->release);
	csv_text(csv, field->due);
	csv_word(csv, field->sensitive ? "true" : "false");
	csv_word(csv, kind_of(processing));
	csv_texts(csv, processing->recipients, processing->n_recipients);
	csv_text(csv, processing->expires);
	csv_text(csv, processing->delete_within);
	csv_texts(csv, record->security_measures, record->n_security_measures);
	csv_bytes(csv, record->policy_digest.data, record->policy_digest.len);
	csv_time(csv, record->policy_activated_at);
	csv_empty(csv, 2);
	csv_end(csv);
}

static void add_period(struct csv *csv, const Needtoknow__V1__GetRegisterResponse *record,
	const Needtoknow__V1__RetentionPeriod *period)
{
	csv_word(csv, "RETENTION");
	csv_text(csv, record->controller);
	csv_text(csv, record->data_protection_officer);
	csv_empty(csv, 6);
	csv_text(csv, period->what);
	csv_empty(csv, 8);
	csv_bytes(csv, record->policy_digest.data, record->policy_digest.len);
	csv_time(csv, record->policy_activated_at);
	csv_text(csv, period->keep);
	csv_text(csv, period->because);
	csv_end(csv);
}

static void print_csv(const Needtoknow__V1__GetRegisterResponse *record)
{
	struct csv csv;

	csv_begin(&csv, stdout, csv_headings, sizeof csv_headings / sizeof csv_headings[0]);
	for (size_t i = 0; i < record->n_processings; i++) {
		const Needtoknow__V1__Processing *processing = record->processings[i];
		for (size_t k = 0; k < processing->n_fields; k++)
			add_field(&csv, record, processing, processing->fields[k]);
	}
	for (size_t i = 0; i < record->n_retention; i++)
		add_period(&csv, record, record->retention[i]);
}

enum exit_code register_print(const Needtoknow__V1__GetRegisterResponse *record, enum format format)
{
	if (format == FORMAT_JSON)
		return output_json_line(output_json(&record->base)) == 0 ? EXIT_OK : EXIT_FAILED;
	if (format == FORMAT_CSV)
		print_csv(record);
	else
		show_register(record);
	return output_flush() == 0 ? EXIT_OK : EXIT_FAILED;
}
