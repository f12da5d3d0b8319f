#include "pure/policy.h"

#include "pure/decision.h"

#include "pure/time.h"
#include "support/check.h"
#include "support/patience.h"

#include <glob.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <time.h>

#define HOUR (3600 * TIME_SECOND)
#define DAY (24 * HOUR)
#define YEAR (365 * DAY)

/* The caller frees it. */
static char *read_file(const char *path, size_t *length)
{
	FILE *file = fopen(path, "rb");
	if (file == NULL)
		fail_msg("%s cannot be opened", path);
	char *text = malloc(2 << 20);
	*length = fread(text, 1, (2 << 20) - 1, file);
	text[*length] = '\0';
	fclose(file);
	return text;
}

static struct policy *parse_file(const char *path)
{
	size_t length;
	struct policy_error error;
	char *text = read_file(path, &length);
	struct policy *policy = policy_parse(text, length, &error);
	free(text);
	if (policy == NULL)
		fail_msg("%s:%d:%d: %s", path, error.line, error.column, error.message);
	return policy;
}

static void test_example_is_read_whole(void **state)
{
	(void)state;
	struct policy *policy = parse_file("deploy/policy.yaml");
	assert_string_equal(policy_controller(policy), "Maison Claire SAS");
	assert_string_equal(policy_data_protection_officer(policy), "dpo@maison-claire.example");
	assert_int_equal(policy_security_measure_count(policy), 5);
	assert_string_equal(policy_security_measure_at(policy, 2), "tamper-evident ledger");

	assert_int_equal(policy_source_count(policy), 2);
	const struct policy_source *client = policy_source_at(policy, 0);
	assert_ptr_equal(policy_subjects(policy), client);
	assert_string_equal(client->name, "client");
	assert_string_equal(client->schema, "share");
	assert_string_equal(client->view, "client");
	assert_string_equal(client->key, "subject_id");
	assert_null(client->subject);
	const struct policy_source *booking = policy_bookings(policy);
	assert_ptr_equal(booking, policy_source_at(policy, 1));
	assert_string_equal(booking->key, "booking_id");
	assert_string_equal(booking->subject, "subject_id");

	static const char *const names[] = { "home-cleaning", "gardening", "newsletter", "customer-desk" };
	assert_int_equal(policy_service_count(policy), 4);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(policy_service_at(policy, i)->name, names[i]);
		assert_ptr_equal(policy_service(policy, names[i]), policy_service_at(policy, i));
	}
	assert_null(policy_service(policy, "home-cleanin"));
	assert_null(policy_service(policy, ""));
	assert_int_equal(policy_acknowledge_within(policy), 30 * TIME_SECOND);
	policy_free(policy);
}

static void test_service_is_read_whole(void **state)
{
	(void)state;
	struct policy *policy = parse_file("deploy/policy.yaml");
	const struct policy_service *cleaning = policy_service(policy, "home-cleaning");
	assert_string_equal(cleaning->title, "Ménage à domicile");
	assert_string_equal(cleaning->purpose, "dpv:ServiceProvision");
	assert_int_equal(cleaning->legal_basis, LEGAL_BASIS_CONTRACT);
	assert_int_equal(cleaning->recipients, RECIPIENT_KIND_PROVIDER);
	assert_int_equal(cleaning->max_duration, 30 * DAY);
	assert_null(cleaning->requires);
	assert_true(cleaning->needs_booking);
	assert_int_equal(cleaning->expires.anchor, MOMENT_END);
	assert_int_equal(cleaning->expires.offset, 2 * HOUR);
	assert_int_equal(cleaning->delete_within, DAY);

	assert_int_equal(cleaning->release_count, 3);
	const struct policy_release *visit = &cleaning->releases[1], *entry = &cleaning->releases[2];
	assert_string_equal(visit->name, "visit");
	assert_int_equal(visit->at.anchor, MOMENT_START);
	assert_int_equal(visit->at.offset, -DAY);
	assert_false(visit->sensitive);
	assert_int_equal(visit->field_count, 3);
	assert_string_equal(visit->fields[0]->name, "client.given_name");
	assert_string_equal(visit->fields[1]->column, "home_address");
	assert_ptr_equal(visit->fields[2]->source, policy_bookings(policy));
	assert_true(entry->sensitive);
	assert_int_equal(entry->at.offset, -HOUR);

	const struct policy_service *newsletter = policy_service(policy, "newsletter");
	assert_int_equal(newsletter->legal_basis, LEGAL_BASIS_CONSENT);
	assert_string_equal(newsletter->requires->name, "client.newsletter_consent");
	assert_false(newsletter->needs_booking);
	assert_true(newsletter->max_duration == INT64_MAX);
	assert_int_equal(newsletter->releases[0].at.anchor, MOMENT_BOOKED);
	assert_int_equal(policy_service(policy, "customer-desk")->recipients, RECIPIENT_KIND_STAFF);
	policy_free(policy);
}

static void test_fields_are_listed_once_and_only_those_that_are_read(void **state)
{
	(void)state;
	struct policy *policy = parse_file("deploy/policy.yaml");
	static const char *const names[] = { "client.district", "booking.tasks", "client.given_name",
		"client.home_address", "booking.instructions", "client.door_code", "client.newsletter_consent",
		"client.email", "client.phone" };
	assert_int_equal(policy_field_count(policy), sizeof names / sizeof *names);
	for (size_t i = 0; i < policy_field_count(policy); i++)
		assert_string_equal(policy_field_at(policy, i)->name, names[i]);
	/* One struct a name, so that pointers may be compared. */
	assert_ptr_equal(policy_service(policy, "newsletter")->releases[0].fields[1],
		policy_service(policy, "home-cleaning")->releases[1].fields[0]);
	policy_free(policy);
}

static void test_retention_is_read_whole(void **state)
{
	(void)state;
	struct policy *policy = parse_file("deploy/policy.yaml");
	const struct policy_retention *retention = policy_retention(policy);
	assert_int_equal(retention->disclosures.keep, YEAR);
	assert_string_equal(retention->disclosures.text, "1y");
	assert_null(retention->disclosures.because);
	assert_int_equal(retention->ledger_bodies.keep, 5 * YEAR);
	assert_string_equal(retention->ledger_bodies.because, "limitation period of contract claims (Code civil 2224)");
	assert_string_equal(retention->subject_key_after_erasure.text, "5y");
	assert_int_equal(retention->backups.keep, 35 * DAY);
	assert_int_equal(retention->column_count, 2);
	assert_int_equal(retention->columns[0].anchor, RETENTION_CONTRACT_END);
	assert_int_equal(retention->columns[0].after.keep, 0);
	assert_int_equal(retention->columns[0].field_count, 2);
	assert_string_equal(retention->columns[0].fields[1].name, "client.door_code");
	assert_int_equal(retention->columns[1].anchor, RETENTION_FINANCIAL_YEAR_END);
	assert_int_equal(retention->columns[1].after.keep, 10 * YEAR);
	assert_string_equal(retention->columns[1].after.text, "financial-year-end+10y");
	assert_ptr_equal(retention->columns[1].fields[0].source, policy_subjects(policy));
	policy_free(policy);
}

static void test_text_and_digest_are_the_files(void **state)
{
	(void)state;
	size_t length, kept;
	char *text = read_file("deploy/policy.yaml", &length);
	struct policy *policy = parse_file("deploy/policy.yaml");
	assert_memory_equal(policy_text(policy, &kept), text, length);
	assert_int_equal(kept, length);
	uint8_t digest[32];
	assert_int_equal(EVP_Digest(text, length, digest, NULL, EVP_sha256(), NULL), 1);
	assert_memory_equal(policy_digest(policy), digest, 32);
	free(text);
	policy_free(policy);
}

/* The same services as the example, to be shown in seconds. */
static void test_demonstration_tells_the_same_story(void **state)
{
	(void)state;
	struct policy *example = parse_file("deploy/policy.yaml");
	struct policy *demo = parse_file("deploy/policy-demo.yaml");
	assert_int_equal(policy_service_count(demo), policy_service_count(example));
	assert_int_equal(policy_field_count(demo), policy_field_count(example));
	const struct policy_service *cleaning = policy_service(demo, "home-cleaning");
	int64_t starts_at = 9 * TIME_SECOND, ends_at = 15 * TIME_SECOND;
	static const int64_t due[] = { 0, 3 * TIME_SECOND, 6 * TIME_SECOND };
	for (size_t i = 0; i < cleaning->release_count; i++)
		assert_int_equal(moment_at(&cleaning->releases[i].at, 0, starts_at, ends_at), due[i]);
	assert_int_equal(moment_at(&cleaning->expires, 0, starts_at, ends_at), 17 * TIME_SECOND);
	policy_free(example);
	policy_free(demo);
}

/* tests/policy/bad/NAME.yaml is refused with the line in NAME.expect. */
static void test_bad_files_are_refused_whole(void **state)
{
	(void)state;
	glob_t files;
	assert_int_equal(glob("tests/policy/bad/*.yaml", 0, NULL, &files), 0);
	assert_true(files.gl_pathc >= 100);
	unsigned failures = 0;
	for (size_t i = 0; i < files.gl_pathc; i++) {
		const char *path = files.gl_pathv[i];
		char expect_path[300], found[600];
		snprintf(expect_path, sizeof expect_path, "%.*s.expect", (int)(strlen(path) - strlen(".yaml")), path);
		size_t length, expect_length;
		char *text = read_file(path, &length), *expect = read_file(expect_path, &expect_length);
		struct policy_error error = { .line = -1 };
		struct policy *policy = policy_parse(text, length, &error);
		snprintf(found, sizeof found, "%d:%d: %s\n", error.line, error.column, error.message);
		if (policy != NULL || strcmp(found, expect) != 0) {
			print_error(
				"%s: expected %s  but %s", path, expect, policy != NULL ? "it was accepted\n" : found);
			failures++;
		}
		policy_free(policy);
		free(text);
		free(expect);
	}
	globfree(&files);
	assert_int_equal(failures, 0);
}

#define HEAD                                                                                                           \
	"version: 1\n"                                                                                                 \
	"controller: { name: M, data_protection_officer: d@m.example, security_measures: [TLS] }\n"                    \
	"subjects: client\n"                                                                                           \
	"sources: { client: { view: share.client, key: subject_id } }\n"                                               \
	"retention: { disclosures: 1y, ledger_bodies: { keep: 1y }, subject_key_after_erasure: { keep: 0d }, "         \
	"backups: 0d }\n"                                                                                              \
	"limits: { acknowledge_within: 30s }\n"                                                                        \
	"services:\n"

static double milliseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Looking the service up in a large policy, and deciding. Microseconds. */
static double decision_time(const struct policy *policy)
{
	const int decisions = 200000;
	int shared = 0;
	double before = milliseconds();
	for (int i = 0; i < decisions; i++) {
		char name[16];
		snprintf(name, sizeof name, "s%d", i % 500);
		struct share_facts facts = { .now = 1000 * TIME_SECOND,
			.service = policy_service(policy, name),
			.starts_at = 2000 * TIME_SECOND,
			.ends_at = 3000 * TIME_SECOND,
			.recipient_known = true,
			.recipient_kind = RECIPIENT_KIND_STAFF,
			.agreement_until = INT64_MAX,
			.service_authorised = true,
			.subject_known = true };
		shared += share_decide(&facts) == NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED;
	}
	assert_int_equal(shared, decisions);
	return (milliseconds() - before) * 1000 / decisions;
}

static void test_five_hundred_services_are_read_at_once(void **state)
{
	(void)state;
	char *text = malloc(1 << 20);
	size_t used = (size_t)snprintf(text, 1 << 20, "%s", HEAD);
	for (int i = 0; i < 500; i++) {
		used += (size_t)snprintf(text + used, (1 << 20) - used,
			"  s%d: { purpose: dpv:ServiceProvision, legal_basis: contract, booking: none, recipients: "
			"staff, expires: end, "
			"delete_within: 1h, releases: [{ name: all, at: booked, fields: [",
			i);
		for (int j = 0; j < 10; j++)
			used += (size_t)snprintf(text + used, (1 << 20) - used, "client.c%d_%d, ", i, j);
		used += (size_t)snprintf(text + used, (1 << 20) - used, "] }] }\n");
	}
	struct policy_error error;
	double before = milliseconds();
	struct policy *policy = policy_parse(text, used, &error);
	double took = milliseconds() - before;
	free(text);
	assert_non_null(policy);
	assert_int_equal(policy_service_count(policy), 500);
	assert_int_equal(policy_field_count(policy), 5000);
	assert_string_equal(policy_service(policy, "s499")->releases[0].fields[9]->name, "client.c499_9");
	double decision = decision_time(policy);
	policy_free(policy);
	print_message("500 services, 5000 fields: %.0f ms; a decision: %.2f us\n", took, decision);
	assert_true(took < 200 * (double)patience());
	assert_true(decision < 2 * (double)patience());
}

static void expect_refusal(const char *text, size_t length, const char *message)
{
	struct policy_error error = { .message = "" };
	assert_null(policy_parse(text, length, &error));
	if (strstr(error.message, message) == NULL)
		fail_msg("expected \"%s\", got \"%s\"", message, error.message);
}

static void test_size_is_bounded(void **state)
{
	(void)state;
	size_t length = (1 << 20) + 1;
	char *text = malloc(length);
	memset(text, '#', length);
	expect_refusal(text, length, "1048577 bytes");
	/* The most that is allowed, all of it comment. */
	expect_refusal(text, length - 1, "empty");
	/* As many values as fit. */
	memcpy(text, "a: [", 4);
	for (size_t i = 4; i + 1 < length; i += 2)
		memcpy(text + i, "a,", 2);
	text[length - 2] = ']';
	expect_refusal(text, length - 1, "more than 100000 values");
	free(text);
}

static void test_shortened_messages_are_utf8(void **state)
{
	(void)state;
	static const char text[] = "versioné: 1\nxéééééééééééééééééééééééééééééééééééééééééééééééééééééééé: 1\n";
	struct policy_error error;
	for (size_t start = 0; start < 2; start++) {
		const char *from = start == 0 ? text : strchr(text, '\n') + 1;
		assert_null(policy_parse(from, strlen(from), &error));
		for (const char *c = error.message; *c != '\0'; c++) {
			if ((unsigned char)*c == 0xc3)
				assert_int_equal((unsigned char)*++c, 0xa9);
			else
				assert_true((unsigned char)*c < 0x80);
		}
	}
}

static void test_moments_do_not_wrap(void **state)
{
	(void)state;
	struct moment late = { MOMENT_END, 1000 * YEAR }, early = { MOMENT_BOOKED, -1000 * YEAR };
	assert_true(moment_at(&late, 0, 0, INT64_MAX - 1) == INT64_MAX);
	assert_true(moment_at(&early, INT64_MIN + 2, 0, 0) == INT64_MIN + 1);
	assert_true(moment_at(&early, 0, 0, 0) == -1000 * YEAR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example_is_read_whole),
		cmocka_unit_test(test_service_is_read_whole),
		cmocka_unit_test(test_fields_are_listed_once_and_only_those_that_are_read),
		cmocka_unit_test(test_retention_is_read_whole),
		cmocka_unit_test(test_text_and_digest_are_the_files),
		cmocka_unit_test(test_demonstration_tells_the_same_story),
		cmocka_unit_test(test_bad_files_are_refused_whole),
		cmocka_unit_test(test_five_hundred_services_are_read_at_once),
		cmocka_unit_test(test_size_is_bounded),
		cmocka_unit_test(test_shortened_messages_are_utf8),
		cmocka_unit_test(test_moments_do_not_wrap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
