#include "pure/company_function.h"

#include "support/check.h"

#include <stdio.h>
#include <string.h>

#define STATEMENT_MAX 2048

static void test_each_statement_names_its_function_in_the_schema_and_has_its_parameters(void **state)
{
	(void)state;
	for (int i = 0; i < COMPANY_FUNCTIONS; i++) {
		enum company_function function = (enum company_function)i;
		const char *signature = company_function_signature(function);
		char called[128], parameter[16];
		struct buffer out;
		buffer_init(&out, STATEMENT_MAX);
		assert_int_equal(company_function_statement(function, "share", &out), 0);
		const char *text = (const char *)out.data;
		assert_int_equal(strlen(text), out.length - 1);
		snprintf(called, sizeof called, "\"share\".%.*s(", (int)strcspn(signature, "("), signature);
		assert_non_null(strstr(text, called));
		int count = company_function_parameters(function);
		for (int number = 1; number <= count + 1; number++) {
			snprintf(parameter, sizeof parameter, "$%d::", number);
			assert_int_equal(strstr(text, parameter) != NULL, number <= count);
		}
		/* One type a parameter. */
		int types = strstr(signature, "()") ? 0 : 1;
		for (const char *at = signature; (at = strchr(at, ',')) != NULL; at++)
			types++;
		assert_int_equal(types, count);
		buffer_release(&out);
	}
}

static void test_p2_of_a_policy_nothing_but_a_quoted_name_gets_into_the_statement(void **state)
{
	(void)state;
	struct buffer out;
	buffer_init(&out, STATEMENT_MAX);
	assert_int_equal(company_function_statement(COMPANY_ERASE, "a\"; DROP TABLE x; --", &out), 0);
	assert_non_null(strstr((const char *)out.data, "FROM \"a\"\"; DROP TABLE x; --\".erase("));
	buffer_release(&out);
}

static void test_one_that_does_not_fit_is_refused(void **state)
{
	(void)state;
	struct buffer out;
	buffer_init(&out, 40);
	assert_int_equal(company_function_statement(COMPANY_ERASE, "share", &out), -1);
	buffer_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_statement_names_its_function_in_the_schema_and_has_its_parameters),
		cmocka_unit_test(test_p2_of_a_policy_nothing_but_a_quoted_name_gets_into_the_statement),
		cmocka_unit_test(test_one_that_does_not_fit_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
