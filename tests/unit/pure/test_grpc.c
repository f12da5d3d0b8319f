#include "pure/grpc.h"

#include "support/check.h"

#include <google/protobuf/any.pb-c.h>
#include <google/rpc/error_details.pb-c.h>
#include <google/rpc/status.pb-c.h>
#include <openssl/evp.h>

#define TEXT(literal) literal, sizeof(literal) - 1

static void test_frames(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t length, maximum;
		enum grpc_frame_result result;
		size_t message_length;
	} cases[] = {
		{ TEXT(""), 100, GRPC_FRAME_NONE, 0 },
		{ TEXT("\0"), 100, GRPC_FRAME_NONE, 0 },
		{ TEXT("\0\0\0\0"), 100, GRPC_FRAME_NONE, 0 },
		{ TEXT("\0\0\0\0\0"), 100, GRPC_FRAME_MESSAGE, 0 },
		{ TEXT("\0\0\0\0\0"), 0, GRPC_FRAME_MESSAGE, 0 },
		{ TEXT("\0\0\0\0\2a"), 100, GRPC_FRAME_NONE, 0 },
		{ TEXT("\0\0\0\0\2ab"), 2, GRPC_FRAME_MESSAGE, 2 },
		{ TEXT("\0\0\0\0\2abcdefgh"), 2, GRPC_FRAME_MESSAGE, 2 },
		{ TEXT("\0\0\0\0\3"), 2, GRPC_FRAME_TOO_LARGE, 0 },
		{ TEXT("\0\1\2\3\4"), 0x01020303, GRPC_FRAME_TOO_LARGE, 0 },
		{ TEXT("\0\1\2\3\4"), 0x01020304, GRPC_FRAME_NONE, 0 },
		{ TEXT("\0\xff\xff\xff\xff"), SIZE_MAX, GRPC_FRAME_NONE, 0 },
		{ TEXT("\0\xff\xff\xff\xff"), 1 << 20, GRPC_FRAME_TOO_LARGE, 0 },
		{ TEXT("\1"), 100, GRPC_FRAME_COMPRESSED, 0 },
		{ TEXT("\1\0\0\0\2ab"), 100, GRPC_FRAME_COMPRESSED, 0 },
		{ TEXT("\2"), 100, GRPC_FRAME_BAD_FLAG, 0 },
		{ TEXT("\xff\0\0\0\0"), 100, GRPC_FRAME_BAD_FLAG, 0 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const uint8_t *bytes = (const uint8_t *)cases[i].bytes, *message = NULL;
		size_t length = 99, consumed = 99;
		assert_int_equal(
			grpc_frame_parse(bytes, cases[i].length, cases[i].maximum, &message, &length, &consumed),
			cases[i].result);
		if (cases[i].result == GRPC_FRAME_MESSAGE) {
			assert_ptr_equal(message, bytes + 5);
			assert_int_equal(length, cases[i].message_length);
			assert_int_equal(consumed, 5 + cases[i].message_length);
		} else {
			assert_null(message);
			assert_int_equal(length, 99);
			assert_int_equal(consumed, 99);
		}
	}
}

static void test_prefix(void **state)
{
	(void)state;
	uint8_t prefix[GRPC_PREFIX_LENGTH];
	grpc_frame_prefix(prefix, 0x01020304);
	assert_memory_equal(prefix, "\0\1\2\3\4", 5);
	grpc_frame_prefix(prefix, UINT32_MAX);
	assert_memory_equal(prefix, "\0\xff\xff\xff\xff", 5);
}

static void test_timeouts(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t microseconds; /* -1: malformed */
	} cases[] = {
		{ "1H", INT64_C(3600000000) },
		{ "2M", 120000000 },
		{ "3S", 3000000 },
		{ "4m", 4000 },
		{ "5u", 5 },
		{ "5000n", 5 },
		{ "5001n", 6 },
		{ "1n", 1 },
		{ "0S", 1 },
		{ "0n", 1 },
		{ "00000010S", 10000000 },
		{ "99999999H", INT64_C(359999996400000000) },
		{ "", -1 },
		{ "S", -1 },
		{ "1", -1 },
		{ "100000000S", -1 },
		{ "1s", -1 },
		{ "1h", -1 },
		{ "1 S", -1 },
		{ " 1S", -1 },
		{ "+1S", -1 },
		{ "-1S", -1 },
		{ "1.5S", -1 },
		{ "1SS", -1 },
		{ "1:S", -1 },
		{ "/1S", -1 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t microseconds = 77;
		int result = grpc_timeout_parse(cases[i].text, strlen(cases[i].text), &microseconds);
		assert_int_equal(result, cases[i].microseconds < 0 ? -1 : 0);
		assert_int_equal(microseconds, result < 0 ? 77 : cases[i].microseconds);
	}
	int64_t microseconds;
	assert_int_equal(grpc_timeout_parse(TEXT("1\0"), &microseconds), -1);
}

static void test_content_types(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int result;
	} cases[] = {
		{ "application/grpc", 0 },
		{ "Application/gRPC", 0 },
		{ "application/grpc+proto", 0 },
		{ "application/grpc;charset=utf-8", 0 },
		{ "application/grpc+", 0 },
		{ "", -1 },
		{ "application/grp", -1 },
		{ "application/grpc-web", -1 },
		{ "application/grpcx", -1 },
		{ "application/grpc ", -1 },
		{ "application/json", -1 },
		{ " application/grpc", -1 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(grpc_content_type_check(cases[i].text, strlen(cases[i].text)), cases[i].result);
}

static void test_messages_are_percent_encoded(void **state)
{
	(void)state;
	struct buffer out;
	buffer_init(&out, 60);
	assert_int_equal(grpc_message_encode("ready ~ 100%\r\n\x7f\x01 \xc3\xa9", &out), 0);
	static const char expected[] = "ready ~ 100%25%0D%0A%7F%01 %C3%A9";
	assert_int_equal(out.length, strlen(expected));
	assert_memory_equal(out.data, expected, out.length);

	/* All or nothing. */
	assert_int_equal(grpc_message_encode("%%%%%%%%%%", &out), -1);
	assert_int_equal(out.length, strlen(expected));
	buffer_clear(&out);
	assert_int_equal(grpc_message_encode("", &out), 0);
	assert_int_equal(out.length, 0);
	/* No field value begins or ends with a space. */
	assert_int_equal(grpc_message_encode("  a b ", &out), 0);
	assert_int_equal(out.length, strlen("%20 a b%20"));
	assert_memory_equal(out.data, "%20 a b%20", out.length);
	buffer_clear(&out);
	assert_int_equal(grpc_message_encode(" ", &out), 0);
	assert_memory_equal(out.data, "%20", 3);
	buffer_clear(&out);
	assert_int_equal(grpc_message_encode("%%%%%%%%%%%%%%%%%%%%", &out), 0);
	assert_int_equal(out.length, 60);
	buffer_release(&out);
}

/* Of base64 without padding, by OpenSSL's decoder. */
static Google__Rpc__Status *decoded(const struct buffer *text)
{
	static uint8_t padded[2048], bytes[2048];
	assert_in_range(text->length, 1, sizeof padded - 4);
	assert_null(memchr(text->data, '=', text->length));
	assert_null(memchr(text->data, '\0', text->length));
	memcpy(padded, text->data, text->length);
	size_t length = text->length;
	while (length % 4 != 0)
		padded[length++] = '=';
	assert_int_equal(EVP_DecodeBlock(bytes, padded, (int)length), length / 4 * 3);
	Google__Rpc__Status *status = google__rpc__status__unpack(NULL, text->length * 3 / 4, bytes);
	assert_non_null(status);
	return status;
}

static void test_details(void **state)
{
	(void)state;
	/* Values of each length, so that the base64 ends in each of its three ways. */
	static const char *const values[] = { "", "a", "ab", "abc", "Zo\xc3\xab" };
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		const struct status status = {
			.code = GRPC_FAILED_PRECONDITION,
			.message = "the subject objected",
			.reason = "OBJECTED",
			.metadata = { { "ledger_index", "17" }, { "field", values[i] } },
		};
		struct buffer out;
		buffer_init(&out, 1000);
		assert_int_equal(grpc_status_details(&status, &out), 0);
		Google__Rpc__Status *message = decoded(&out);
		assert_int_equal(message->code, 9);
		assert_string_equal(message->message, "the subject objected");
		assert_int_equal(message->n_details, 1);
		assert_string_equal(message->details[0]->type_url, "type.googleapis.com/google.rpc.ErrorInfo");
		Google__Rpc__ErrorInfo *info = google__rpc__error_info__unpack(
			NULL, message->details[0]->value.len, message->details[0]->value.data);
		assert_non_null(info);
		assert_string_equal(info->reason, "OBJECTED");
		assert_string_equal(info->domain, "needtoknow");
		assert_int_equal(info->n_metadata, 2);
		assert_string_equal(info->metadata[0]->key, "ledger_index");
		assert_string_equal(info->metadata[0]->value, "17");
		assert_string_equal(info->metadata[1]->key, "field");
		assert_string_equal(info->metadata[1]->value, values[i]);
		google__rpc__error_info__free_unpacked(info, NULL);
		google__rpc__status__free_unpacked(message, NULL);
		buffer_release(&out);
	}
}

static void test_details_at_their_most_and_least(void **state)
{
	(void)state;
	struct buffer out;
	buffer_init(&out, 1000);
	const struct status full = {
		.code = GRPC_NOT_FOUND,
		.reason = "UNKNOWN_SUBJECT",
		.metadata = { { "a", "1" }, { "b", "2" }, { "c", "3" }, { "d", "4" } },
	};
	assert_int_equal(grpc_status_details(&full, &out), 0);
	Google__Rpc__Status *message = decoded(&out);
	assert_string_equal(message->message, "");
	Google__Rpc__ErrorInfo *info =
		google__rpc__error_info__unpack(NULL, message->details[0]->value.len, message->details[0]->value.data);
	assert_int_equal(info->n_metadata, STATUS_METADATA_MAX);
	assert_string_equal(info->metadata[3]->value, "4");
	google__rpc__error_info__free_unpacked(info, NULL);
	google__rpc__status__free_unpacked(message, NULL);

	const struct status bare = { .code = GRPC_INTERNAL, .message = "no" };
	buffer_clear(&out);
	assert_int_equal(grpc_status_details(&bare, &out), 0);
	message = decoded(&out);
	assert_int_equal(message->code, 13);
	assert_int_equal(message->n_details, 0);
	google__rpc__status__free_unpacked(message, NULL);
	buffer_release(&out);

	buffer_init(&out, 50);
	assert_int_equal(grpc_status_details(&full, &out), -1);
	assert_int_equal(out.length, 0);
	buffer_release(&out);
}

static void test_code_names(void **state)
{
	(void)state;
	static const char *const names[] = { "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED",
		"NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
		"ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED" };
	for (int code = 0; code <= 16; code++)
		assert_string_equal(grpc_code_name(code), names[code]);
	assert_string_equal(grpc_code_name(17), "UNKNOWN");
	assert_string_equal(grpc_code_name(-1), "UNKNOWN");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_content_types),
		cmocka_unit_test(test_messages_are_percent_encoded),
		cmocka_unit_test(test_details),
		cmocka_unit_test(test_details_at_their_most_and_least),
		cmocka_unit_test(test_code_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
