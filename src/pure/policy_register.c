#include "pure/policy_register.h"

#include "pure/duration.h"

#include <string.h>

/* What a message is made of is in the arena; NULL goes up from wherever it is full. */

static Needtoknow__V1__ProcessedField *field_message(
	struct arena *arena, const struct policy_release *release, const struct policy_field *field, char *due)
{
	Needtoknow__V1__ProcessedField *message = arena_alloc(arena, sizeof *message);
	if (!message)
		return NULL;
	needtoknow__v1__processed_field__init(message);
	message->name = (char *)field->name;
	message->release = (char *)release->name;
	message->due = due;
	message->sensitive = release->sensitive;
	return message;
}

static char *moment_text(struct arena *arena, const struct moment *moment)
{
	char *text = arena_alloc(arena, MOMENT_TEXT_MAX);
	if (text)
		moment_format(moment, text);
	return text;
}

static int add_fields(struct arena *arena, Needtoknow__V1__Processing *processing, const struct policy_service *service)
{
	size_t count = 0;
	for (size_t i = 0; i < service->release_count; i++)
		count += service->releases[i].field_count;
	processing->fields = arena_alloc(arena, (count + 1) * sizeof *processing->fields);
	for (size_t i = 0; processing->fields && i < service->release_count; i++) {
		const struct policy_release *release = &service->releases[i];
		char *due = moment_text(arena, &release->at);
		for (size_t j = 0; due && j < release->field_count; j++)
			processing->fields[processing->n_fields++] =
				field_message(arena, release, release->fields[j], due);
	}
	return processing->n_fields == count && (!count || processing->fields[count - 1]) ? 0 : -1;
}

static Needtoknow__V1__Processing *processing_message(
	struct arena *arena, const struct policy *policy, const struct policy_service *service)
{
	Needtoknow__V1__Processing *message = arena_alloc(arena, sizeof *message);
	char *expires = moment_text(arena, &service->expires);
	char *delete_within = arena_alloc(arena, DURATION_TEXT_MAX);
	if (!message || !expires || !delete_within)
		return NULL;
	needtoknow__v1__processing__init(message);
	duration_format(service->delete_within, delete_within);
	message->service = (char *)service->name;
	message->title = (char *)(service->title ? service->title : "");
	message->purpose = (char *)service->purpose;
	message->legal_basis = (char *)legal_basis_name(service->legal_basis);
	message->subject_category = (char *)policy_subjects(policy)->name;
	message->recipient_kind = (Needtoknow__V1__RecipientKind)service->recipients;
	message->expires = expires;
	message->delete_within = delete_within;
	message->requires = (char *)(service->requires ? service->requires->name : "");
	return add_fields(arena, message, service) == 0 ? message : NULL;
}

static Needtoknow__V1__RetentionPeriod *period_message(
	struct arena *arena, const char *what, const struct policy_period *period)
{
	Needtoknow__V1__RetentionPeriod *message = arena_alloc(arena, sizeof *message);
	if (!message || !what)
		return NULL;
	needtoknow__v1__retention_period__init(message);
	message->what = (char *)what;
	message->keep = (char *)period->text;
	message->because = (char *)(period->because ? period->because : "");
	return message;
}

/* `client.home_address, client.door_code` */
static const char *columns_named(struct arena *arena, const struct policy_column_retention *columns)
{
	const char *text = columns->field_count ? columns->fields[0].name : "";
	for (size_t i = 1; text && i < columns->field_count; i++)
		text = arena_printf(arena, "%s, %s", text, columns->fields[i].name);
	return text;
}

static int add_retention(
	struct arena *arena, Needtoknow__V1__GetRegisterResponse *record, const struct policy_retention *retention)
{
	const struct {
		const char *what;
		const struct policy_period *period;
	} ours[] = {
		{ "disclosures", &retention->disclosures },
		{ "ledger_bodies", &retention->ledger_bodies },
		{ "subject_key_after_erasure", &retention->subject_key_after_erasure },
		{ "backups", &retention->backups },
	};
	const size_t count = sizeof ours / sizeof *ours, all = count + retention->column_count;
	record->retention = arena_alloc(arena, all * sizeof *record->retention);
	if (!record->retention)
		return -1;
	for (; record->n_retention < all; record->n_retention++) {
		size_t i = record->n_retention;
		record->retention[i] = i < count
			? period_message(arena, ours[i].what, ours[i].period)
			: period_message(arena, columns_named(arena, &retention->columns[i - count]),
				  &retention->columns[i - count].after);
		if (!record->retention[i])
			return -1;
	}
	return 0;
}

static int add_processings(
	struct arena *arena, Needtoknow__V1__GetRegisterResponse *record, const struct policy *policy)
{
	size_t count = policy_service_count(policy);
	record->processings = arena_alloc(arena, (count + 1) * sizeof *record->processings);
	if (!record->processings)
		return -1;
	for (; record->n_processings < count; record->n_processings++) {
		Needtoknow__V1__Processing *processing =
			processing_message(arena, policy, policy_service_at(policy, record->n_processings));
		if (!processing)
			return -1;
		record->processings[record->n_processings] = processing;
	}
	return 0;
}

Needtoknow__V1__GetRegisterResponse *policy_register(const struct policy *policy, struct arena *arena)
{
	Needtoknow__V1__GetRegisterResponse *record = arena_alloc(arena, sizeof *record);
	size_t measures = policy_security_measure_count(policy);
	if (!record)
		return NULL;
	needtoknow__v1__get_register_response__init(record);
	record->controller = (char *)policy_controller(policy);
	record->data_protection_officer = (char *)policy_data_protection_officer(policy);
	record->security_measures = arena_alloc(arena, (measures + 1) * sizeof *record->security_measures);
	if (!record->security_measures)
		return NULL;
	for (; record->n_security_measures < measures; record->n_security_measures++)
		record->security_measures[record->n_security_measures] =
			(char *)policy_security_measure_at(policy, record->n_security_measures);
	record->policy_digest.data = (uint8_t *)policy_digest(policy);
	record->policy_digest.len = 32;
	return add_processings(arena, record, policy) == 0 &&
			add_retention(arena, record, policy_retention(policy)) == 0
		? record
		: NULL;
}
