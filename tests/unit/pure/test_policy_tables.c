/* Runs the tables in tests/policy: facts and the decision that they lead to, bookings and the times of their releases.
 */
#include "base/memory.h"
#include "pure/decision.h"
#include "pure/policy.h"
#include "pure/time.h"
#include "pure/yaml_reader.h"
#include "support/check.h"

#include <glob.h>
#include <stdio.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define TEXT_MAX (1 << 20)

struct table {
	const char *path;
	struct yaml_reader reader;
	struct policy *policy;
	struct share_facts base;
	unsigned decisions, due, failures;
};

static struct table *table_of(struct yaml_reader *reader)
{
	return reader->context;
}

static int read_time(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	int64_t time = TIME_NONE;
	if (value->kind != YAML_KIND_TEXT || (strcmp(value->text, "none") != 0 && time_parse(value->text, &time) != 0))
		return yaml_refuse_text(reader, value, "a time, or none");
	*(int64_t *)member = time;
	return 0;
}

static int read_until(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	if (read_time(reader, value, member) != 0)
		return -1;
	if (*(int64_t *)member == TIME_NONE)
		*(int64_t *)member = INT64_MAX;
	return 0;
}

static int read_service(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	const char *name;
	if (yaml_read_text(reader, value, &name) != 0)
		return -1;
	*(const struct policy_service **)member = policy_service(table_of(reader)->policy, name);
	return 0;
}

static int read_kind(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	static const struct yaml_word words[] = {
		{ "provider", RECIPIENT_KIND_PROVIDER },
		{ "staff", RECIPIENT_KIND_STAFF },
	};
	int kind;
	if (yaml_read_word(reader, value, words, COUNT_OF(words), &kind) != 0)
		return -1;
	*(enum recipient_kind *)member = (enum recipient_kind)kind;
	return 0;
}

static int read_consent(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	static const struct yaml_word words[] = {
		{ "none", TRISTATE_NULL },
		{ "false", TRISTATE_FALSE },
		{ "true", TRISTATE_TRUE },
	};
	int consent;
	if (yaml_read_word(reader, value, words, COUNT_OF(words), &consent) != 0)
		return -1;
	*(enum tristate *)member = (enum tristate)consent;
	return 0;
}

static int read_rights(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	static const struct yaml_word words[] = {
		{ "erased", SUBJECT_ERASED },
		{ "restricted", SUBJECT_RESTRICTED },
		{ "objected", SUBJECT_OBJECTED },
		{ "consent-withdrawn", SUBJECT_CONSENT_WITHDRAWN },
	};
	if (yaml_expect_list(reader, value, "rights") != 0)
		return -1;
	for (const struct yaml_value *item = value->first; item != NULL; item = item->next) {
		int right;
		if (yaml_read_word(reader, item, words, COUNT_OF(words), &right) != 0)
			return -1;
		*(unsigned *)member |= (unsigned)right;
	}
	return 0;
}

#define FACT(name, read)                                                                                               \
	{                                                                                                              \
#name, read, offsetof(struct share_facts, name), false, ""                                             \
	}
static const struct yaml_key fact_keys[] = {
	FACT(now, read_time),
	FACT(service, read_service),
	FACT(starts_at, read_time),
	FACT(ends_at, read_time),
	FACT(recipient_known, yaml_read_bool),
	FACT(recipient_suspended, yaml_read_bool),
	FACT(recipient_kind, read_kind),
	FACT(agreement_from, read_time),
	FACT(agreement_until, read_until),
	FACT(service_authorised, yaml_read_bool),
	{ "rights", read_rights, offsetof(struct share_facts, subject_rights), false, "" },
	FACT(subject_known, yaml_read_bool),
	FACT(booking_known, yaml_read_bool),
	FACT(booking_is_subjects, yaml_read_bool),
	FACT(consent, read_consent),
};
static const struct yaml_map fact_map = { "the facts", COUNT_OF(fact_keys), fact_keys };

static int read_base(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	struct table *table = member;
	table->base =
		(struct share_facts){ .starts_at = TIME_NONE, .ends_at = TIME_NONE, .agreement_until = INT64_MAX };
	return yaml_read_map(reader, value, &fact_map, &table->base);
}

/* decisions */

struct decision {
	const char *name, *expect;
	struct share_facts facts;
};

static int read_with(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	return yaml_read_map(reader, value, &fact_map, member);
}

static const struct yaml_key decision_keys[] = {
	{ "name", yaml_read_text, offsetof(struct decision, name), true, "what it shows" },
	{ "with", read_with, offsetof(struct decision, facts), true, "facts" },
	{ "expect", yaml_read_text, offsetof(struct decision, expect), true, "SHARED or a refusal" },
};
static const struct yaml_map decision_map = { "a case", COUNT_OF(decision_keys), decision_keys };

static int run_decisions(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	struct table *table = member;
	if (yaml_expect_list(reader, value, "cases") != 0)
		return -1;
	for (const struct yaml_value *item = value->first; item != NULL; item = item->next) {
		struct decision decision = { .facts = table->base };
		if (yaml_read_map(reader, item, &decision_map, &decision) != 0)
			return -1;
		Needtoknow__V1__Reason reason = share_decide(&decision.facts);
		const char *got = reason == NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED ? "SHARED" : reason_name(reason);
		table->decisions++;
		if (strcmp(got, decision.expect) != 0) {
			print_error("%s:%d: %s: expected %s, got %s\n", table->path, item->line, decision.name,
				decision.expect, got);
			table->failures++;
		}
	}
	return 0;
}

/* due */

struct due {
	const char *name;
	const struct policy_service *service;
	int64_t booked, starts_at, ends_at, expires;
	const struct yaml_value *releases;
};

static int keep_value(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	*(const struct yaml_value **)member = value;
	return yaml_expect_map(reader, value, "times by release");
}

static const struct yaml_key due_keys[] = {
	{ "name", yaml_read_text, offsetof(struct due, name), true, "what it shows" },
	{ "service", read_service, offsetof(struct due, service), true, "a service" },
	{ "booked", read_time, offsetof(struct due, booked), true, "a time" },
	{ "starts_at", read_time, offsetof(struct due, starts_at), true, "a time" },
	{ "ends_at", read_time, offsetof(struct due, ends_at), true, "a time" },
	{ "releases", keep_value, offsetof(struct due, releases), true, "times by release" },
	{ "expires", read_time, offsetof(struct due, expires), true, "a time" },
};
static const struct yaml_map due_map = { "a case", COUNT_OF(due_keys), due_keys };

static void check_time(struct table *table, const struct due *due, const char *what, int64_t expected, int64_t got)
{
	if (expected == got)
		return;
	char expected_text[TIME_TEXT_MAX], got_text[TIME_TEXT_MAX];
	time_format(expected, expected_text);
	time_format(got, got_text);
	print_error("%s: %s: %s: expected %s, got %s\n", table->path, due->name, what, expected_text, got_text);
	table->failures++;
}

static int run_due(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	struct table *table = member;
	if (yaml_expect_list(reader, value, "cases") != 0)
		return -1;
	for (const struct yaml_value *item = value->first; item != NULL; item = item->next) {
		struct due due = { .name = NULL };
		if (yaml_read_map(reader, item, &due_map, &due) != 0)
			return -1;
		if (due.service == NULL || due.releases->count != due.service->release_count)
			return yaml_refuse(reader, item, "not all the releases of a service");
		for (size_t i = 0; i < due.service->release_count; i++) {
			const struct policy_release *release = &due.service->releases[i];
			const struct yaml_value *expected = yaml_tree_get(due.releases, release->name);
			int64_t time;
			if (expected == NULL || read_time(reader, expected, &time) != 0)
				return yaml_refuse(reader, item, "no time for release %s", release->name);
			check_time(table, &due, release->name, time,
				moment_at(&release->at, due.booked, due.starts_at, due.ends_at));
		}
		check_time(table, &due, "expires", due.expires,
			moment_at(&due.service->expires, due.booked, due.starts_at, due.ends_at));
		table->due++;
	}
	return 0;
}

/* files */

static struct policy *load_policy(const char *path)
{
	char *text = mem_alloc(TEXT_MAX);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	size_t length = fread(text, 1, TEXT_MAX, file);
	fclose(file);
	struct policy_error error;
	struct policy *policy = policy_parse(text, length, &error);
	mem_free(text);
	if (policy == NULL)
		fail_msg("%s:%d:%d: %s", path, error.line, error.column, error.message);
	return policy;
}

static int read_policy(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	const char *path;
	if (yaml_read_text(reader, value, &path) != 0)
		return -1;
	((struct table *)member)->policy = load_policy(path);
	return 0;
}

static const struct yaml_key table_keys[] = {
	{ "policy", read_policy, 0, true, "a file" },
	{ "base", read_base, 0, false, "facts" },
	{ "decisions", run_decisions, 0, false, "cases" },
	{ "due", run_due, 0, false, "cases" },
};
static const struct yaml_map table_map = { "a table", COUNT_OF(table_keys), table_keys };

static void run_table(struct table *table)
{
	char *text = mem_alloc(TEXT_MAX);
	FILE *file = fopen(table->path, "rb");
	assert_non_null(file);
	size_t length = fread(text, 1, TEXT_MAX, file);
	fclose(file);
	table->reader = (struct yaml_reader){ .arena = arena_new(YAML_ARENA_MAX), .context = table };
	struct yaml_value *root = yaml_tree_parse(text, length, table->reader.arena, &table->reader.error);
	if (root == NULL || yaml_read_map(&table->reader, root, &table_map, table) != 0) {
		const struct yaml_error *error = &table->reader.error;
		print_error("%s:%d:%d: %s\n", table->path, error->line, error->column, error->message);
		table->failures++;
	}
	policy_free(table->policy);
	arena_free(table->reader.arena);
	mem_free(text);
}

static void test_tables(void **state)
{
	(void)state;
	glob_t files;
	assert_int_equal(glob("tests/policy/*.yaml", 0, NULL, &files), 0);
	unsigned decisions = 0, due = 0, failures = 0;
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct table table = { .path = files.gl_pathv[i] };
		run_table(&table);
		decisions += table.decisions;
		due += table.due;
		failures += table.failures;
	}
	globfree(&files);
	print_message("%u decisions, %u bookings' times\n", decisions, due);
	assert_int_equal(failures, 0);
	assert_true(decisions + due >= 150);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_tables) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
