/* A subject report: what it comes to for each field, and what is written of it. */
#include "base/memory.h"
#include "cli/report.h"
#include "cli/report_csv.h"
#include "cli/report_page.h"
#include "cli/report_text.h"
#include "pure/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR (3600 * TIME_SECOND)
#define NOW (INT64_C(1795000000) * TIME_SECOND) /* 2026-11-18 */

typedef Needtoknow__V1__ReportedDisclosure Disclosure;
typedef Needtoknow__V1__ReportedRelease Release;
typedef Needtoknow__V1__ReportedDeletion Deletion;

#define STATE(name) NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_##name
#define OUTCOME(name) NEEDTOKNOW__V1__DELETION_OUTCOME__DELETION_OUTCOME_##name

static char *text(const char *literal)
{
	return (char *)(uintptr_t)literal;
}

/* Everything that a test's message is made of; times are hours from NOW. */
static struct {
	Google__Protobuf__Timestamp times[64];
	size_t count;
} made;

static Google__Protobuf__Timestamp *at(double hours)
{
	Google__Protobuf__Timestamp *time = &made.times[made.count++];

	assert_true(made.count <= 64);
	time_to_timestamp(NOW + (int64_t)(hours * (double)HOUR), time);
	return time;
}

static int forget(void **state)
{
	(void)state;
	made.count = 0;
	return 0;
}

/* A disclosure with one release of a door code. */
struct one {
	Disclosure disclosure;
	Release release, *releases[1];
	Needtoknow__V1__ReportedDelivery delivery, *deliveries[1];
	Deletion deletion[2], *deletions[2];
	char *fields[1];
};

static struct one *one_init(struct one *one, Needtoknow__V1__DisclosureState state, double expires)
{
	needtoknow__v1__reported_disclosure__init(&one->disclosure);
	needtoknow__v1__reported_release__init(&one->release);
	needtoknow__v1__reported_delivery__init(&one->delivery);
	one->disclosure.disclosure_id = text("d-1");
	one->disclosure.state = state;
	one->disclosure.shared_at = at(-48);
	one->disclosure.starts_at = at(-2);
	one->disclosure.ends_at = at(expires);
	one->disclosure.expires_at = at(expires);
	one->disclosure.shared_index = 7;
	one->disclosure.releases = one->releases;
	one->disclosure.n_releases = 1;
	one->releases[0] = &one->release;
	one->release.name = text("entry");
	one->release.due_at = at(-1);
	one->release.fields = one->fields;
	one->release.n_fields = 1;
	one->fields[0] = text("client.door_code");
	return one;
}

static void one_send(struct one *one)
{
	one->delivery.sent_at = at(-1);
	one->delivery.ledger_index = 8;
	one->deliveries[0] = &one->delivery;
	one->release.deliveries = one->deliveries;
	one->release.n_deliveries = 1;
}

static Deletion *one_delete(struct one *one, double by, Needtoknow__V1__DeletionOutcome outcome, double confirmed)
{
	Deletion *deletion = &one->deletion[one->disclosure.n_deletions];

	needtoknow__v1__reported_deletion__init(deletion);
	deletion->ordered_at = at(-1);
	deletion->delete_by = at(by);
	deletion->outcome = outcome;
	deletion->confirmed_at = outcome != OUTCOME(UNSPECIFIED) ? at(confirmed) : NULL;
	deletion->cause = NEEDTOKNOW__V1__WITHDRAWAL_CAUSE__WITHDRAWAL_CAUSE_EXPIRED;
	deletion->ledger_index = 9;
	one->deletions[one->disclosure.n_deletions++] = deletion;
	one->disclosure.deletions = one->deletions;
	return deletion;
}

static void expect(struct one *one, enum holding holding, double hours)
{
	struct report_status status = report_status(&one->disclosure, &one->release, NOW);

	assert_int_equal(status.holding, holding);
	if (holding == HOLDING_NEVER || holding == HOLDING_RESTRICTED)
		assert_int_equal(status.time, TIME_NONE);
	else
		assert_int_equal(status.time, NOW + (int64_t)(hours * (double)HOUR));
}

static void test_what_was_sent_is_held_until_it_ends(void **state)
{
	struct one one = { 0 };

	(void)state;
	one_send(one_init(&one, STATE(ACTIVE), 3));
	expect(&one, HOLDING_HELD, 3);
	one_send(one_init(&one, STATE(ACTIVE), -0.5)); /* not swept yet */
	expect(&one, HOLDING_ENDED, -0.5);
	one_send(one_init(&one, STATE(RESTRICTED), 3));
	expect(&one, HOLDING_RESTRICTED, 0);
	one_send(one_init(&one, STATE(EXPIRED), -0.5));
	expect(&one, HOLDING_ENDED, -0.5);
}

static void test_what_was_not_sent_is_not_held(void **state)
{
	struct one one = { 0 };

	(void)state;
	one_init(&one, STATE(ACTIVE), 3);
	expect(&one, HOLDING_DUE, -1);
	one.release.due_at = at(2);
	expect(&one, HOLDING_PLANNED, 2);
	one_init(&one, STATE(REVOKED), 3);
	expect(&one, HOLDING_NEVER, 0);
	one_delete(&one, 4, OUTCOME(UNSPECIFIED), 0); /* another release was sent */
	expect(&one, HOLDING_NEVER, 0);
}

static void test_only_a_confirmation_ends_it(void **state)
{
	struct one one = { 0 };

	(void)state;
	one_send(one_init(&one, STATE(EXPIRED), -0.5));
	one_delete(&one, 4, OUTCOME(UNSPECIFIED), 0);
	expect(&one, HOLDING_UNCONFIRMED, 4);
	one_delete(&one, 4, OUTCOME(DELETED), -0.2);
	expect(&one, HOLDING_UNCONFIRMED, 4); /* the other device has not */
	one.deletion[0].outcome = OUTCOME(DELETED);
	one.deletion[0].confirmed_at = at(-0.4);
	expect(&one, HOLDING_DELETED, -0.2);
	one.deletion[0].outcome = OUTCOME(UNSPECIFIED);
	one.deletion[0].delete_by = at(-0.1);
	expect(&one, HOLDING_OVERDUE, -0.1);
	one.deletion[0].outcome = OUTCOME(RETAINED);
	one.deletion[0].ground = text("Code de commerce L123-22");
	one.deletion[0].retained_until = at(1000);
	expect(&one, HOLDING_RETAINED, 1000);
	one.deletion[0].retained_until = at(-0.05); /* and then? */
	expect(&one, HOLDING_ENDED, -0.05);
}

/* A whole message: two providers and a member of staff. */
struct whole {
	Needtoknow__V1__GetSubjectReportResponse message;
	Needtoknow__V1__ReportedRecipient recipient[3], *recipients[3];
	struct one one[4];
	Disclosure *disclosures[4];
	Needtoknow__V1__ReportedRight right, *rights[1];
	uint8_t pseudonym[16];
};

static void set_recipient(struct whole *whole, size_t i, const char *id, const char *name, const char *service)
{
	Needtoknow__V1__ReportedRecipient *recipient = &whole->recipient[i];

	needtoknow__v1__reported_recipient__init(recipient);
	recipient->kind = NEEDTOKNOW__V1__RECIPIENT_KIND__RECIPIENT_KIND_PROVIDER;
	recipient->recipient_id = text(id);
	recipient->display_name = text(name);
	recipient->service = text(service);
	recipient->service_title = text("Ménage & plus");
	recipient->purpose = text("dpv:ServiceProvision");
	recipient->legal_basis = text("contract");
	whole->recipients[i] = recipient;
}

static void whole_init(struct whole *whole)
{
	Needtoknow__V1__GetSubjectReportResponse *message = &whole->message;

	needtoknow__v1__get_subject_report_response__init(message);
	message->subject_id = text("C<1>");
	message->subject_pseudonym = (ProtobufCBinaryData){ sizeof whole->pseudonym, whole->pseudonym };
	message->made_at = at(0);
	message->controller = text("Maison \"Claire\" & Cie");
	message->data_protection_officer = text("dpo@maison-claire.example");
	message->backups_keep = text("35d");
	set_recipient(whole, 0, "sparkle", "=Sparkle <script>alert(1)</script>", "home-cleaning");
	set_recipient(whole, 1, "green", "La Main verte", "gardening");
	set_recipient(whole, 2, "", "", "customer-desk");
	whole->recipient[2].kind = NEEDTOKNOW__V1__RECIPIENT_KIND__RECIPIENT_KIND_STAFF;

	one_send(one_init(&whole->one[0], STATE(EXPIRED), -30));
	one_delete(&whole->one[0], -20, OUTCOME(DELETED), -25);
	one_send(one_init(&whole->one[1], STATE(ACTIVE), 3));
	one_send(one_init(&whole->one[2], STATE(EXPIRED), -1));
	one_delete(&whole->one[2], -0.5, OUTCOME(RETAINED), -0.7)->ground = text("L<123>");
	one_init(&whole->one[3], STATE(REVOKED), 3);
	whole->one[3].fields[0] = text("client.phone");
	for (size_t i = 0; i < 4; i++) {
		whole->disclosures[i] = &whole->one[i].disclosure;
		whole->one[i].disclosure.shared_index = 100 + 10 * i;
		whole->one[i].delivery.ledger_index = 101 + 10 * i;
		whole->one[i].deletion[0].ledger_index = 102 + 10 * i;
	}
	whole->recipient[0].disclosures = &whole->disclosures[0];
	whole->recipient[0].n_disclosures = 2;
	whole->recipient[1].disclosures = &whole->disclosures[2];
	whole->recipient[1].n_disclosures = 1;
	whole->recipient[2].disclosures = &whole->disclosures[3];
	whole->recipient[2].n_disclosures = 1;
	message->recipients = whole->recipients;
	message->n_recipients = 3;
	needtoknow__v1__reported_right__init(&whole->right);
	whole->right.kind = NEEDTOKNOW__V1__RIGHT_KIND__RIGHT_KIND_OBJECTION;
	whole->right.purpose = text("dpv:DirectMarketing");
	whole->right.raised_at = at(-5);
	whole->rights[0] = &whole->right;
	message->rights = whole->rights;
	message->n_rights = 1;
}

static void test_each_field_says_who_has_it(void **state)
{
	struct whole whole = { 0 };
	struct report report;

	(void)state;
	whole_init(&whole);
	report_init(&report, &whole.message);
	assert_int_equal(report.count, 2);
	assert_string_equal(report.fields[0].name, "client.door_code"); /* somebody has it: first */
	assert_int_equal(report.fields[0].count, 2);
	const struct report_holder *sparkle = &report.fields[0].holders[0], *green = &report.fields[0].holders[1];
	assert_ptr_equal(sparkle->recipient, &whole.recipient[0]);
	assert_int_equal(sparkle->count, 1); /* that an earlier one was deleted says nothing of now */
	assert_int_equal(sparkle->statuses[0].holding, HOLDING_HELD);
	assert_int_equal(green->statuses[0].holding, HOLDING_RETAINED);
	assert_string_equal(green->statuses[0].ground, "L<123>");
	assert_string_equal(report.fields[1].name, "client.phone");
	assert_int_equal(report.fields[1].holders[0].statuses[0].holding, HOLDING_NEVER);
	report_release(&report);

	/* Of two that hold, the longer; of two that are late, the earlier. */
	whole.one[0].disclosure.state = STATE(ACTIVE);
	whole.one[0].disclosure.n_deletions = 0;
	whole.one[0].disclosure.expires_at = at(50);
	report_init(&report, &whole.message);
	assert_int_equal(report.fields[0].holders[0].statuses[0].time, NOW + 50 * HOUR);
	report_release(&report);
}

/* What `print` wrote; the caller frees it. */
static char *written(void (*print)(FILE *, const Needtoknow__V1__GetSubjectReportResponse *),
	const Needtoknow__V1__GetSubjectReportResponse *message)
{
	char *out = NULL;
	size_t length;
	FILE *file = open_memstream(&out, &length);

	print(file, message);
	fclose(file);
	return out;
}

static void print_french(FILE *file, const Needtoknow__V1__GetSubjectReportResponse *message)
{
	report_page_print(file, LANGUAGE_FRENCH, message, NULL);
}

static void print_english(FILE *file, const Needtoknow__V1__GetSubjectReportResponse *message)
{
	report_page_print(file, LANGUAGE_ENGLISH, message, "maison-claire.example/log+00000000+AA==");
}

#define HAS(page, words) assert_non_null(strstr(page, words))
#define LACKS(page, words) assert_null(strstr(page, words))

static void test_nothing_on_the_page_is_markup_of_others(void **state)
{
	struct whole whole = { 0 };

	(void)state;
	whole_init(&whole);
	for (int i = 0; i < 2; i++) {
		char *page = written(i == 0 ? print_french : print_english, &whole.message);
		LACKS(page, "<script");
		LACKS(page, "C<1>");
		LACKS(page, "L<123>");
		LACKS(page, "\"Claire\"");
		HAS(page, "C&lt;1&gt;");
		HAS(page, "=Sparkle &lt;script&gt;alert(1)&lt;/script&gt;");
		HAS(page, "Maison &quot;Claire&quot; &amp; Cie");
		LACKS(page, "href");
		LACKS(page, "src=");
		LACKS(page, "{1}");
		free(page);
	}
}

static void test_the_page_speaks_the_clients_language(void **state)
{
	struct whole whole = { 0 };

	(void)state;
	whole_init(&whole);
	char *page = written(print_french, &whole.message);
	HAS(page, "<html lang=\"fr\">");
	HAS(page, "code d&#39;entrée");
	HAS(page, "pour fournir le service que vous avez réservé");
	HAS(page, "Notre propre personnel");
	HAS(page, "35 jours");
	HAS(page, "CLE");
	LACKS(page, "client.door_code");
	LACKS(page, "dpv:");
	LACKS(page, " :");
	free(page);
	page = written(print_english, &whole.message);
	HAS(page, "<html lang=\"en\">");
	HAS(page, "door code");
	HAS(page, "Our own staff");
	HAS(page, "--vkey &#39;maison-claire.example/log+00000000+AA==&#39;");
	HAS(page, ">121</th>");
	free(page);
}

static void test_fields_of_two_sources_are_told_apart(void **state)
{
	struct whole whole = { 0 };

	(void)state;
	whole_init(&whole);
	whole.one[0].fields[0] = text("booking.phone");
	char *page = written(print_english, &whole.message);
	HAS(page, ">phone number (booking)<");
	HAS(page, ">phone number (client)<");
	HAS(page, ">door code<");
	free(page);
}

static void test_lines_for_auditors(void **state)
{
	struct whole whole = { 0 };

	(void)state;
	whole_init(&whole);
	char *lines = written(report_csv_print, &whole.message);
	HAS(lines, "\"'=Sparkle <script>alert(1)</script>\"");
	HAS(lines, "\r\nRIGHT,");
	/* A disclosure and a release each, three sendings, two deletions, a right, and the headings. */
	size_t count = 0;
	for (const char *line = lines; (line = strstr(line, "\r\n")) != NULL; line += 2)
		count++;
	assert_int_equal(count, 1 + 4 + 4 + 3 + 2 + 1);
	free(lines);
	lines = written(report_text_print, &whole.message);
	HAS(lines, "STAFF: customer-desk");
	HAS(lines, "not sent");
	HAS(lines, "RETAINED");
	LACKS(lines, "\033");
	free(lines);
}

static void test_nothing_was_shared(void **state)
{
	struct whole whole = { 0 };

	(void)state;
	whole_init(&whole);
	whole.message.n_recipients = 0;
	char *page = written(print_english, &whole.message);
	HAS(page, "We have given no personal data of yours to anyone.");
	LACKS(page, "How to check");
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_what_was_sent_is_held_until_it_ends, forget),
		cmocka_unit_test_setup(test_what_was_not_sent_is_not_held, forget),
		cmocka_unit_test_setup(test_only_a_confirmation_ends_it, forget),
		cmocka_unit_test_setup(test_each_field_says_who_has_it, forget),
		cmocka_unit_test_setup(test_nothing_on_the_page_is_markup_of_others, forget),
		cmocka_unit_test_setup(test_the_page_speaks_the_clients_language, forget),
		cmocka_unit_test_setup(test_fields_of_two_sources_are_told_apart, forget),
		cmocka_unit_test_setup(test_lines_for_auditors, forget),
		cmocka_unit_test_setup(test_nothing_was_shared, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
