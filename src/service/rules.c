#include "service/rules.h"

#include "base/arena.h"
#include "base/memory.h"
#include "pure/policy_narrow.h"
#include "pure/siphash.h"
#include "pure/source_select.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#define SELECT_MAX ((size_t)64 << 10)
#define NARROWING_MAX ((size_t)64 << 20) /* a policy is a mebibyte at most */

/* A statement, and all that it points to. */
struct owned_read {
	struct source_read read;
	enum key_type key_type, subject_type;
	const struct policy_source *source;
	bool owner; /* source_owner_select() */
	char name[48];
	char *text;
	const struct policy_field **fields;
	struct owned_read *next;
};

struct source_types {
	enum key_type key, subject;
};

struct narrowing {
	const struct rules *by;
	struct arena *arena;
	struct rule *rules; /* one a service of the policy that it is of; without a service: it stays as it was */
	struct narrowing *next;
};

int rules_number(const struct rules *rules)
{
	return rules->number;
}

const struct policy *rules_policy(const struct rules *rules)
{
	return rules->policy;
}

const struct rule *rules_find(const struct rules *rules, const char *service)
{
	const struct policy_service *found = policy_service(rules->policy, service);
	for (size_t i = 0; found && i < policy_service_count(rules->policy); i++)
		if (rules->rules[i].service == found)
			return &rules->rules[i];
	return NULL;
}

/* ---- asking ---- */

/* A row's columns, in the statement's order, into the answer. A second row for one key only counts: the key is none. */
static void source_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct source_answer *answer = target;
	if (answer->rows++)
		return;
	for (size_t i = 0;
		i < answer->read->field_count || (i == 0 && !answer->read->field_count && PQnfields(result) > 1); i++) {
		struct source_value *value = &answer->values[i];
		value->bytes = row_text(result, row, (int)i + 1, call);
		value->length = value->bytes ? (size_t)PQgetlength(result, row, (int)i + 1) : 0;
	}
}

void source_ask(struct call *call, const struct source_read *read, const char *key, const char *subject_id,
	struct source_answer *answer)
{
	const struct owned_read *owned = (const struct owned_read *)read;
	answer->read = read;
	answer->rows = 0;
	answer->values = call_alloc(call, (read->field_count ? read->field_count : 1) * sizeof *answer->values);
	if (!answer->values || !key_type_accepts(owned->key_type, key))
		return;
	if (owned->source->subject && !key_type_accepts(owned->subject_type, subject_id))
		return;
	batch_read(call, &read->kind, answer, (struct cell[]){ cell_text(key), cell_text(subject_id) });
}

/* ---- making ---- */

static bool same_fields(const struct owned_read *read, const struct policy_field *const *fields, size_t count)
{
	return read->read.field_count == count && (!count || !memcmp(read->fields, fields, count * sizeof *fields));
}

static const struct source_types *types_of(const struct rules *rules, const struct policy_source *source)
{
	size_t i = 0;
	while (policy_source_at(rules->policy, i) != source)
		i++;
	return &rules->types[i];
}

static const struct source_read *read_of(struct rulebook *rulebook, struct rules *rules,
	const struct policy_source *source, const struct policy_field *const *fields, size_t count, bool owner)
{
	struct owned_read *read;
	struct buffer text;
	static const uint8_t name_key[16];
	LL_FOREACH (rules->reads, read)
		if (read->source == source && read->owner == owner && same_fields(read, fields, count))
			return &read->read;
	read = mem_calloc(1, sizeof *read);
	read->source = source;
	read->owner = owner;
	read->key_type = types_of(rules, source)->key;
	read->subject_type = types_of(rules, source)->subject;
	read->fields = mem_calloc(count ? count : 1, sizeof *read->fields);
	if (count)
		memcpy(read->fields, fields, count * sizeof *fields);

	buffer_init(&text, SELECT_MAX);
	int failed = owner ? source_owner_select(source, read->key_type, read->subject_type, &text)
			   : source_select(source, read->key_type, read->subject_type, fields, count, &text);
	assert(!failed); /* the policy bounds fields and names */
	read->text = mem_strdup((const char *)text.data);
	buffer_release(&text);

	/* Named after its text: two policies that read the same share the statement, and no name ever means two. */
	snprintf(read->name, sizeof read->name, "source_%016llx",
		(unsigned long long)siphash(name_key, read->text, strlen(read->text)));
	read->read.statement = (struct statement){ .name = read->name, .text = read->text, .parameters = 2 };
	read->read.kind = (struct read_kind){ .statement = &read->read.statement,
		.from = READ_SOURCE,
		.source = rulebook_view(rulebook, source),
		.types = { PG_TEXT, PG_TEXT },
		.row = source_row };
	read->read.field_count = count;
	read->read.fields = read->fields;
	LL_APPEND(rules->reads, read);
	return &read->read;
}

/* Those of the release's fields that are of one source, in the release's order. */
static size_t fields_of(
	const struct policy_release *release, const struct policy_source *source, const struct policy_field **out)
{
	size_t count = 0;
	for (size_t i = 0; i < release->field_count; i++)
		if (release->fields[i]->source == source)
			out[count++] = release->fields[i];
	return count;
}

static struct release_read release_read_of(
	struct rulebook *rulebook, struct rules *rules, const struct policy_release *release)
{
	const struct policy_field *fields[POLICY_FIELDS_MAX];
	size_t sources = policy_source_count(rules->policy);
	const struct source_read **reads = mem_calloc(sources, sizeof *reads);
	struct release_read read = { .sources = reads };
	for (size_t i = 0; i < sources; i++) {
		const struct policy_source *source = policy_source_at(rules->policy, i);
		size_t count = fields_of(release, source, fields);
		if (count)
			reads[read.count++] = read_of(rulebook, rules, source, fields, count, false);
	}
	return read;
}

static void make_rule(struct rulebook *rulebook, struct rules *rules, struct rule *rule)
{
	const struct policy_service *service = rule->service;
	const struct policy_source *subjects = policy_subjects(rules->policy);
	struct release_read *releases = mem_calloc(service->release_count, sizeof *releases);
	rule->rules = rules;
	if (service->requires)
		rule->consent = read_of(rulebook, rules, service->requires->source, &service->requires, 1, false);
	/* A consent in the subject's own row says as well that the row is there. */
	if (service->requires && service->requires->source == subjects)
		rule->subject = rule->consent;
	else
		rule->subject = read_of(rulebook, rules, subjects, NULL, 0, false);
	if (service->needs_booking)
		rule->booking = read_of(rulebook, rules, policy_bookings(rules->policy), NULL, 0, true);
	for (size_t i = 0; i < service->release_count; i++)
		releases[i] = release_read_of(rulebook, rules, &service->releases[i]);
	rule->releases = releases;
}

struct rules *rules_new(struct rulebook *rulebook, struct policy *policy, int number, const struct catalogue *catalogue)
{
	struct rules *rules = mem_calloc(1, sizeof *rules);
	rules->number = number;
	rules->policy = policy;
	rules->rules = mem_calloc(policy_service_count(policy), sizeof *rules->rules);
	rules->types = mem_calloc(policy_source_count(policy), sizeof *rules->types);
	for (size_t i = 0; i < policy_source_count(policy); i++) {
		const struct policy_source *source = policy_source_at(policy, i);
		rules->types[i].key = catalogue_key_type(catalogue, source);
		rules->types[i].subject = source->subject ? catalogue_subject_type(catalogue, source) : KEY_TYPE_TEXT;
	}
	rules->subject = read_of(rulebook, rules, policy_subjects(policy), NULL, 0, false);
	for (size_t i = 0; i < policy_service_count(policy); i++) {
		rules->rules[i].service = policy_service_at(policy, i);
		make_rule(rulebook, rules, &rules->rules[i]);
	}
	return rules;
}

const struct source_read *rules_subject(const struct rules *rules)
{
	return rules->subject;
}

/* ---- what a later policy leaves of it ---- */

static struct narrowing *narrow(struct rulebook *rulebook, struct rules *shared, struct rules *in_force)
{
	struct narrowing *narrowing = mem_calloc(1, sizeof *narrowing);
	size_t count = policy_service_count(shared->policy);
	narrowing->by = in_force;
	narrowing->arena = arena_new(NARROWING_MAX);
	narrowing->rules = mem_calloc(count, sizeof *narrowing->rules);
	for (size_t i = 0; i < count; i++) {
		const struct policy_service *service = policy_service_at(shared->policy, i);
		narrowing->rules[i].service =
			policy_narrow(service, policy_service(in_force->policy, service->name), narrowing->arena);
		if (narrowing->rules[i].service)
			make_rule(rulebook, in_force, &narrowing->rules[i]);
	}
	LL_PREPEND(shared->narrowings, narrowing);
	return narrowing;
}

const struct rule *rules_narrow(
	struct rulebook *rulebook, struct rules *shared, const struct rule *rule, struct rules *in_force)
{
	struct narrowing *narrowing;
	if (shared == in_force)
		return rule;
	LL_SEARCH_SCALAR(shared->narrowings, narrowing, by, in_force);
	if (!narrowing)
		narrowing = narrow(rulebook, shared, in_force);
	const struct rule *left = &narrowing->rules[rule - shared->rules];
	return left->service ? left : rule;
}

static void free_rules(struct rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; rules[i].service && j < rules[i].service->release_count; j++)
			mem_free((void *)rules[i].releases[j].sources);
		mem_free((void *)rules[i].releases);
	}
	mem_free(rules);
}

void rules_free(struct rules *rules)
{
	struct owned_read *read, *next;
	struct narrowing *narrowing, *next_narrowing;
	if (!rules)
		return;
	free_rules(rules->rules, policy_service_count(rules->policy));
	LL_FOREACH_SAFE (rules->narrowings, narrowing, next_narrowing) {
		free_rules(narrowing->rules, policy_service_count(rules->policy));
		arena_free(narrowing->arena);
		mem_free(narrowing);
	}
	LL_FOREACH_SAFE (rules->reads, read, next) {
		mem_free(read->text);
		mem_free(read->fields);
		mem_free(read);
	}
	mem_free(rules->types);
	policy_free(rules->policy);
	mem_free(rules);
}
