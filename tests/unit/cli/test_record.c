/* What the company has about a client, as the client is sent it. */
#include "cli/record_page.h"
#include "cli/record_text.h"
#include "pure/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW (INT64_C(1795000000) * TIME_SECOND) /* 2026-11-18 */

typedef Needtoknow__V1__GetSubjectRecordResponse Record;
#define ANSWER(name) NEEDTOKNOW__V1__NOTIFICATION_ANSWER__NOTIFICATION_ANSWER_##name

static char *text(const char *literal)
{
	return (char *)(uintptr_t)literal;
}

/* Two columns, one of them held; one recipient that was told. */
struct whole {
	Record message;
	Needtoknow__V1__RecordColumn column[2], *columns[2];
	Needtoknow__V1__RecipientNotification told, *notifications[1];
	Needtoknow__V1__Notice notice;
	Needtoknow__V1__Receipt receipt;
	Google__Protobuf__Timestamp now, later;
};

static void whole_init(struct whole *whole)
{
	time_to_timestamp(NOW, &whole->now);
	time_to_timestamp(NOW + 3650 * INT64_C(86400) * TIME_SECOND, &whole->later);
	needtoknow__v1__get_subject_record_response__init(&whole->message);
	for (int i = 0; i < 2; i++) {
		needtoknow__v1__record_column__init(&whole->column[i]);
		whole->columns[i] = &whole->column[i];
		whole->column[i].collected_at = &whole->now;
	}
	whole->column[0].column = text("client.given_name");
	whole->column[0].value = text("=Ninon <script>alert(1)</script>");
	whole->column[0].origin = NEEDTOKNOW__V1__ORIGIN__ORIGIN_WEBSITE;
	whole->column[1].column = text("client.invoice_identity");
	whole->column[1].is_null = true;
	whole->column[1].origin = NEEDTOKNOW__V1__ORIGIN__ORIGIN_DIRECT;
	whole->column[1].keep_until = &whole->later;
	whole->column[1].keep_because = text("Code de commerce L123-22");
	whole->column[1].held = true;
	whole->message.columns = whole->columns;
	whole->message.n_columns = 2;
	needtoknow__v1__recipient_notification__init(&whole->told);
	whole->told.kind = NEEDTOKNOW__V1__NOTIFICATION_KIND__NOTIFICATION_KIND_DELETION;
	whole->told.recipient = text("Sparkle & fils");
	whole->told.service = text("home-cleaning");
	whole->told.told_at = &whole->now;
	whole->told.answer = ANSWER(RETAINED);
	whole->told.answered_at = &whole->now;
	whole->told.until = &whole->later;
	whole->told.ground = text("L<123>");
	whole->notifications[0] = &whole->told;
	whole->message.notifications = whole->notifications;
	whole->message.n_notifications = 1;
	needtoknow__v1__notice__init(&whole->notice);
	whole->notice.version = text("2026-05");
	whole->notice.location = text("https://maison-claire.example/vie-privee");
	whole->notice.in_force_since = &whole->now;
	whole->message.notice = &whole->notice;
	needtoknow__v1__receipt__init(&whole->receipt);
	whole->receipt.recorded_at = &whole->now;
	whole->message.receipt = &whole->receipt;
	whole->message.controller = text("Maison <Claire>");
	whole->message.data_protection_officer = text("dpo@maison-claire.example");
}

/* What was written; the caller frees it. `format`: an enum language, or -1 for text and -2 for CSV. */
static char *written(int format, const Record *message)
{
	char *out = NULL;
	size_t length;
	FILE *file = open_memstream(&out, &length);

	if (format >= 0)
		record_page_print(file, (enum language)format, "C<1>", message, NULL);
	else if (format == -1)
		record_text_print(file, "C<1>", message);
	else
		record_csv_print(file, message);
	fclose(file);
	return out;
}

#define HAS(page, words) assert_non_null(strstr(page, words))
#define LACKS(page, words) assert_null(strstr(page, words))

static void test_art15_the_page_says_what_there_is(void **state)
{
	struct whole whole = { 0 };

	(void)state;
	setenv("TZ", "Europe/Paris", 1);
	whole_init(&whole);
	char *page = written(LANGUAGE_FRENCH, &whole.message);
	HAS(page, "=Ninon &lt;script&gt;");
	HAS(page, "indiquée par vous sur notre site le <time");
	HAS(page, "la fin de notre contrat");
	HAS(page, "notée par notre personnel le");
	HAS(page, "Code de commerce L123-22");
	HAS(page, "effacée pour tout autre usage");
	HAS(page, ">rien</p>");
	HAS(page, "Sparkle &amp; fils");
	HAS(page, "de l&#39;obligation de supprimer");
	HAS(page, "L&lt;123&gt;");
	HAS(page, "https://maison-claire.example/vie-privee");
	HAS(page, "Nous n&#39;avons transmis à personne");
	/* Also of whom nothing was ever shared: who answers for the data, and whom to write to. */
	HAS(page, "<dd>Maison &lt;Claire&gt;</dd>");
	HAS(page, "<dd>dpo@maison-claire.example</dd>");
	LACKS(page, "<script");
	LACKS(page, "C<1>");
	LACKS(page, "href");
	LACKS(page, "{1}");
	free(page);
	page = written(LANGUAGE_ENGLISH, &whole.message);
	HAS(page, "<html lang=\"en\">");
	HAS(page, "given by you on our website on");
	HAS(page, "keeps them until");
	LACKS(page, "{2}");
	free(page);
}

static void test_art19_the_page_says_what_each_answered(void **state)
{
	static const struct {
		Needtoknow__V1__NotificationAnswer answer;
		const char *words;
	} answers[] = {
		{ ANSWER(NONE), "none yet" },
		{ ANSWER(ACKNOWLEDGED), "received, on <time" },
		{ ANSWER(DELETED), "deleted, on <time" },
	};
	struct whole whole = { 0 };

	(void)state;
	whole_init(&whole);
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		whole.told.answer = answers[i].answer;
		char *page = written(LANGUAGE_ENGLISH, &whole.message);
		HAS(page, answers[i].words);
		LACKS(page, "keeps them until");
		free(page);
	}
	whole.told.staff = true;
	whole.told.recipient = text("");
	whole.told.told_at = NULL;
	char *page = written(LANGUAGE_ENGLISH, &whole.message);
	HAS(page, "Our own staff: home-cleaning");
	HAS(page, "not yet reached");
	free(page);
}

static void test_art20_a_line_a_column(void **state)
{
	struct whole whole = { 0 };

	(void)state;
	whole_init(&whole);
	char *table = written(-2, &whole.message);
	HAS(table, "column,value,is_null,origin,collected_at,keep_until,keep_because,held\r\n");
	HAS(table, "\"client.given_name\",\"'=Ninon <script>alert(1)</script>\",false,WEBSITE,2026-11-");
	HAS(table, "\"client.invoice_identity\",,true,DIRECT,");
	HAS(table, "\"Code de commerce L123-22\",true\r\n");
	free(table);
	char *shown = written(-1, &whole.message);
	HAS(shown, "Maison <Claire>");
	HAS(shown, "dpo@maison-claire.example");
	HAS(shown, "(none)");
	HAS(shown, "HELD for that alone");
	HAS(shown, "told of DELETION");
	free(shown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_art15_the_page_says_what_there_is),
		cmocka_unit_test(test_art19_the_page_says_what_each_answered),
		cmocka_unit_test(test_art20_a_line_a_column),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
