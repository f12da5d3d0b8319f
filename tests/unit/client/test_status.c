/* What an answer's status carries, from the header's text. */
#include "client/status.h"

#include <google/rpc/error_details.pb-c.h>
#include <google/rpc/status.pb-c.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_code(void **state)
{
	static const struct {
		const char *text;
		int code;
	} rows[] = { { "0", 0 }, { "5", 5 }, { "16", 16 }, { "17", 2 }, { "99", 2 }, { "", 2 }, { "-1", 2 },
		{ "1a", 2 }, { " 1", 2 }, { "000", 2 } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(client_status_code(rows[i].text, strlen(rows[i].text)), rows[i].code);
}

static void test_message(void **state)
{
	static const struct {
		const char *header, *message;
	} rows[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "a%20b%25", "a b%" },
		{ "caf%C3%A9 %c3%a9", "café é" },
		{ "100%", "100%" }, /* malformed escapes stay as they stand */
		{ "%4", "%4" },
		{ "%zz%41", "%zzA" },
		{ "%FFx", "?x" }, /* not UTF-8 */
		{ "a%00b", "a?b" },
	};
	struct needtoknow_status status;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		client_status_clear(&status);
		client_status_message(&status, rows[i].header, strlen(rows[i].header));
		assert_string_equal(status.message, rows[i].message);
	}
}

static void test_long_message_is_cut_at_a_character(void **state)
{
	struct needtoknow_status status;
	char header[3000];

	(void)state;
	for (size_t i = 0; i + 1 < sizeof header; i += 2)
		memcpy(header + i, "é", 2);
	client_status_clear(&status);
	client_status_message(&status, header, 2999 - 1);
	assert_int_equal(strlen(status.message), 1022);
	assert_memory_equal(status.message + 1020, "é", 2);
}

/* google.rpc.Status with one ErrorInfo, as base64. */
static size_t details(char *out, size_t size, const char *type, const char *reason, size_t entries, const char *value)
{
	Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
	Google__Rpc__ErrorInfo__MetadataEntry entry = GOOGLE__RPC__ERROR_INFO__METADATA_ENTRY__INIT;
	Google__Rpc__ErrorInfo__MetadataEntry *list[8] = { &entry, &entry, &entry, &entry, &entry, &entry, &entry,
		&entry };
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Google__Protobuf__Any *anys[] = { &any };
	Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
	uint8_t packed[2048], outer[4096];

	entry.key = (char *)(uintptr_t) "field";
	entry.value = (char *)(uintptr_t)value;
	info.reason = (char *)(uintptr_t)reason;
	info.n_metadata = entries;
	info.metadata = list;
	any.type_url = (char *)(uintptr_t)type;
	any.value.len = google__rpc__error_info__pack(&info, packed);
	any.value.data = packed;
	status.n_details = 1;
	status.details = anys;
	size_t length = google__rpc__status__pack(&status, outer);
	assert_true(length * 4 / 3 + 4 < size);
	return (size_t)EVP_EncodeBlock((unsigned char *)out, outer, (int)length);
}

static void test_details(void **state)
{
	struct needtoknow_status status;
	char text[4096];
	size_t length = details(
		text, sizeof text, "type.googleapis.com/google.rpc.ErrorInfo", "BAD_IDENTIFIER", 1, "booking_id");

	(void)state;
	/* With padding and without; whatever code and message say stays. */
	for (int padded = 0; padded < 2; padded++) {
		client_status_set(&status, 3, NULL, "what it said");
		while (!padded && text[length - 1] == '=')
			length--;
		client_status_details(&status, text, length);
		assert_string_equal(status.reason, "BAD_IDENTIFIER");
		assert_string_equal(needtoknow_status_metadata(&status, "field"), "booking_id");
		assert_string_equal(status.message, "what it said");
		assert_int_equal(status.code, 3);
	}
}

static void test_details_have_limits(void **state)
{
	struct needtoknow_status status;
	char text[4096], value[301];

	(void)state;
	memset(value, 'v', 300);
	value[300] = '\0';
	size_t length = details(text, sizeof text, "a/google.rpc.ErrorInfo", "R", 6, value);
	client_status_clear(&status);
	client_status_details(&status, text, length);
	assert_int_equal(status.metadata_count, NEEDTOKNOW_METADATA_MAX);
	assert_int_equal(strlen(status.metadata[3].value), sizeof status.metadata[3].value - 1);
	/* Another type of detail is none of ours. */
	length = details(text, sizeof text, "type.googleapis.com/google.rpc.QuotaFailure", "R", 0, "");
	client_status_clear(&status);
	client_status_details(&status, text, length);
	assert_string_equal(status.reason, "");
}

static void test_malformed_details_are_left_out(void **state)
{
	static const char *const texts[] = { "", "=", "A", "!!!!", "AAAA", "//////////8", "Zm9v", "CAMSA" };
	struct needtoknow_status status;
	char text[4096];

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		client_status_clear(&status);
		client_status_details(&status, texts[i], strlen(texts[i]));
		assert_string_equal(status.reason, "");
	}
	/* Cut anywhere, it is a shorter message or none, never anything else. */
	size_t length = details(text, sizeof text, "a/google.rpc.ErrorInfo", "REASON", 1, "v");
	for (size_t cut = 0; cut < length - 4; cut++) {
		client_status_clear(&status);
		client_status_details(&status, text, cut);
		assert_string_equal(status.reason, "");
	}
}

static void test_transient(void **state)
{
	struct needtoknow_status status;

	(void)state;
	client_status_set(&status, NEEDTOKNOW_UNAVAILABLE, "DATABASE_UNAVAILABLE", "x");
	assert_true(needtoknow_status_transient(&status));
	client_status_set(&status, NEEDTOKNOW_INTERNAL, NULL, "x");
	assert_true(needtoknow_status_transient(&status));
	client_status_set(&status, NEEDTOKNOW_INTERNAL, NEEDTOKNOW_REASON_BAD_ANSWER, "x");
	assert_false(needtoknow_status_transient(&status));
	client_status_set(&status, NEEDTOKNOW_PERMISSION_DENIED, "ROLE_NOT_ALLOWED", "x");
	assert_false(needtoknow_status_transient(&status));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_code),
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_long_message_is_cut_at_a_character),
		cmocka_unit_test(test_details),
		cmocka_unit_test(test_details_have_limits),
		cmocka_unit_test(test_malformed_details_are_left_out),
		cmocka_unit_test(test_transient),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
