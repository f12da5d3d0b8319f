/* `needtoknow policy register`: art. 30 from a file, in each format; and the arena that is too small for it. */
#include "example_policy.h"
#include "run.h"

#include "base/arena.h"
#include "pure/policy_register.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ran ran;
static const char example[] = EXAMPLE_POLICY;

static void test_text(void **state)
{
	(void)state;
	run(&ran, "policy", "register", example, NULL);
	assert_string_equal(ran.err, "");
	assert_int_equal(ran.code, EXIT_OK);
	HAS(ran.out, "Maison Claire SAS");
	HAS(ran.out, "dpo@maison-claire.example");
	HAS(ran.out, "client.door_code: entry, from start-1h, sensitive");
	HAS(ran.out, "ledger_bodies: 5y, because: limitation period of contract claims (Code civil 2224)");
}

static void test_json_names_every_service_and_field(void **state)
{
	json_error_t error;
	(void)state;
	run(&ran, "policy", "register", example, "--format", "json", NULL);
	assert_int_equal(ran.code, EXIT_OK);
	json_t *record = json_loads(ran.out, 0, &error);
	assert_non_null(record);
	json_t *processings = json_object_get(record, "processings");
	assert_int_equal(json_array_size(processings), 4);
	json_t *cleaning = json_array_get(processings, 0);
	assert_string_equal(json_string_value(json_object_get(cleaning, "service")), "home-cleaning");
	assert_string_equal(json_string_value(json_object_get(cleaning, "expires")), "end+2h");
	assert_string_equal(json_string_value(json_object_get(cleaning, "delete_within")), "24h");
	assert_int_equal(json_array_size(json_object_get(cleaning, "fields")), 6);
	assert_int_equal(json_array_size(json_object_get(record, "retention")), 6);
	json_decref(record);
}

static void test_csv_has_a_line_a_field_and_a_period(void **state)
{
	size_t lines = 0;
	(void)state;
	run(&ran, "policy", "register", example, "--format", "csv", NULL);
	assert_int_equal(ran.code, EXIT_OK);
	for (const char *at = ran.out; (at = strstr(at, "\r\n")) != NULL; at += 2)
		lines++;
	/* The headings; 6, 5, 2 and 2 fields; 6 periods. */
	assert_int_equal(lines, 1 + 15 + 6);
}

static void test_a_wrong_file_or_format_is_told(void **state)
{
	(void)state;
	run(&ran, "policy", "register", "/nowhere", NULL);
	assert_int_equal(ran.code, EXIT_FAILED);
	HAS(ran.err, "/nowhere: No such file");
	run(&ran, "policy", "register", example, "--format", "xml", NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
}

/* Whatever the arena's size, the register is whole or it is none. */
static void test_a_full_arena_gives_none(void **state)
{
	char *text = example_policy_read();
	struct policy_error error;
	size_t made = 0;
	(void)state;
	struct policy *policy = policy_parse(text, strlen(text), &error);
	assert_non_null(policy);
	for (size_t size = 0; size < 16384; size += 32) {
		struct arena *arena = arena_new(size);
		const Needtoknow__V1__GetRegisterResponse *record = policy_register(policy, arena);
		if (record != NULL) {
			made++;
			assert_int_equal(record->n_processings, 4);
			assert_int_equal(record->n_retention, 6);
			assert_non_null(record->retention[5]);
			assert_non_null(record->processings[3]->fields[1]);
		} else {
			assert_int_equal(made, 0);
		}
		arena_free(arena);
	}
	assert_true(made > 0);
	policy_free(policy);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json_names_every_service_and_field),
		cmocka_unit_test(test_csv_has_a_line_a_field_and_a_period),
		cmocka_unit_test(test_a_wrong_file_or_format_is_told),
		cmocka_unit_test(test_a_full_arena_gives_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
