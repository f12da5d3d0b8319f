/* Who would see more under another policy: tables of two policies and what is told of them. */
#include "pure/policy_diff.h"

#include "base/memory.h"
#include "support/check.h"

#include <stdio.h>
#include <string.h>

static const char head[] = "version: 1\n"
			   "controller: { name: Maison Claire SAS, data_protection_officer: dpo@maison-claire.example, "
			   "security_measures: [mutual TLS] }\n"
			   "subjects: client\n"
			   "sources:\n"
			   "  client: { view: share.client, key: subject_id }\n"
			   "  %s\n"
			   "services:\n"
			   "  cleaning:\n%s"
			   "retention: { disclosures: 1y, ledger_bodies: { keep: 1y }, subject_key_after_erasure: { "
			   "keep: 0d }, backups: 35d }\n"
			   "limits: { acknowledge_within: 30s }\n";

#define BOOKING "booking: { view: share.booking, key: booking_id, subject: subject_id }"
#define REASON "    purpose: dpv:ServiceProvision\n    legal_basis: contract\n"
#define TO "    recipients: provider\n"
#define ENDS "    expires: end+2h\n    delete_within: 24h\n"
#define RELEASES(list) "    releases: [" list "]\n"
#define NAME_ON_BOOKING "{ name: a, at: booked, fields: [client.name] }"

static struct policy *parse(const char *booking, const char *service)
{
	char text[4096];
	struct policy_error error;
	int length = snprintf(text, sizeof text, head, booking, service);
	struct policy *policy = policy_parse(text, (size_t)length, &error);
	if (policy == NULL)
		fail_msg("%d:%d: %s\n%s", error.line, error.column, error.message, text);
	return policy;
}

/* `+DUE client.name`, a word a change: + sees more, - less, = as much. */
static void note(void *context, const struct policy_change *change)
{
	static const char *const names[POLICY_ASPECTS] = { "SERVICE", "FIELD", "SOURCE", "DUE", "SENSITIVE", "EXPIRES",
		"DELETE_WITHIN", "MAX_DURATION", "REQUIRES", "BOOKING", "RECIPIENTS", "LEGAL_BASIS", "PURPOSE" };
	char *told = context;
	size_t length = strlen(told);
	snprintf(told + length, 512 - length, "%s%c%s%s%s", length ? ", " : "",
		change->effect == POLICY_SEES_MORE           ? '+'
			: change->effect == POLICY_SEES_LESS ? '-'
							     : '=',
		names[change->aspect], change->field ? " " : "", change->field ? change->field->name : "");
}

struct change_case {
	const char *before, *after; /* the service's body */
	const char *told, *told_back; /* the other way round */
};

static const struct change_case cases[] = {
	{ REASON TO RELEASES(NAME_ON_BOOKING) ENDS, REASON TO RELEASES(NAME_ON_BOOKING) ENDS, "", "" },
	/* fields */
	{ REASON TO RELEASES(NAME_ON_BOOKING) ENDS,
		REASON TO RELEASES("{ name: a, at: booked, fields: [client.name, client.phone] }") ENDS,
		"+FIELD client.phone", "-FIELD client.phone" },
	{ REASON TO RELEASES("{ name: a, at: start-1h, fields: [client.name] }") ENDS,
		REASON TO RELEASES("{ name: a, at: start-2h, fields: [client.name] }") ENDS, "+DUE client.name",
		"-DUE client.name" },
	{ REASON TO RELEASES("{ name: a, at: start-1h, fields: [client.name] }") ENDS,
		REASON TO RELEASES(NAME_ON_BOOKING) ENDS, "+DUE client.name", "-DUE client.name" },
	{ REASON TO RELEASES("{ name: a, at: start+1h, fields: [client.name] }") ENDS,
		REASON TO RELEASES("{ name: a, at: end+1h, fields: [client.name] }") ENDS, "-DUE client.name",
		"+DUE client.name" },
	/* A window may be shorter than two hours, or longer: both ways more. */
	{ REASON TO RELEASES("{ name: a, at: start+1h, fields: [client.name] }") ENDS,
		REASON TO RELEASES("{ name: a, at: end-1h, fields: [client.name] }") ENDS, "+DUE client.name",
		"+DUE client.name" },
	{ REASON TO RELEASES("{ name: a, at: booked+1h, fields: [client.name] }") ENDS,
		REASON TO RELEASES("{ name: a, at: start, fields: [client.name] }") ENDS, "+DUE client.name",
		"+DUE client.name" },
	/* Twice in a service: the earliest sending counts, in whatever release it is. */
	{ REASON TO RELEASES(NAME_ON_BOOKING) ENDS,
		REASON TO RELEASES(NAME_ON_BOOKING ", { name: b, at: start, fields: [client.name] }") ENDS, "", "" },
	{ REASON TO RELEASES("{ name: b, at: start, fields: [client.name] }") ENDS,
		REASON TO RELEASES("{ name: b, at: start, fields: [client.name] }, " NAME_ON_BOOKING) ENDS,
		"+DUE client.name", "-DUE client.name" },
	{ REASON TO RELEASES("{ name: a, at: booked, fields: [client.name], sensitive: true }") ENDS,
		REASON TO RELEASES(NAME_ON_BOOKING) ENDS, "+SENSITIVE client.name", "-SENSITIVE client.name" },
	/* terms */
	{ REASON TO RELEASES(NAME_ON_BOOKING) ENDS,
		REASON TO RELEASES(NAME_ON_BOOKING) "    expires: end+3h\n    delete_within: 24h\n", "+EXPIRES",
		"-EXPIRES" },
	{ REASON TO RELEASES(NAME_ON_BOOKING) "    expires: start\n    delete_within: 24h\n",
		REASON TO RELEASES(NAME_ON_BOOKING) "    expires: end\n    delete_within: 24h\n", "+EXPIRES",
		"-EXPIRES" },
	{ REASON TO RELEASES(NAME_ON_BOOKING) ENDS,
		REASON TO RELEASES(NAME_ON_BOOKING) "    expires: end+2h\n    delete_within: 25h\n", "+DELETE_WITHIN",
		"-DELETE_WITHIN" },
	{ REASON TO "    max_duration: 1d\n" RELEASES(NAME_ON_BOOKING) ENDS, REASON TO RELEASES(NAME_ON_BOOKING) ENDS,
		"+MAX_DURATION", "-MAX_DURATION" },
	{ REASON TO "    requires: client.agrees\n" RELEASES(NAME_ON_BOOKING) ENDS,
		REASON TO RELEASES(NAME_ON_BOOKING) ENDS, "+REQUIRES", "-REQUIRES" },
	{ REASON TO "    requires: client.agrees\n" RELEASES(NAME_ON_BOOKING) ENDS,
		REASON TO "    requires: client.likes\n" RELEASES(NAME_ON_BOOKING) ENDS, "+REQUIRES", "+REQUIRES" },
	{ REASON TO RELEASES(NAME_ON_BOOKING) ENDS, REASON TO "    booking: none\n" RELEASES(NAME_ON_BOOKING) ENDS,
		"+BOOKING", "-BOOKING" },
	{ REASON TO RELEASES(NAME_ON_BOOKING) ENDS, REASON "    recipients: staff\n" RELEASES(NAME_ON_BOOKING) ENDS,
		"+RECIPIENTS", "+RECIPIENTS" },
	/* why: of importance where it takes away the right to say no */
	{ "    purpose: dpv:ServiceProvision\n    legal_basis: legitimate-interest\n" TO RELEASES(NAME_ON_BOOKING) ENDS,
		REASON TO RELEASES(NAME_ON_BOOKING) ENDS, "+LEGAL_BASIS", "-LEGAL_BASIS" },
	{ REASON TO RELEASES(NAME_ON_BOOKING) ENDS,
		"    purpose: dpv:ServiceProvision\n    legal_basis: legal-obligation\n" TO RELEASES(NAME_ON_BOOKING)
			ENDS,
		"=LEGAL_BASIS", "=LEGAL_BASIS" },
	{ REASON TO RELEASES(NAME_ON_BOOKING) ENDS,
		"    purpose: dpv:DirectMarketing\n    legal_basis: contract\n" TO RELEASES(NAME_ON_BOOKING) ENDS,
		"-PURPOSE", "+PURPOSE" },
};

static void check_one_way(const char *before, const char *after, const char *expected)
{
	struct policy *old_policy = parse(BOOKING, before), *new_policy = parse(BOOKING, after);
	char told[512] = "";
	policy_diff(old_policy, new_policy, note, told);
	if (strcmp(told, expected) != 0)
		fail_msg("from\n%sto\n%swas told `%s`, not `%s`", before, after, told, expected);
	assert_int_equal(policy_service_is_narrower(policy_service_at(old_policy, 0), policy_service_at(new_policy, 0)),
		strchr(expected, '+') == NULL);
	policy_free(old_policy);
	policy_free(new_policy);
}

static void test_each_change_is_told_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check_one_way(cases[i].before, cases[i].after, cases[i].told);
		check_one_way(cases[i].after, cases[i].before, cases[i].told_back);
	}
}

/* Another view may show other columns under the same names. */
static void test_another_source_is_more(void **state)
{
	static const char service[] = REASON TO RELEASES("{ name: a, at: booked, fields: [booking.tasks] }") ENDS;
	char told[512] = "";
	(void)state;
	struct policy *before = parse(BOOKING, service);
	struct policy *after = parse("booking: { view: share.orders, key: booking_id, subject: subject_id }", service);
	policy_diff(before, after, note, told);
	assert_string_equal(told, "+SOURCE booking.tasks");
	policy_free(before);
	policy_free(after);
}

static void test_services_come_and_go(void **state)
{
	static const char one[] = REASON TO RELEASES(NAME_ON_BOOKING) ENDS;
	static const char two[] =
		REASON TO RELEASES(NAME_ON_BOOKING) ENDS "  garden:\n" REASON TO RELEASES(NAME_ON_BOOKING) ENDS;
	char told[512] = "";
	(void)state;
	struct policy *before = parse(BOOKING, one), *after = parse(BOOKING, two);
	policy_diff(before, after, note, told);
	assert_string_equal(told, "+SERVICE");
	told[0] = '\0';
	policy_diff(after, before, note, told);
	assert_string_equal(told, "-SERVICE");
	policy_free(before);
	policy_free(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_change_is_told_both_ways),
		cmocka_unit_test(test_another_source_is_more),
		cmocka_unit_test(test_services_come_and_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
