/* What the company's database is asked whose columns are to go. */
#include "pure/column_retention.h"

#include "support/check.h"

#include <stdio.h>
#include <string.h>

static struct policy *policy_with(const char *columns)
{
	static char text[4096];
	struct policy_error error;
	snprintf(text, sizeof text,
		"version: 1\n"
		"controller: { name: N, data_protection_officer: a@b.example, security_measures: [none] }\n"
		"subjects: client\n"
		"sources:\n  client: { view: share.client, key: subject_id }\n"
		"services:\n  s:\n    purpose: dpv:ServiceProvision\n    legal_basis: contract\n    recipients: "
		"provider\n"
		"    booking: none\n    releases:\n      - { name: r, at: booked, fields: [client.door_code] }\n"
		"    expires: end\n    delete_within: 1h\n"
		"retention:\n  disclosures: 1y\n  ledger_bodies: { keep: 1y }\n"
		"  subject_key_after_erasure: { keep: 1y }\n  backups: 35d\n%s"
		"limits:\n  acknowledge_within: 30s\n",
		columns);
	struct policy *policy = policy_parse(text, strlen(text), &error);
	if (policy == NULL)
		fail_msg("%d:%d: %s", error.line, error.column, error.message);
	return policy;
}

static void what_was_held_is_asked_for_first_and_of_all_columns(void **state)
{
	(void)state;
	struct policy *policy = policy_with("");
	struct retention_question question;
	struct pg_array names;
	assert_int_equal(retention_question_count(policy), 1);
	retention_question(policy, 0, &question);
	assert_string_equal(question.anchor, "held");
	assert_string_equal(question.after, "0 seconds");
	assert_null(question.columns);
	retention_question_columns(&question, &names);
	assert_int_equal(names.count, 0);
	pg_array_release(&names);
	policy_free(policy);
}

static void a_period_is_of_the_calendar(void **state)
{
	static const struct {
		const char *keep, *anchor, *after;
	} cases[] = {
		{ "contract-end", "contract-end", "0 seconds" },
		{ "contract-end+30d", "contract-end", "30 days" },
		{ "contract-end+90m", "contract-end", "90 minutes" },
		{ "contract-end+36h", "contract-end", "36 hours" },
		{ "contract-end+5s", "contract-end", "5 seconds" },
		/* Not 3,650 days, which would be two or three short. */
		{ "financial-year-end+10y", "financial-year-end", "10 years" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char columns[256];
		struct retention_question question;
		struct pg_array names;
		snprintf(columns, sizeof columns,
			"  columns:\n    - { fields: [client.door_code, client.phone], keep: %s, because: a law }\n",
			cases[i].keep);
		struct policy *policy = policy_with(columns);
		assert_int_equal(retention_question_count(policy), 2);
		retention_question(policy, 1, &question);
		assert_string_equal(question.anchor, cases[i].anchor);
		assert_string_equal(question.after, cases[i].after);
		retention_question_columns(&question, &names);
		assert_int_equal(names.count, 2);
		pg_array_release(&names);
		policy_free(policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_held_is_asked_for_first_and_of_all_columns),
		cmocka_unit_test(a_period_is_of_the_calendar),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
