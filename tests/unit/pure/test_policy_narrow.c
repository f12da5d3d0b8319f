/* What a narrower policy leaves of the rule under which something was shared. */
#include "pure/policy_narrow.h"

#include "support/check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR INT64_C(3600000000)
#define FIELDS 6
#define RELEASES_MAX 3
#define ROUNDS 2000
#define SITUATIONS 20

static unsigned random_state = 11;

static unsigned pick(unsigned below)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % below;
}

struct model {
	size_t count;
	struct {
		int anchor, hours; /* 0 booked, 1 start, 2 end */
		bool fields[FIELDS];
	} releases[RELEASES_MAX];
	int expires_hours; /* after the end */
	bool requires;
	bool gone;
};

static const char *const anchors[] = { "booked", "start", "end" };

static struct policy *write_policy(const struct model *model)
{
	static char text[8192];
	struct policy_error error;
	size_t used = (size_t)snprintf(text, sizeof text,
		"version: 1\n"
		"controller: { name: N, data_protection_officer: a@b.example, security_measures: [none] }\n"
		"subjects: client\n"
		"sources:\n  client: { view: share.client, key: subject_id }\n"
		"  booking: { view: share.booking, key: booking_id, subject: subject_id }\n"
		"services:\n  %s:\n    purpose: dpv:ServiceProvision\n    legal_basis: contract\n    recipients: "
		"provider\n%s    "
		"releases:\n",
		model->gone ? "other" : "s", model->requires ? "    requires: client.agrees\n" : "");
	for (size_t i = 0; i < model->count; i++) {
		bool first = true;
		used += (size_t)snprintf(text + used, sizeof text - used, "      - { name: r%zu, at: %s", i,
			anchors[model->releases[i].anchor]);
		if (model->releases[i].hours != 0)
			used += (size_t)snprintf(text + used, sizeof text - used, "%+dh", model->releases[i].hours);
		used += (size_t)snprintf(text + used, sizeof text - used, ", fields: [");
		for (size_t field = 0; field < FIELDS; field++) {
			if (!model->releases[i].fields[field])
				continue;
			used += (size_t)snprintf(
				text + used, sizeof text - used, "%sclient.f%zu", first ? "" : ", ", field);
			first = false;
		}
		used += (size_t)snprintf(text + used, sizeof text - used, "] }\n");
	}
	snprintf(text + used, sizeof text - used,
		"    expires: end+%dh\n    delete_within: 24h\n"
		"retention: { disclosures: 1y, ledger_bodies: { keep: 1y }, subject_key_after_erasure: { keep: 0d }, "
		"backups: 35d }\n"
		"limits: { acknowledge_within: 30s }\n",
		model->expires_hours);
	struct policy *policy = policy_parse(text, strlen(text), &error);
	if (policy == NULL)
		fail_msg("%d:%d: %s\n%s", error.line, error.column, error.message, text);
	return policy;
}

/* Each field in one release, so that what remains is a matter of fields and not of which release. */
static void make(struct model *model)
{
	memset(model, 0, sizeof *model);
	model->count = 1 + pick(RELEASES_MAX);
	for (size_t i = 0; i < model->count; i++) {
		model->releases[i].anchor = (int)pick(3);
		model->releases[i].hours = model->releases[i].anchor == 0 ? (int)pick(20) : (int)pick(40) - 20;
		model->releases[i].fields[i] = true;
	}
	for (size_t field = model->count; field < FIELDS; field++)
		model->releases[pick((unsigned)model->count)].fields[field] = true;
	model->expires_hours = 60 + (int)pick(20);
}

/* Any other, narrower or not. */
static void change(struct model *model)
{
	for (unsigned i = pick(4); i > 0; i--) {
		size_t release = pick((unsigned)model->count);
		switch (pick(6)) {
		case 0:
			model->releases[release].hours += (int)pick(8);
			break;
		case 1:
			model->releases[release].fields[pick(FIELDS)] = false;
			break;
		case 2:
			model->expires_hours -= (int)pick(10);
			break;
		case 3:
			model->requires
			= true;
			break;
		case 4:
			model->gone = pick(4) == 0;
			break;
		default:
			if (model->releases[release].anchor == 0)
				model->releases[release].anchor = 1 + (int)pick(2);
			break;
		}
	}
	for (size_t i = 0; i < model->count; i++) { /* no release without a field */
		bool any = false;
		for (size_t field = 0; field < FIELDS; field++)
			any |= model->releases[i].fields[field];
		model->releases[i].fields[i] |= !any;
	}
}

struct situation {
	int64_t booked, starts_at, ends_at, now;
};

/* What a service grants, by the rules of release and expiry. */
static unsigned granted(const struct policy_service *service, const struct situation *at)
{
	unsigned fields = 0;
	if (service == NULL || at->now >= moment_at(&service->expires, at->booked, at->starts_at, at->ends_at))
		return 0;
	for (size_t i = 0; i < service->release_count; i++) {
		const struct policy_release *release = &service->releases[i];
		if (release_due_at(release, at->booked, at->starts_at, at->ends_at) > at->now)
			continue;
		for (size_t j = 0; j < release->field_count; j++)
			fields |= 1u << (release->fields[j]->column[1] - '0');
	}
	return fields;
}

static void check(
	const struct policy_service *shared, const struct policy_service *in_force, const struct policy_service *narrow)
{
	struct situation at;
	at.booked = (int64_t)pick(50) * HOUR;
	at.starts_at = at.booked + (int64_t)pick(60) * HOUR;
	at.ends_at = at.starts_at + (1 + (int64_t)pick(20)) * HOUR;
	at.now = (int64_t)pick(240) * HOUR + (int64_t)pick(3) - 1;
	/* The promised expiry holds beside the narrower one. */
	bool over = at.now >= moment_at(&shared->expires, at.booked, at.starts_at, at.ends_at);
	unsigned left = over ? 0 : granted(narrow, &at);
	unsigned both = granted(shared, &at) & granted(in_force, &at);
	assert_int_equal(left & ~both, 0);
	/* And once everything is due, all of what both grant. */
	at.now = at.ends_at + 45 * HOUR;
	both = granted(shared, &at) & granted(in_force, &at);
	assert_int_equal(granted(narrow, &at), both);
}

static void test_never_more_than_both_and_in_the_end_all_of_it(void **state)
{
	size_t narrowed = 0, gone = 0;
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct model before, after;
		make(&before);
		after = before;
		change(&after);
		struct policy *old_policy = write_policy(&before), *new_policy = write_policy(&after);
		const struct policy_service *shared = policy_service(old_policy, "s");
		const struct policy_service *in_force = policy_service(new_policy, "s");
		struct arena *arena = arena_new(1 << 20);
		const struct policy_service *narrow = policy_narrow(shared, in_force, arena);
		if (narrow != NULL) {
			narrowed++;
			gone += in_force == NULL;
			assert_int_equal(narrow->release_count, shared->release_count);
			assert_true(in_force == NULL || (narrow->requires != NULL) == after.requires);
			for (int j = 0; j < SITUATIONS; j++)
				check(shared, in_force, narrow);
		}
		arena_free(arena);
		policy_free(old_policy);
		policy_free(new_policy);
	}
	assert_true(narrowed > ROUNDS / 4 && gone > 10);
}

static void test_says_which_fields_are_left_out(void **state)
{
	struct model before = {
		.count = 1, .releases = { { .anchor = 1, .fields = { true, true, true, true } } }, .expires_hours = 2
	};
	struct model after = before;
	(void)state;
	after.releases[0].fields[0] = after.releases[0].fields[2] = false;
	struct policy *old_policy = write_policy(&before), *new_policy = write_policy(&after);
	struct arena *arena = arena_new(1 << 16);
	const struct policy_service *shared = policy_service(old_policy, "s");
	const struct policy_service *left = policy_narrow(shared, policy_service(new_policy, "s"), arena);
	assert_int_equal(release_left_out(&shared->releases[0], &left->releases[0]), 0x5);
	assert_int_equal(release_left_out(&shared->releases[0], &shared->releases[0]), 0);
	const struct policy_service *nothing = policy_narrow(shared, NULL, arena);
	assert_int_equal(release_left_out(&shared->releases[0], &nothing->releases[0]), 0xf);
	arena_free(arena);
	policy_free(old_policy);
	policy_free(new_policy);
}

static void test_one_that_is_not_narrower_changes_nothing(void **state)
{
	struct model before = { .count = 1, .releases = { { .anchor = 1, .fields = { true } } }, .expires_hours = 2 };
	struct model after = before;
	(void)state;
	after.releases[0].fields[1] = true;
	struct policy *old_policy = write_policy(&before), *new_policy = write_policy(&after);
	struct arena *arena = arena_new(1 << 16);
	assert_null(policy_narrow(policy_service(old_policy, "s"), policy_service(new_policy, "s"), arena));
	assert_non_null(policy_narrow(policy_service(new_policy, "s"), policy_service(old_policy, "s"), arena));
	arena_free(arena);
	policy_free(old_policy);
	policy_free(new_policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never_more_than_both_and_in_the_end_all_of_it),
		cmocka_unit_test(test_says_which_fields_are_left_out),
		cmocka_unit_test(test_one_that_is_not_narrower_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
