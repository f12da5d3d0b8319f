#include "pure/nearest.h"
#include "pure/purpose.h"
#include "support/check.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static const char *const known[] = { "retention", "releases", "recipients", "requires", "view", "key", "subject",
	"subjects", "x" };

static const struct {
	const char *wanted, *best;
} cases[] = {
	{ "retenion", "retention" }, /* one too few */
	{ "retenntion", "retention" }, /* one too many */
	{ "retantion", "retention" }, /* one wrong */
	{ "retnetion", "retention" }, /* two swapped */
	{ "RETENTION", "retention" }, /* the case alone */
	{ "recipient", "recipients" },
	{ "subjcet", "subject" },
	{ "subjectes", "subjects" },
	{ "kye", "key" },
	{ "veiw", "view" },
	{ "colour", NULL },
	{ "", NULL },
	{ "y", NULL }, /* a name of one letter is like any other */
	{ "retentionretentionretention", NULL },
};

static void test_the_nearest_name_is_suggested(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct nearest nearest;
		nearest_init(&nearest, cases[i].wanted);
		for (size_t j = 0; j < COUNT_OF(known); j++)
			nearest_try(&nearest, known[j]);
		if (cases[i].best == NULL && nearest.best != NULL)
			fail_msg("`%s`: %s", cases[i].wanted, nearest.best);
		if (cases[i].best != NULL)
			assert_string_equal(nearest.best != NULL ? nearest.best : "", cases[i].best);
	}
}

static void test_of_equals_the_first_stays(void **state)
{
	(void)state;
	struct nearest nearest;
	nearest_init(&nearest, "bat");
	nearest_try(&nearest, "cat");
	nearest_try(&nearest, "hat");
	assert_string_equal(nearest.best, "cat");
	nearest_try(&nearest, "bat");
	assert_string_equal(nearest.best, "bat");
}

static void test_long_names_are_compared_by_their_beginning(void **state)
{
	(void)state;
	char wanted[1001], other[1001];
	memset(wanted, 'a', sizeof wanted);
	wanted[1000] = '\0';
	memcpy(other, wanted, sizeof other);
	other[3] = 'b';
	struct nearest nearest;
	nearest_init(&nearest, wanted);
	nearest_try(&nearest, other);
	assert_ptr_equal(nearest.best, other);
	assert_int_equal(nearest.distance, 1);
}

static void test_purposes(void **state)
{
	(void)state;
	assert_true(purpose_known("dpv:ServiceProvision"));
	assert_true(purpose_known("dpv:AcademicResearch"));
	assert_true(purpose_known("dpv:Verification"));
	assert_false(purpose_known("dpv:Purpose"));
	assert_false(purpose_known("ServiceProvision"));
	assert_false(purpose_known("dpv:serviceprovision"));
	assert_false(purpose_known(""));
	assert_string_equal(purpose_nearest("dpv:DirectMarkting"), "dpv:DirectMarketing");
	assert_string_equal(purpose_nearest("dpv:customercare"), "dpv:CustomerCare");
	assert_null(purpose_nearest("because"));
	assert_true(purpose_is_direct_marketing("dpv:DirectMarketing"));
	assert_true(purpose_is_direct_marketing("dpv:TargetedAdvertising"));
	assert_false(purpose_is_direct_marketing("dpv:ServiceProvision"));
	assert_false(purpose_is_direct_marketing("dpv:PublicRelations"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_nearest_name_is_suggested),
		cmocka_unit_test(test_of_equals_the_first_stays),
		cmocka_unit_test(test_long_names_are_compared_by_their_beginning),
		cmocka_unit_test(test_purposes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
