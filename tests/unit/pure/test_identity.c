#include "pure/identity.h"

#include "support/check.h"

#define DOMAIN "maison-claire.example"
#define LETTERS_64 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-"
#define LETTERS_128 LETTERS_64 LETTERS_64

static void test_accepted(void **state)
{
	(void)state;
	static const struct {
		const char *uri;
		enum role role;
		const char *name, *device;
	} cases[] = {
		{ "spiffe://" DOMAIN "/booking/website", ROLE_BOOKING, "website", "" },
		{ "spiffe://" DOMAIN "/auditor/dpo", ROLE_AUDITOR, "dpo", "" },
		{ "spiffe://" DOMAIN "/rights/privacy-desk", ROLE_RIGHTS, "privacy-desk", "" },
		{ "spiffe://" DOMAIN "/admin/op_1", ROLE_ADMIN, "op_1", "" },
		{ "spiffe://" DOMAIN "/recipient/Sparkle.2", ROLE_RECIPIENT, "Sparkle.2", "default" },
		{ "spiffe://" DOMAIN "/recipient/sparkle/phone-7", ROLE_RECIPIENT, "sparkle", "phone-7" },
		{ "spiffe://" DOMAIN "/recipient/" LETTERS_128 "/" LETTERS_128, ROLE_RECIPIENT, LETTERS_128,
			LETTERS_128 },
		{ "spiffe://" DOMAIN "/recipient/.../_", ROLE_RECIPIENT, "...", "_" },
		{ "spiffe://" DOMAIN "/recipient/booking", ROLE_RECIPIENT, "booking", "default" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct identity identity;
		assert_int_equal(identity_parse(cases[i].uri, strlen(cases[i].uri), DOMAIN, &identity), 0);
		assert_int_equal(identity.role, cases[i].role);
		assert_string_equal(identity.name, cases[i].name);
		assert_string_equal(identity.device, cases[i].device);
		assert_string_equal(identity.uri, cases[i].uri);
	}
}

static void test_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",
		"spiffe",
		"spiffe://",
		"spiffe:///booking/website",
		"spiffe://" DOMAIN,
		"spiffe://" DOMAIN "/",
		"spiffe://" DOMAIN "/booking",
		"spiffe://" DOMAIN "/booking/",
		"spiffe://" DOMAIN "/booking//website",
		"spiffe://" DOMAIN "//booking/website",
		"spiffe://" DOMAIN "/booking/website/",
		"spiffe://" DOMAIN "/booking/website/phone",
		"spiffe://" DOMAIN "/booking/.",
		"spiffe://" DOMAIN "/booking/..",
		"spiffe://" DOMAIN "/booking/web%73ite",
		"spiffe://" DOMAIN "/booking/web site",
		"spiffe://" DOMAIN "/booking/web\nsite",
		"spiffe://" DOMAIN "/booking/websit\xc3\xa9",
		"spiffe://" DOMAIN "/booking/website?x=1",
		"spiffe://" DOMAIN "/booking/website#x",
		"spiffe://" DOMAIN "/booking/a:b",
		"spiffe://" DOMAIN "/Booking/website",
		"spiffe://" DOMAIN "/bookings/website",
		"spiffe://" DOMAIN "/book/website",
		"spiffe://" DOMAIN "/none/website",
		"spiffe://" DOMAIN "/recipient/",
		"spiffe://" DOMAIN "/recipient/sparkle/",
		"spiffe://" DOMAIN "/recipient/sparkle//",
		"spiffe://" DOMAIN "/recipient/sparkle/..",
		"spiffe://" DOMAIN "/recipient/sparkle/phone/7",
		"spiffe://" DOMAIN "/recipient/" LETTERS_128 "x",
		"spiffe://" DOMAIN "/recipient/x/" LETTERS_128 "x",
		"spiffe://" DOMAIN ":443/booking/website",
		"spiffe://user@" DOMAIN "/booking/website",
		"spiffe://Maison-claire.example/booking/website",
		"spiffe://" DOMAIN ".evil/booking/website",
		"spiffe://evil." DOMAIN "/booking/website",
		"spiffe://maison-claire/booking/website",
		"SPIFFE://" DOMAIN "/booking/website",
		"spiffe:/" DOMAIN "/booking/website",
		"https://" DOMAIN "/booking/website",
		" spiffe://" DOMAIN "/booking/website",
		"spiffe://" DOMAIN "/booking/website ",
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct identity identity, before;
		memset(&identity, 0x5a, sizeof identity);
		before = identity;
		if (identity_parse(cases[i], strlen(cases[i]), DOMAIN, &identity) != -1)
			fail_msg("accepted: %s", cases[i]);
		assert_memory_equal(&identity, &before, sizeof identity);
	}
}

static void test_nul_is_refused(void **state)
{
	(void)state;
	static const char inside[] = "spiffe://" DOMAIN "/booking/web\0site";
	static const char behind[] = "spiffe://" DOMAIN "/booking/website\0";
	static const char in_role[] = "spiffe://" DOMAIN "/booking\0/website";
	static const char in_domain[] = "spiffe://" DOMAIN "\0.evil/booking/website";
	struct identity identity;
	assert_int_equal(identity_parse(inside, sizeof inside - 1, DOMAIN, &identity), -1);
	assert_int_equal(identity_parse(behind, sizeof behind - 1, DOMAIN, &identity), -1);
	assert_int_equal(identity_parse(in_role, sizeof in_role - 1, DOMAIN, &identity), -1);
	assert_int_equal(identity_parse(in_domain, sizeof in_domain - 1, DOMAIN, &identity), -1);
}

/* A trust domain that is none in the configuration lets nobody in. */
static void test_bad_trust_domain(void **state)
{
	(void)state;
	struct identity identity;
	static const struct {
		const char *uri, *domain;
	} cases[] = {
		{ "spiffe:///booking/website", "" },
		{ "spiffe://X/booking/website", "X" },
		{ "spiffe://a/b/booking/website", "a/b" },
		{ "spiffe://a:1/booking/website", "a:1" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(identity_parse(cases[i].uri, strlen(cases[i].uri), cases[i].domain, &identity), -1);
}

static void test_length(void **state)
{
	(void)state;
	/* A domain so long that the whole is one byte too long, and one less. */
	char domain[600], uri[700];
	static const char path[] = "/booking/website";
	for (size_t excess = 0; excess < 2; excess++) {
		size_t length = IDENTITY_URI_MAX - strlen("spiffe://") - strlen(path) + excess;
		memset(domain, 'a', length);
		domain[length] = '\0';
		memcpy(uri, "spiffe://", 9);
		memcpy(uri + 9, domain, length);
		memcpy(uri + 9 + length, path, sizeof path);
		struct identity identity;
		assert_int_equal(strlen(uri), IDENTITY_URI_MAX + excess);
		assert_int_equal(identity_parse(uri, strlen(uri), domain, &identity), excess == 0 ? 0 : -1);
	}
}

static void test_role_names(void **state)
{
	(void)state;
	assert_string_equal(role_name(ROLE_NONE), "none");
	assert_string_equal(role_name(ROLE_BOOKING), "booking");
	assert_string_equal(role_name(ROLE_RECIPIENT), "recipient");
	assert_string_equal(role_name(ROLE_AUDITOR), "auditor");
	assert_string_equal(role_name(ROLE_RIGHTS), "rights");
	assert_string_equal(role_name(ROLE_ADMIN), "admin");
	assert_string_equal(role_name((enum role)99), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_nul_is_refused),
		cmocka_unit_test(test_bad_trust_domain),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_role_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
