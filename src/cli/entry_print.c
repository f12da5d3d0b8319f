#include "cli/entry_print.h"

#include "cli/output.h"
#include "cli/table.h"

#include <inttypes.h>
#include <string.h>

static const Needtoknow__V1__LedgerEntry pruned = NEEDTOKNOW__V1__LEDGER_ENTRY__INIT;

static const Needtoknow__V1__LedgerEntry *body_of(const Needtoknow__V1__Entry *entry)
{
	return entry->entry != NULL ? entry->entry : &pruned;
}

/* `PRUNED_BODY`: only its leaf is left. */
static const char *kind_of(const Needtoknow__V1__Entry *entry)
{
	if (entry->entry == NULL)
		return "PRUNED_BODY";
	return output_enum(&needtoknow__v1__entry_kind__descriptor, (int)entry->entry->kind);
}

static const char *reason_of(const Needtoknow__V1__LedgerEntry *body)
{
	if (body->reason == NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED)
		return "";
	return output_enum(&needtoknow__v1__reason__descriptor, (int)body->reason);
}

/* `booking/booking` of `spiffe://maison-claire.example/booking/booking`. */
static const char *short_actor(const char *actor)
{
	static const char scheme[] = "spiffe://";
	const char *path;

	if (strncmp(actor, scheme, sizeof scheme - 1) != 0)
		return actor;
	path = strchr(actor + sizeof scheme - 1, '/');
	return path != NULL ? path + 1 : actor;
}

/* Why, and names of fields. */
static void add_subject(struct table *table, const Needtoknow__V1__LedgerEntry *body)
{
	char text[256];
	size_t used = (size_t)snprintf(text, sizeof text, "%s", reason_of(body));

	for (size_t i = 0; i < body->n_fields && used < sizeof text; i++)
		used += (size_t)snprintf(
			text + used, sizeof text - used, "%s%s", used == 0 ? "" : " ", body->fields[i]);
	table_cell(table, text);
}

static void add_row(struct table *table, const Needtoknow__V1__Entry *entry)
{
	const Needtoknow__V1__LedgerEntry *body = body_of(entry);
	char time[OUTPUT_TIME_MAX];

	table_cellf(table, "%" PRIu64, entry->index);
	table_cell(table, output_time(body->recorded_at, time));
	table_cell(table, kind_of(entry));
	table_cell(table, short_actor(body->actor));
	table_cell(table, body->recipient_id);
	table_cell(table, body->service);
	table_cell(table, body->release);
	table_cell(table, body->disclosure_id);
	add_subject(table, body);
}

static const char *const csv_headings[] = { "index", "recorded_at", "kind", "actor", "recipient_id", "device",
	"service", "purpose", "legal_basis", "disclosure_id", "release", "fields", "reason", "expires_at",
	"delivery_id", "subject_pseudonym", "booking_ref", "values_commitment", "policy_digest", "verifier_keys",
	"pruned_until", "leaf_hash" };

static void add_csv(struct csv *csv, const Needtoknow__V1__Entry *entry)
{
	const Needtoknow__V1__LedgerEntry *body = body_of(entry);

	csv_number(csv, entry->index);
	csv_time(csv, body->recorded_at);
	csv_word(csv, kind_of(entry));
	csv_text(csv, body->actor);
	csv_text(csv, body->recipient_id);
	csv_text(csv, body->device);
	csv_text(csv, body->service);
	csv_text(csv, body->purpose);
	csv_text(csv, body->legal_basis);
	csv_text(csv, body->disclosure_id);
	csv_text(csv, body->release);
	csv_texts(csv, body->fields, body->n_fields);
	csv_word(csv, reason_of(body));
	csv_time(csv, body->expires_at);
	csv_text(csv, body->delivery_id);
	csv_bytes(csv, body->subject_pseudonym.data, body->subject_pseudonym.len);
	csv_bytes(csv, body->booking_ref.data, body->booking_ref.len);
	csv_bytes(csv, body->values_commitment.data, body->values_commitment.len);
	csv_bytes(csv, body->policy_digest.data, body->policy_digest.len);
	csv_texts(csv, body->verifier_keys, body->n_verifier_keys);
	if (body->kind == NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_PRUNED)
		csv_number(csv, body->pruned_until);
	else
		csv_empty(csv, 1);
	csv_bytes(csv, entry->leaf_hash.data, entry->leaf_hash.len);
	csv_end(csv);
}

void entry_printer_init(struct entry_printer *printer, enum format format)
{
	static const char *const headings[] = { "INDEX", "RECORDED", "KIND", "ACTOR", "RECIPIENT", "SERVICE", "RELEASE",
		"DISCLOSURE", "WHY AND WHAT" };

	*printer = (struct entry_printer){ .format = format };
	if (format == FORMAT_TEXT)
		printer->table = table_new(headings, sizeof headings / sizeof headings[0]);
	if (format == FORMAT_CSV)
		csv_begin(&printer->csv, stdout, csv_headings, sizeof csv_headings / sizeof csv_headings[0]);
}

void entry_printer_release(struct entry_printer *printer)
{
	table_free(printer->table);
	printer->table = NULL;
}

int entry_print(struct entry_printer *printer, Needtoknow__V1__Entry *const *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (printer->format == FORMAT_TEXT)
			add_row(printer->table, entries[i]);
		else if (printer->format == FORMAT_CSV)
			add_csv(&printer->csv, entries[i]);
		else if (output_json_write(stdout, output_json(&entries[i]->base)) != 0)
			return -1;
	}
	if (printer->format == FORMAT_TEXT)
		table_print(printer->table, stdout);
	return output_flush();
}
