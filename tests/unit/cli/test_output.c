/* Times as people type them, and what is printed. */
#include "cli/failure.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/when.h"
#include "cli/words.h"
#include "pure/time.h"

#include <needtoknow/v1/audit.pb-c.h>
#include <needtoknow/v1/sharing.pb-c.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_times(void **state)
{
	const int64_t now = INT64_C(1700000000) * TIME_SECOND;
	static const struct {
		const char *text;
		int64_t seconds; /* after now */
	} good[] = { { "now", 0 }, { "+2h", 7200 }, { "-30s", -30 }, { "now+1d", 86400 }, { "now-90m", -5400 },
		{ "+1y", 31536000 }, { "2023-11-14T22:13:21Z", 1 }, { "2023-11-14T23:13:20+01:00", 0 } };
	static const char *const bad[] = { "", "tomorrow", "nowish", "now 2h", "+", "+2", "+2w", "2h", "+-2h", "+2H",
		"+ 2h", "2023-11-14", "2023-11-14T22:13:21", "+2h30m" };
	int64_t time = 42;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		assert_int_equal(when_parse(good[i].text, now, &time), 0);
		assert_int_equal(time, now + good[i].seconds * TIME_SECOND);
	}
	time = 42;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(when_parse(bad[i], now, &time), -1);
	assert_int_equal(time, 42);
}

static void expect_text(const char *text, const char *shown)
{
	char *out = NULL;
	size_t length;
	FILE *file = open_memstream(&out, &length);

	output_text(file, text);
	fclose(file);
	assert_string_equal(out, shown);
	free(out);
}

static void test_text_is_harmless(void **state)
{
	(void)state;
	expect_text("Ménage à domicile, 12 €", "Ménage à domicile, 12 €");
	expect_text("a\nb\tc", "a\\nb\\x09c");
	expect_text("\033[2J\x7F", "\\x1B[2J\\x7F");
	expect_text("\xC2\x9B", "\\xC2\\x9B"); /* C1: CSI in one character */
	expect_text("x\xE2\x80\xAEy", "x\\xE2\\x80\\xAEy"); /* right-to-left override */
	expect_text("\xE2\x81\xA6z", "\\xE2\\x81\\xA6z"); /* isolate */
	expect_text("\xE2\x82\xAC", "\xE2\x82\xAC");
}

static void test_enums(void **state)
{
	const ProtobufCEnumDescriptor *type = &needtoknow__v1__entry_kind__descriptor;
	int kind = 0;

	(void)state;
	assert_string_equal(
		output_enum(type, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_DELETION_CONFIRMED), "DELETION_CONFIRMED");
	assert_string_equal(output_enum(type, 12345), "?");
	assert_int_equal(output_enum_parse(type, "delivered", 9, &kind), 0);
	assert_int_equal(kind, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_DELIVERED);
	assert_int_equal(output_enum_parse(type, "DELIVER", 7, &kind), -1);
	assert_int_equal(output_enum_parse(type, "", 0, &kind), -1);
}

static void test_json(void **state)
{
	Needtoknow__V1__Entry entry = NEEDTOKNOW__V1__ENTRY__INIT;
	Needtoknow__V1__LedgerEntry body = NEEDTOKNOW__V1__LEDGER_ENTRY__INIT;
	Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	uint8_t hash[] = { 0x00, 0xAB, 0xFF };
	char *fields[] = { (char *)(uintptr_t) "client.door_code", (char *)(uintptr_t) "booking.tasks" };

	(void)state;
	time.seconds = 1700000000;
	time.nanos = 250000000;
	entry.index = 1234567890123;
	entry.leaf_hash = (ProtobufCBinaryData){ sizeof hash, hash };
	entry.entry = &body;
	body.kind = NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_DELIVERED;
	body.recorded_at = &time;
	body.fields = fields;
	body.n_fields = 2;
	body.reason = (Needtoknow__V1__Reason)999;
	json_t *object = output_json(&entry.base);
	char *text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	static const char start[] =
		"{\"index\":1234567890123,\"leaf_hash\":\"00abff\",\"body\":\"\",\"entry\":{\"kind\":\"DELIVERED\","
		"\"recorded_at\":\"2023-11-14T22:13:20.250Z\",";
	assert_memory_equal(text, start, sizeof start - 1);
	assert_non_null(strstr(text, "\"fields\":[\"client.door_code\",\"booking.tasks\"]"));
	assert_non_null(strstr(text, "\"expires_at\":null"));
	assert_non_null(strstr(text, "\"reason\":999"));
	free(text);

	/* Of a oneof, what is set; nothing when nothing is. */
	Needtoknow__V1__RevokeRequest revoke = NEEDTOKNOW__V1__REVOKE_REQUEST__INIT;
	object = output_json(&revoke.base);
	assert_null(json_object_get(object, "booking_id"));
	json_decref(object);
	revoke.target_case = NEEDTOKNOW__V1__REVOKE_REQUEST__TARGET_BOOKING_ID;
	revoke.booking_id = (char *)(uintptr_t) "B1";
	object = output_json(&revoke.base);
	assert_string_equal(json_string_value(json_object_get(object, "booking_id")), "B1");
	assert_null(json_object_get(object, "disclosure_id"));
	json_decref(object);
}

static void test_table(void **state)
{
	static const char *const headings[] = { "NAME", "N" };
	struct table *table = table_new(headings, 2);
	char *out = NULL;
	size_t length;
	FILE *file = open_memstream(&out, &length);

	(void)state;
	table_cell(table, "Ménage");
	table_cellf(table, "%d", 7);
	table_cell(table, "");
	table_cell(table, "a\nb");
	assert_int_equal(table_rows(table), 2);
	table_print(table, file);
	table_print(table, file);
	fflush(file);
	assert_string_equal(out, "NAME    N\nMénage  7\n-       a\\nb\n");

	/* A list that goes on: no second headings, and no narrower columns. */
	assert_int_equal(table_rows(table), 0);
	table_cell(table, "x");
	table_cell(table, "8");
	table_print(table, file);
	table_free(table);
	fclose(file);
	assert_string_equal(out, "NAME    N\nMénage  7\n-       a\\nb\nx       8\n");
	free(out);
}

static void test_words(void **state)
{
	struct words words;

	(void)state;
	words_split(&words, "a,bc,,d,");
	assert_int_equal(words.count, 3);
	assert_string_equal(words.items[1], "bc");
	assert_string_equal(words.items[2], "d");
	words_release(&words);
	words_split(&words, "");
	assert_int_equal(words.count, 0);
	words_release(&words);
}

static void test_exit_codes(void **state)
{
	static const struct {
		int code;
		const char *reason;
		enum exit_code expected;
	} rows[] = {
		{ 0, "", EXIT_OK },
		{ 9, "CONSENT_MISSING", EXIT_REFUSED },
		{ 7, "AGREEMENT_NOT_IN_FORCE", EXIT_REFUSED },
		{ 7, "RECIPIENT_SUSPENDED", EXIT_REFUSED },
		{ 3, "UNKNOWN_SERVICE", EXIT_REFUSED },
		{ 5, "UNKNOWN_BOOKING", EXIT_REFUSED },
		{ 6, "REQUEST_ID_REUSED", EXIT_FAILED },
		{ 7, "ROLE_NOT_ALLOWED", EXIT_NOT_PERMITTED },
		{ 7, "", EXIT_NOT_PERMITTED },
		{ 16, "CLIENT_NOT_TRUSTED", EXIT_NOT_PERMITTED },
		{ 14, "DATABASE_UNAVAILABLE", EXIT_UNAVAILABLE },
		{ 14, "CONNECTION_FAILED", EXIT_UNAVAILABLE },
		{ 14, "", EXIT_UNAVAILABLE },
		{ 4, "", EXIT_UNAVAILABLE },
		{ 3, "BAD_CREDENTIALS", EXIT_USAGE },
		{ 3, "BAD_IDENTIFIER", EXIT_USAGE },
		{ 5, "", EXIT_FAILED },
		{ 13, "BAD_ANSWER", EXIT_FAILED },
		{ 9, "EXPIRED", EXIT_FAILED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct needtoknow_status status = { .code = rows[i].code };
		snprintf(status.reason, sizeof status.reason, "%s", rows[i].reason);
		assert_int_equal(failure_code(&status), rows[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_text_is_harmless),
		cmocka_unit_test(test_enums),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_exit_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
