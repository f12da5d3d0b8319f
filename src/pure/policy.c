#include "pure/policy_model.h"

#include "base/memory.h"
#include "pure/duration.h"
#include "pure/sha256.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char *const basis_names[] = {
	[LEGAL_BASIS_CONTRACT] = "contract",
	[LEGAL_BASIS_CONSENT] = "consent",
	[LEGAL_BASIS_LEGITIMATE_INTEREST] = "legitimate-interest",
	[LEGAL_BASIS_LEGAL_OBLIGATION] = "legal-obligation",
	[LEGAL_BASIS_VITAL_INTEREST] = "vital-interest",
	[LEGAL_BASIS_PUBLIC_TASK] = "public-task",
};

const char *legal_basis_name(enum legal_basis basis)
{
	assert((size_t)basis < sizeof basis_names / sizeof *basis_names);
	return basis_names[basis];
}

int64_t moment_at(const struct moment *moment, int64_t booked, int64_t starts_at, int64_t ends_at)
{
	int64_t anchor = moment->anchor == MOMENT_BOOKED ? booked
		: moment->anchor == MOMENT_START         ? starts_at
							 : ends_at;
	int64_t at;
	if (__builtin_add_overflow(anchor, moment->offset, &at))
		return moment->offset > 0 ? INT64_MAX : INT64_MIN + 1;
	return at;
}

int64_t release_due_at(const struct policy_release *release, int64_t booked, int64_t starts_at, int64_t ends_at)
{
	int64_t due = moment_at(&release->at, booked, starts_at, ends_at);
	for (size_t i = 0; i < release->later_count; i++) {
		int64_t at = moment_at(&release->later[i], booked, starts_at, ends_at);
		due = at > due ? at : due;
	}
	return due > booked ? due : booked;
}

void moment_format(const struct moment *moment, char out[MOMENT_TEXT_MAX])
{
	static const char *const anchors[] = {
		[MOMENT_BOOKED] = "booked",
		[MOMENT_START] = "start",
		[MOMENT_END] = "end",
	};
	char offset[DURATION_TEXT_MAX] = "";
	if (moment->offset)
		duration_format(moment->offset < 0 ? -moment->offset : moment->offset, offset);
	snprintf(out, MOMENT_TEXT_MAX, "%s%s%s", anchors[moment->anchor],
		moment->offset < 0           ? "-"
			: moment->offset > 0 ? "+"
					     : "",
		offset);
}

struct policy *policy_parse(const char *text, size_t length, struct policy_error *error)
{
	struct policy *policy = mem_calloc(1, sizeof *policy);
	policy->arena = arena_new(YAML_ARENA_MAX);
	struct yaml_reader reader = { .arena = policy->arena };
	int result = -1;

	struct yaml_value *root = yaml_tree_parse(text, length, policy->arena, &reader.error);
	if (root == NULL || policy_load(&reader, root, policy) != 0)
		goto out;
	char *copy = arena_alloc(policy->arena, length + 1);
	assert(copy != NULL);
	memcpy(copy, text, length);
	policy->text = copy;
	policy->length = length;
	struct sha256 hash;
	sha256_init(&hash);
	sha256_update(&hash, text, length);
	sha256_final(&hash, policy->digest);
	result = 0;
out:
	if (result != 0) {
		*error = (struct policy_error){ .line = reader.error.line, .column = reader.error.column };
		memcpy(error->message, reader.error.message, sizeof error->message);
		policy_free(policy);
		policy = NULL;
	}
	return policy;
}
_Static_assert(sizeof((struct policy_error *)0)->message == sizeof((struct yaml_error *)0)->message, "copied whole");

void policy_free(struct policy *policy)
{
	if (policy == NULL)
		return;
	name_table_release(&policy->source_names);
	name_table_release(&policy->service_names);
	name_table_release(&policy->field_names);
	mem_free(policy->fields);
	arena_free(policy->arena);
	mem_free(policy);
}

const char *policy_text(const struct policy *policy, size_t *length)
{
	*length = policy->length;
	return policy->text;
}

const uint8_t *policy_digest(const struct policy *policy)
{
	return policy->digest;
}

const char *policy_controller(const struct policy *policy)
{
	return policy->controller_name;
}

const struct policy_service *policy_service(const struct policy *policy, const char *name)
{
	return name_table_find(&policy->service_names, name);
}

size_t policy_service_count(const struct policy *policy)
{
	return policy->service_count;
}

const struct policy_service *policy_service_at(const struct policy *policy, size_t index)
{
	assert(index < policy->service_count);
	return &policy->services[index];
}

size_t policy_source_count(const struct policy *policy)
{
	return policy->source_count;
}

const struct policy_source *policy_source_at(const struct policy *policy, size_t index)
{
	assert(index < policy->source_count);
	return &policy->sources[index];
}

const struct policy_source *policy_subjects(const struct policy *policy)
{
	return policy->subjects;
}

const struct policy_source *policy_bookings(const struct policy *policy)
{
	return policy->bookings;
}

size_t policy_field_count(const struct policy *policy)
{
	return policy->field_count;
}

const struct policy_field *policy_field_at(const struct policy *policy, size_t index)
{
	assert(index < policy->field_count);
	return policy->fields[index];
}

int64_t policy_acknowledge_within(const struct policy *policy)
{
	return policy->acknowledge_within;
}

const char *policy_data_protection_officer(const struct policy *policy)
{
	return policy->data_protection_officer;
}

size_t policy_security_measure_count(const struct policy *policy)
{
	return policy->security_measure_count;
}

const char *policy_security_measure_at(const struct policy *policy, size_t index)
{
	assert(index < policy->security_measure_count);
	return policy->security_measures[index];
}

const struct policy_retention *policy_retention(const struct policy *policy)
{
	return &policy->retention;
}
