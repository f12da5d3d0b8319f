/* Command lines as people type them, right and wrong. */
#include "run.h"

#include "cli/options.h"

#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

static struct ran ran;

#define HAS(text, words) assert_non_null(strstr(text, words))
#define LACKS(text, words) assert_null(strstr(text, words))

static void test_every_command_explains_itself(void **state)
{
	(void)state;
	run(&ran, "help", NULL);
	assert_int_equal(ran.code, EXIT_OK);
	char overview[sizeof ran.out];
	memcpy(overview, ran.out, sizeof overview);
	for (const struct command *command = commands; command->name != NULL; command++) {
		char first[32], *second;
		HAS(overview, command->name);
		HAS(overview, command->summary);
		if (command->run == NULL)
			continue;
		snprintf(first, sizeof first, "%s", command->name);
		second = strchr(first, ' ');
		if (second != NULL)
			*second++ = '\0';
		run(&ran, first, second != NULL ? second : "--help", second != NULL ? "--help" : NULL, NULL);
		assert_int_equal(ran.code, EXIT_OK);
		HAS(ran.out, command->summary);
		HAS(ran.out, "Exit codes: 0 done");
		for (const struct flag *flag = command->flags; flag != NULL && flag->name != NULL; flag++)
			HAS(ran.out, flag->help);
		if (command->connects)
			HAS(ran.out, "NEEDTOKNOW_ADDRESS");
		assert_true(!command->connects || command->examples != NULL);
		assert_string_equal(ran.err, "");
	}
}

static void test_help_has_many_names(void **state)
{
	(void)state;
	run(&ran, "help", "share", NULL);
	HAS(ran.out, "Usage: needtoknow share [FLAGS]");
	run(&ran, "help", "recipient", "put", NULL);
	HAS(ran.out, "Usage: needtoknow recipient put [FLAGS] RECIPIENT_ID");
	run(&ran, "recipient", "--help", NULL);
	assert_int_equal(ran.code, EXIT_OK);
	HAS(ran.out, "recipient list");
	LACKS(ran.out, "audit list");
	run(&ran, "-h", NULL);
	HAS(ran.out, "audit list");
	run(&ran, "help", "nonsense", NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
	run(&ran, "--version", NULL);
	assert_string_equal(ran.out, "needtoknow " NEEDTOKNOW_VERSION "\n");
}

static void test_suggestions(void **state)
{
	(void)state;
	run(&ran, "shear", NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
	HAS(ran.err, "no command `shear`; did you mean `share`?");
	run(&ran, "recipient", "lst", NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
	HAS(ran.err, "did you mean `recipient list`?");
	run(&ran, "share", "--serivce", "x", NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
	HAS(ran.err, "unknown flag `--serivce`; did you mean `--service`?");
	run(&ran, "audit", "list", "--kinds", "DELIVERED,REFUSD", NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
	HAS(ran.err, "`REFUSD` is not a kind of entry; did you mean `REFUSED`?");
	run(&ran, "qqqqqqqq", NULL);
	LACKS(ran.err, "did you mean");
	run(&ran, "recipient", NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
	HAS(ran.err, "recipient put");
}

static void test_wrong_usage(void **state)
{
	(void)state;
	run(&ran, NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
	run(&ran, "share", "--booking", "B1", NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
	HAS(ran.err, "--subject ID is missing");
	run(&ran, "share", "--booking", NULL);
	HAS(ran.err, "--booking needs a value");
	run(&ran, "share", "--booking", "a", "--booking", "b", NULL);
	HAS(ran.err, "--booking is given twice");
	run(&ran, "recipient", "get", NULL);
	HAS(ran.err, "RECIPIENT_ID is missing");
	run(&ran, "recipient", "get", "a", "b", NULL);
	HAS(ran.err, "`b` is one word too many");
	run(&ran, "disclosure", "list", NULL);
	HAS(ran.err, "one of --booking, --subject and --recipient is needed");
	run(&ran, "disclosure", "list", "--booking", "a", "--subject", "b", NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
	run(&ran, "audit", "list", "--limit", "many", NULL);
	HAS(ran.err, "`many` is not a number");
	run(&ran, "audit", "list", "--from", "yesterday", NULL);
	HAS(ran.err, "`yesterday` is not a time: now, +2h");
	run(&ran, "recipient", "put", "a", "--name", "A", "--kind", "robot", NULL);
	HAS(ran.err, "`robot` is neither provider nor staff");
	assert_int_equal(ran.code, EXIT_USAGE);
}

static void test_connection_is_asked_for(void **state)
{
	(void)state;
	unsetenv("NEEDTOKNOW_ADDRESS");
	run(&ran, "audit", "list", NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
	HAS(ran.err, "give --address, or set NEEDTOKNOW_ADDRESS");
	run(&ran, "audit", "list", "--address", "127.0.0.1:1", NULL);
	HAS(ran.err, "give --ca, or set NEEDTOKNOW_CA");
	run(&ran, "audit", "list", "--address", "127.0.0.1:1", "--ca", "/nowhere/ca", "--cert", "/nowhere/cert",
		"--key", "/nowhere/key", NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
	HAS(ran.err, "/nowhere/cert");
	HAS(ran.err, "NEEDTOKNOW_CERT");
}

static void write_policy(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

#define POLICY                                                                                                         \
	"version: 1\n"                                                                                                 \
	"controller: { name: Maison Claire SAS, data_protection_officer: dpo@maison-claire.example,\n"                 \
	"  security_measures: [mutual TLS] }\n"                                                                        \
	"subjects: client\n"                                                                                           \
	"sources:\n"                                                                                                   \
	"  client: { view: share.client  , key: subject_id }\n"                                                        \
	"  booking: { view: share.booking, key: booking_id, subject: subject_id }\n"                                   \
	"services:\n"                                                                                                  \
	"  home-cleaning:\n"                                                                                           \
	"    title: Cleaning\n"                                                                                        \
	"    purpose: dpv:ServiceProvision\n"                                                                          \
	"    legal_basis: contract\n"                                                                                  \
	"    recipients: provider\n"                                                                                   \
	"    max_duration: 30d\n"                                                                                      \
	"    releases:\n"                                                                                              \
	"      - { name: visit, at: booked, fields: [client.home_address, booking.tasks] }\n"                          \
	"      - { name: entry, at: start-1h, fields: [client.door_code, client.home_address], sensitive: true }\n"    \
	"    expires: end+2h\n"                                                                                        \
	"    delete_within: 24h\n"                                                                                     \
	"retention:\n"                                                                                                 \
	"  disclosures: 1y\n"                                                                                          \
	"  ledger_bodies: { keep: 5y, because: \"Code civil 2224\" }\n"                                                \
	"  subject_key_after_erasure: { keep: 5y, because: \"art. 17(3)(e)\" }\n"                                      \
	"  backups: 35d\n"                                                                                             \
	"limits:\n"                                                                                                    \
	"  acknowledge_within: 30s\n"

static void test_policy(void **state)
{
	char path[] = "/tmp/needtoknow-policy-XXXXXX";

	(void)state;
	assert_true(mkstemp(path) >= 0);
	write_policy(path, POLICY);
	run(&ran, "policy", "check", path, NULL);
	assert_string_equal(ran.err, "");
	assert_int_equal(ran.code, EXIT_OK);
	HAS(ran.out, "Maison Claire SAS is good: 1 service, 2 sources, 3 fields");
	HAS(ran.out, "entry (sensitive): client.door_code, client.home_address");
	/* Every column once, the keys, nothing else; and a name that tries to be more than a name stays one. */
	run(&ran, "policy", "grants", path, "--role", "reader\"; DROP SCHEMA company; --", NULL);
	assert_int_equal(ran.code, EXIT_OK);
	const char *sql = strchr(ran.out, '\n') + 1;
	assert_string_equal(sql,
		"GRANT USAGE ON SCHEMA \"share\" TO \"reader\"\"; DROP SCHEMA company; --\";\n"
		"GRANT SELECT (\"subject_id\", \"home_address\", \"door_code\") ON \"share\".\"client\" "
		"TO \"reader\"\"; DROP SCHEMA company; --\";\n"
		"GRANT SELECT (\"booking_id\", \"subject_id\", \"tasks\") ON \"share\".\"booking\" "
		"TO \"reader\"\"; DROP SCHEMA company; --\";\n"
		"GRANT SELECT, DELETE ON \"share\".change_queue TO \"reader\"\"; DROP SCHEMA company; --\";\n");

	run(&ran, "policy", "grants", path, "--role", "both", "--rights-role", "both", NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
	assert_string_equal(ran.out, "");

	write_policy(path, "version: 1\nsubjetcs: client\n");
	run(&ran, "policy", "check", path, NULL);
	assert_int_equal(ran.code, EXIT_FAILED);
	assert_string_equal(ran.out, "");
	assert_memory_equal(ran.err, path, strlen(path));
	assert_memory_equal(ran.err + strlen(path), ":2:1: ", 6);
	run(&ran, "policy", "grants", path, "--role", "r", NULL);
	assert_int_equal(ran.code, EXIT_FAILED);
	unlink(path);
	run(&ran, "policy", "check", path, NULL);
	assert_int_equal(ran.code, EXIT_FAILED);
	HAS(ran.err, "No such file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_command_explains_itself),
		cmocka_unit_test(test_help_has_many_names),
		cmocka_unit_test(test_suggestions),
		cmocka_unit_test(test_wrong_usage),
		cmocka_unit_test(test_connection_is_asked_for),
		cmocka_unit_test(test_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
