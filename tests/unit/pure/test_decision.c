/* The decisions themselves are tested by tables: test_policy_tables.c. Here: what each reason is called and answered
 * with. */
#include "pure/decision.h"
#include "support/check.h"

#include <stdio.h>

static const struct expected {
	const char *name;
	enum grpc_code code;
} refusals[] = {
	/* API.md: the refusals of SharingService and their statuses. */
	{ "UNKNOWN_SERVICE", GRPC_INVALID_ARGUMENT },
	{ "BAD_WINDOW", GRPC_INVALID_ARGUMENT },
	{ "UNKNOWN_SUBJECT", GRPC_NOT_FOUND },
	{ "UNKNOWN_RECIPIENT", GRPC_NOT_FOUND },
	{ "UNKNOWN_BOOKING", GRPC_NOT_FOUND },
	{ "BOOKING_MISMATCH", GRPC_FAILED_PRECONDITION },
	{ "SERVICE_NOT_AUTHORISED", GRPC_PERMISSION_DENIED },
	{ "AGREEMENT_NOT_IN_FORCE", GRPC_PERMISSION_DENIED },
	{ "RECIPIENT_SUSPENDED", GRPC_PERMISSION_DENIED },
	{ "OBJECTED", GRPC_FAILED_PRECONDITION },
	{ "CONSENT_MISSING", GRPC_FAILED_PRECONDITION },
	{ "RESTRICTED", GRPC_FAILED_PRECONDITION },
	{ "ERASED", GRPC_FAILED_PRECONDITION },
	{ "REQUEST_ID_REUSED", GRPC_ALREADY_EXISTS },
	{ "ROLE_NOT_ALLOWED", GRPC_PERMISSION_DENIED },
	/* and of DeliveryService. */
	{ "EXPIRED", GRPC_FAILED_PRECONDITION },
	{ "REVOKED", GRPC_FAILED_PRECONDITION },
	{ "SUSPENDED", GRPC_FAILED_PRECONDITION },
	{ "NOT_DUE", GRPC_FAILED_PRECONDITION },
	{ "NOT_WITHDRAWN", GRPC_FAILED_PRECONDITION },
	/* and of RightsService. */
	{ "NO_RIGHT_TO_OBJECT", GRPC_FAILED_PRECONDITION },
	{ "ACTIVE_BOOKINGS", GRPC_FAILED_PRECONDITION },
};

static const struct expected *find(const char *name)
{
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		if (strcmp(refusals[i].name, name) == 0)
			return &refusals[i];
	}
	return NULL;
}

static void test_each_reason_has_its_name_status_and_advice(void **state)
{
	(void)state;
	const ProtobufCEnumDescriptor *type = &needtoknow__v1__reason__descriptor;
	size_t found = 0;
	for (unsigned i = 0; i < type->n_values; i++) {
		Needtoknow__V1__Reason reason = (Needtoknow__V1__Reason)type->values[i].value;
		if (reason == NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED)
			continue;
		const char *name = type->values[i].name + strlen("REASON_");
		assert_string_equal(reason_name(reason), name);
		const struct expected *expected = find(name);
		found += expected != NULL;
		assert_int_equal(reason_code(reason), expected != NULL ? expected->code : GRPC_OK);
		/* A refusal says what to do about it: something after the colon. */
		assert_true((expected != NULL) == (strchr(reason_message(reason), ':') != NULL));
	}
	assert_int_equal(found, sizeof refusals / sizeof *refusals);
}

static void test_no_reason_is_no_refusal(void **state)
{
	(void)state;
	assert_string_equal(reason_name(NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED), "");
	assert_int_equal(reason_code(NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED), GRPC_OK);
	assert_string_equal(reason_message(NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED), "");
}

static void ask_for_no_reason(void *argument)
{
	(void)argument;
	reason_name((Needtoknow__V1__Reason)1000);
}

static void test_an_unknown_reason_ends_the_process(void **state)
{
	(void)state;
	assert_true(ends_process(ask_for_no_reason, NULL));
}

/* Whatever is missing refuses: of all facts at their zero, and of each alone. */
static void test_facts_that_nobody_filled_in_refuse(void **state)
{
	(void)state;
	struct share_facts nothing = { .now = 0 };
	assert_int_not_equal(share_decide(&nothing), NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED);
	struct policy_service service = { .name = "s", .purpose = "dpv:ServiceProvision", .max_duration = INT64_MAX };
	service.expires.anchor = MOMENT_END;
	service.needs_booking = true;
	nothing.service = &service;
	assert_int_not_equal(share_decide(&nothing), NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_reason_has_its_name_status_and_advice),
		cmocka_unit_test(test_no_reason_is_no_refusal),
		cmocka_unit_test(test_an_unknown_reason_ends_the_process),
		cmocka_unit_test(test_facts_that_nobody_filled_in_refuse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
