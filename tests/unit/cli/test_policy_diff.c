/* `needtoknow policy diff` on the example policy and on what becomes of it with one piece of it replaced. */
#include "example_policy.h"
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct ran ran;
static const char example[] = EXAMPLE_POLICY;

static const struct {
	const char *piece, *replacement;
	const char *forth, *back;
} cases[] = {
	{ "client.given_name, client.home_address", "client.given_name, client.home_address, client.phone",
		"more  home-cleaning: client.phone is sent too, at start-24h",
		"less  home-cleaning: client.phone is no longer sent" },
	{ "at: start-1h", "at: start-2h",
		"more  home-cleaning: client.door_code is sent at start-2h, no longer start-1h",
		"less  home-cleaning: client.door_code is sent at start-1h, no longer start-2h" },
	{ "sensitive: true", "sensitive: false", "more  home-cleaning: client.door_code is no longer sensitive",
		"less  home-cleaning: client.door_code is sensitive now" },
	{ "share.booking", "share.orders", "more  home-cleaning: booking.tasks is read from another view",
		"more  home-cleaning: booking.tasks is read from another view" },
	{ "expires: end+2h", "expires: end+3h", "more  home-cleaning: may be used until end+3h, no longer end+2h",
		"less  home-cleaning: may be used until end+2h, no longer end+3h" },
	{ "delete_within: 24h", "delete_within: 1h", "less  home-cleaning: must be deleted within 1h, no longer 24h",
		"more  home-cleaning: must be deleted within 24h, no longer 1h" },
	{ "max_duration: 30d", "max_duration: 60d", "more  home-cleaning: a booking may last 60d, no longer 30d",
		"less  home-cleaning: a booking may last 30d, no longer 60d" },
	{ "recipients: provider", "recipients: staff", "more  home-cleaning: goes to staff, no longer to providers",
		"more  home-cleaning: goes to providers, no longer to staff" },
	{ "legal_basis: contract", "legal_basis: legitimate-interest",
		"less  home-cleaning: rests on legitimate-interest, no longer on contract",
		"more  home-cleaning: rests on contract, no longer on legitimate-interest: an objection no longer "
		"stops it" },
	{ "dpv:ServiceProvision", "dpv:CustomerCare",
		"same  home-cleaning: is for dpv:CustomerCare, no longer for dpv:ServiceProvision",
		"same  home-cleaning: is for dpv:ServiceProvision, no longer for dpv:CustomerCare" },
	{ "client.newsletter_consent", "client.other_consent",
		"more  newsletter: needs client.other_consent, no longer client.newsletter_consent",
		"more  newsletter: needs client.newsletter_consent, no longer client.other_consent" },
	{ "booking: none", "max_duration: 1y", "less  newsletter: needs a booking of that client now",
		"more  newsletter: no longer needs a booking of that client" },
	{ "home-cleaning:", "house-cleaning:", "less  home-cleaning: is gone; it sent to providers: client.district",
		"more  home-cleaning: a new service, that sends to providers: client.district" },
};

static void check_way(const char *before, const char *after, const char *line)
{
	run(&ran, "policy", "diff", before, after, NULL);
	assert_string_equal(ran.err, "");
	HAS(ran.out, line);
	assert_int_equal(ran.code, strstr(ran.out, "more  ") != NULL ? EXIT_FAILED : EXIT_OK);
}

static void test_each_change_is_said_in_words(void **state)
{
	char path[] = "/tmp/needtoknow-policy-XXXXXX";
	(void)state;
	assert_true(mkstemp(path) >= 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		example_policy_write_changed(path, cases[i].piece, cases[i].replacement);
		check_way(example, path, cases[i].forth);
		check_way(path, example, cases[i].back);
	}
	unlink(path);
}

static void test_the_same_policy_changes_nothing(void **state)
{
	(void)state;
	run(&ran, "policy", "diff", example, example, NULL);
	assert_int_equal(ran.code, EXIT_OK);
	assert_string_equal(ran.out, "Nobody sees more or less.\n");
}

/* A gate must not take a broken proposal for a harmless one, nor for one that shows more. */
static void test_a_broken_file_is_neither(void **state)
{
	(void)state;
	run(&ran, "policy", "diff", example, "/nowhere/policy.yaml", NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
	HAS(ran.err, "/nowhere/policy.yaml: No such file");
	run(&ran, "policy", "diff", example, NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
	HAS(ran.err, "NEW is missing");
	run(&ran, "policy", "diff", example, example, example, NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
	HAS(ran.err, "one word too many");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_change_is_said_in_words),
		cmocka_unit_test(test_the_same_policy_changes_nothing),
		cmocka_unit_test(test_a_broken_file_is_neither),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
