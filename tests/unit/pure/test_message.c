#include "pure/message.h"

#include "base/buffer.h"
#include "support/check.h"

#include <google/protobuf/timestamp.pb-c.h>
#include <needtoknow/v1/audit.pb-c.h>
#include <needtoknow/v1/sharing.pb-c.h>

#define SHARE_REQUEST (&needtoknow__v1__share_request__descriptor)
#define REVOKE_REQUEST (&needtoknow__v1__revoke_request__descriptor)
#define LIST_ENTRIES_REQUEST (&needtoknow__v1__list_entries_request__descriptor)
#define LIST_ENTRIES_RESPONSE (&needtoknow__v1__list_entries_response__descriptor)

/* A message with a field of every kind that the contract does not use, and one that contains itself. */
struct sample {
	ProtobufCMessage base;
	uint32_t fixed;
	double number;
	size_t n_packed;
	uint32_t *packed;
	size_t n_wide;
	uint64_t *wide;
	struct sample *inner;
	char *name;
};

#define FIELD(text, number, kind, its_type, quantifier, member, descriptor)                                            \
	{                                                                                                              \
		text, number, PROTOBUF_C_LABEL_##kind, PROTOBUF_C_TYPE_##its_type, quantifier,                         \
			offsetof(struct sample, member), descriptor, NULL, 0, 0, NULL, NULL                            \
	}

static const ProtobufCMessageDescriptor sample_descriptor;
static const ProtobufCFieldDescriptor sample_fields[] = {
	FIELD("fixed", 1, NONE, FIXED32, 0, fixed, NULL),
	FIELD("number", 2, NONE, DOUBLE, 0, number, NULL),
	FIELD("packed", 3, REPEATED, UINT32, offsetof(struct sample, n_packed), packed, NULL),
	FIELD("wide", 4, REPEATED, FIXED64, offsetof(struct sample, n_wide), wide, NULL),
	FIELD("inner", 5, NONE, MESSAGE, 0, inner, &sample_descriptor),
	FIELD("name", 6, NONE, STRING, 0, name, NULL),
};
static const unsigned sample_by_name[] = { 0, 4, 5, 1, 2, 3 };
static const ProtobufCIntRange sample_ranges[] = { { 1, 0 }, { 0, 6 } };
static const ProtobufCMessageDescriptor sample_descriptor = {
	.magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
	.name = "Sample",
	.short_name = "Sample",
	.c_name = "Sample",
	.package_name = "",
	.sizeof_message = sizeof(struct sample),
	.n_fields = 6,
	.fields = sample_fields,
	.fields_sorted_by_name = sample_by_name,
	.n_field_ranges = 1,
	.field_ranges = sample_ranges,
};

static struct arena *arena;

static int arena_setup(void **state)
{
	(void)state;
	arena = arena_new(1 << 20);
	return 0;
}

static int arena_teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static enum message_result unpack_hex(
	const ProtobufCMessageDescriptor *type, const char *hex, void *out, const char **field)
{
	/* In a block of its own length, so that the sanitizer sees a byte read too far. */
	size_t length = strlen(hex) / 2;
	uint8_t *bytes = malloc(length > 0 ? length : 1);
	from_hex(hex, bytes);
	ProtobufCMessage *message = NULL;
	enum message_result result = message_unpack(type, bytes, length, arena, &message, field);
	free(bytes);
	assert_int_equal(result == MESSAGE_OK, message != NULL);
	if (out != NULL)
		memcpy(out, &message, sizeof message);
	return result;
}

static void test_unpacks(void **state)
{
	(void)state;
	Needtoknow__V1__ShareRequest request = NEEDTOKNOW__V1__SHARE_REQUEST__INIT;
	request.request_id = "r-1";
	request.subject_id = "Zo\xc3\xab";
	Google__Protobuf__Timestamp starts_at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	starts_at.seconds = -5;
	request.starts_at = &starts_at;
	uint8_t bytes[200];
	size_t length = needtoknow__v1__share_request__pack(&request, bytes);

	ProtobufCMessage *message;
	const char *field = "untouched";
	assert_int_equal(message_unpack(SHARE_REQUEST, bytes, length, arena, &message, &field), MESSAGE_OK);
	const Needtoknow__V1__ShareRequest *unpacked = (const Needtoknow__V1__ShareRequest *)message;
	assert_string_equal(unpacked->request_id, "r-1");
	assert_string_equal(unpacked->subject_id, "Zo\xc3\xab");
	assert_string_equal(unpacked->booking_id, "");
	assert_int_equal(unpacked->starts_at->seconds, -5);
	assert_null(unpacked->ends_at);
	assert_string_equal(field, "untouched");
}

static void test_empty_is_a_message(void **state)
{
	(void)state;
	ProtobufCMessage *message;
	const char *field;
	assert_int_equal(message_unpack(SHARE_REQUEST, NULL, 0, arena, &message, &field), MESSAGE_OK);
	assert_string_equal(((Needtoknow__V1__ShareRequest *)message)->request_id, "");
}

static void test_every_kind_of_field(void **state)
{
	(void)state;
	struct sample *sample;
	const char *field;
	assert_int_equal(unpack_hex(&sample_descriptor,
				 "0d01020304"
				 "11000000000000f03f"
				 "1807"
				 "1a03080980"
				 "01"
				 "210100000000000000"
				 "221002000000000000000300000000000000"
				 "2a053203616263"
				 "00",
				 &sample, &field),
		MESSAGE_MALFORMED); /* the packed value ends inside of a number */
	assert_int_equal(unpack_hex(&sample_descriptor,
				 "0d01020304"
				 "11000000000000f03f"
				 "1807"
				 "1a0408098001"
				 "210100000000000000"
				 "221002000000000000000300000000000000"
				 "2a053203616263",
				 &sample, &field),
		MESSAGE_OK);
	assert_int_equal(sample->fixed, 0x04030201);
	assert_true(sample->number > 0.999 && sample->number < 1.001);
	assert_int_equal(sample->n_packed, 4);
	static const uint32_t packed[] = { 7, 8, 9, 128 };
	assert_memory_equal(sample->packed, packed, sizeof packed);
	assert_int_equal(sample->n_wide, 3);
	assert_int_equal(sample->wide[2], 3);
	assert_string_equal(sample->inner->name, "abc");
}

static void test_unknown_fields_are_let_through(void **state)
{
	(void)state;
	Needtoknow__V1__ShareRequest *request;
	const char *field;
	/* Of each wire type, around a request_id; their bytes need be no text. */
	assert_int_equal(unpack_hex(SHARE_REQUEST,
				 "f80101"
				 "f901ffffffffffffffff"
				 "0a0161"
				 "fa0102ff00"
				 "fd01ffffffff",
				 &request, &field),
		MESSAGE_OK);
	assert_string_equal(request->request_id, "a");
}

static void test_malformed(void **state)
{
	(void)state;
	static const struct {
		const ProtobufCMessageDescriptor *type;
		const char *hex, *why;
	} cases[] = {
		{ SHARE_REQUEST, "0001", "field number 0" },
		{ SHARE_REQUEST, "0200", "field number 0 with a length" },
		{ SHARE_REQUEST, "80", "a tag cut short" },
		{ SHARE_REQUEST, "0a", "no length" },
		{ SHARE_REQUEST, "0a80", "a length cut short" },
		{ SHARE_REQUEST, "0a05616263", "fewer bytes than announced" },
		{ SHARE_REQUEST, "0affffffff0f", "four gigabytes announced" },
		{ SHARE_REQUEST, "0affffffffffffffffff01", "all bytes there are announced" },
		{ SHARE_REQUEST, "0affffffffffffffffffff01", "a length of eleven bytes" },
		{ SHARE_REQUEST, "0b0c", "a group" },
		{ SHARE_REQUEST, "0c", "the end of a group" },
		{ SHARE_REQUEST, "0e", "wire type 6" },
		{ SHARE_REQUEST, "0f", "wire type 7" },
		{ SHARE_REQUEST, "fb01fc01", "an unknown group" },
		{ SHARE_REQUEST, "0801", "a number where a string is" },
		{ SHARE_REQUEST, "090000000000000000", "64 bits where a string is" },
		{ SHARE_REQUEST, "0d00000000", "32 bits where a string is" },
		{ SHARE_REQUEST, "3001", "a number where a message is" },
		{ SHARE_REQUEST, "3202ff01", "not a message inside" },
		{ SHARE_REQUEST,
			"3201"
			"08",
			"a message inside cut short" },
		{ SHARE_REQUEST, "320208", "a message that announces too much" },
		{ SHARE_REQUEST, "f801ffffffffffffffffffff01", "a varint of eleven bytes" },
		{ SHARE_REQUEST, "f901ffffffffffffff", "64 bits cut short" },
		{ SHARE_REQUEST, "fd01ffffff", "32 bits cut short" },
		{ SHARE_REQUEST,
			"8a80808010"
			"01ff",
			"a tag beyond 32 bits whose lower ones are a string's" },
		{ SHARE_REQUEST,
			"8a8080808010"
			"00",
			"a tag beyond 32 bits" },
		{ LIST_ENTRIES_REQUEST, "1200", "a length where a boolean is" },
		{ LIST_ENTRIES_REQUEST, "1500000000", "32 bits where a boolean is" },
		{ LIST_ENTRIES_REQUEST,
			"0a02"
			"4280",
			"a packed enum cut short, in a message that is" },
		{ LIST_ENTRIES_REQUEST,
			"0a03"
			"420180",
			"a packed enum that ends inside of a number" },
		{ LIST_ENTRIES_REQUEST,
			"0a05"
			"4500000000",
			"32 bits where an enum is" },
		{ &sample_descriptor, "0801", "a varint where 32 bits are" },
		{ &sample_descriptor, "1001", "a varint where 64 bits are" },
		{ &sample_descriptor, "0a0400000000", "packed where one is" },
		{ &sample_descriptor,
			"2207"
			"00000000000000",
			"packed 64 bits cut short" },
		{ &sample_descriptor,
			"1a01"
			"80",
			"packed varint cut short" },
		{ &sample_descriptor, "1d00000000", "32 bits where varints are" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *field = "untouched";
		if (unpack_hex(cases[i].type, cases[i].hex, NULL, &field) != MESSAGE_MALFORMED)
			fail_msg("taken: %s", cases[i].why);
		assert_string_equal(field, "untouched");
	}
}

static void test_bad_text_is_named(void **state)
{
	(void)state;
	static const struct {
		const ProtobufCMessageDescriptor *type;
		const char *hex, *field;
	} cases[] = {
		{ SHARE_REQUEST, "0a03610062", "request_id" }, /* a NUL inside */
		{ SHARE_REQUEST, "0a0100", "request_id" }, /* a NUL alone */
		{ SHARE_REQUEST,
			"0a0161"
			"1201ff",
			"booking_id" }, /* not UTF-8 */
		{ SHARE_REQUEST, "1a02c080", "subject_id" }, /* an overlong NUL */
		{ SHARE_REQUEST,
			"0a01ff"
			"0a0161",
			"request_id" }, /* a later one would replace it */
		{ REVOKE_REQUEST, "1201ff", "disclosure_id" }, /* in a oneof */
		{ LIST_ENTRIES_REQUEST,
			"0a03"
			"1201ff",
			"filter.recipient_id" },
		{ LIST_ENTRIES_RESPONSE,
			"0a00"
			"0a07"
			"2205"
			"62036100"
			"62",
			"entries.entry.fields" },
		{ &sample_descriptor,
			"2a05"
			"2a03"
			"3201ff",
			"inner.inner.name" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *field = NULL;
		assert_int_equal(unpack_hex(cases[i].type, cases[i].hex, NULL, &field), MESSAGE_BAD_TEXT);
		assert_string_equal(field, cases[i].field);
	}
	/* Bytes are no text. */
	const char *field;
	assert_int_equal(unpack_hex(LIST_ENTRIES_RESPONSE,
				 "0a04"
				 "1202ff00",
				 NULL, &field),
		MESSAGE_OK);
}

/* protobuf-c merges what comes twice; nothing of it may be lost or read wrongly. */
static void test_repeats_are_merged(void **state)
{
	(void)state;
	Needtoknow__V1__ListEntriesRequest *request;
	const char *field;
	assert_int_equal(unpack_hex(LIST_ENTRIES_REQUEST,
				 "0a05"
				 "0a0161"
				 "4001"
				 "0a07"
				 "120162"
				 "42020203",
				 &request, &field),
		MESSAGE_OK);
	assert_string_equal(request->filter->subject_id, "a");
	assert_string_equal(request->filter->recipient_id, "b");
	assert_int_equal(request->filter->n_kinds, 3);
	assert_int_equal(request->filter->kinds[0], 1);
	assert_int_equal(request->filter->kinds[2], 3);

	Needtoknow__V1__RevokeRequest *revoke;
	assert_int_equal(unpack_hex(REVOKE_REQUEST,
				 "120161"
				 "1a0162"
				 "120163",
				 &revoke, &field),
		MESSAGE_OK);
	assert_int_equal(revoke->target_case, NEEDTOKNOW__V1__REVOKE_REQUEST__TARGET_DISCLOSURE_ID);
	assert_string_equal(revoke->disclosure_id, "c");
}

/* `depth` messages, each in the one before. */
static enum message_result unpack_nested(size_t depth)
{
	struct buffer bytes;
	buffer_init(&bytes, 1 << 20);
	for (size_t i = 0; i < depth; i++) {
		/* From the inside out: each is put in front of what is there. */
		struct buffer outer;
		buffer_init(&outer, 1 << 20);
		buffer_append_u8(&outer, 0x2a);
		for (size_t length = bytes.length;; length >>= 7) {
			buffer_append_u8(&outer, (uint8_t)((length & 0x7f) | (length > 0x7f ? 0x80 : 0)));
			if (length <= 0x7f)
				break;
		}
		if (bytes.length > 0)
			buffer_append(&outer, bytes.data, bytes.length);
		buffer_release(&bytes);
		bytes = outer;
	}
	ProtobufCMessage *message;
	const char *field;
	enum message_result result =
		message_unpack(&sample_descriptor, bytes.data, bytes.length, arena, &message, &field);
	buffer_release(&bytes);
	return result;
}

static void test_depth_is_bounded(void **state)
{
	(void)state;
	assert_int_equal(unpack_nested(32), MESSAGE_OK);
	assert_int_equal(unpack_nested(33), MESSAGE_MALFORMED);
	assert_int_equal(unpack_nested(10000), MESSAGE_MALFORMED);
}

static void test_memory_is_bounded(void **state)
{
	(void)state;
	/* Half a million empty messages in a megabyte: each would be a hundred bytes unpacked. */
	enum {
		LENGTH = 1 << 20
	};
	uint8_t *bytes = malloc(LENGTH);
	for (size_t i = 0; i < LENGTH; i += 2) {
		bytes[i] = 0x0a;
		bytes[i + 1] = 0x00;
	}
	struct arena *small = arena_new(4 << 20);
	ProtobufCMessage *message;
	const char *field = "untouched";
	assert_int_equal(
		message_unpack(LIST_ENTRIES_RESPONSE, bytes, LENGTH, small, &message, &field), MESSAGE_TOO_LARGE);
	arena_free(small);
	free(bytes);

	/* Every allocation refused in its turn. */
	static const uint8_t request[] = { 0x0a, 0x07, 0x0a, 0x01, 'a', 0x42, 0x02, 1, 2, 0xf8, 0x01, 0x01 };
	bool done = false;
	for (size_t maximum = 0; !done; maximum += 16) {
		small = arena_new(maximum);
		enum message_result result =
			message_unpack(LIST_ENTRIES_REQUEST, request, sizeof request, small, &message, &field);
		assert_true(result == MESSAGE_OK || result == MESSAGE_TOO_LARGE);
		done = result == MESSAGE_OK;
		assert_true(maximum < 10000);
		arena_free(small);
	}
	/* Also those of the name of a field: `filter`, then `filter.recipient_id`. */
	static const uint8_t nested[] = { 0x0a, 0x03, 0x12, 0x01, 0xff };
	for (size_t maximum = 0; maximum <= 48; maximum += 16) {
		assert_string_equal(field, "untouched");
		small = arena_new(maximum);
		enum message_result result =
			message_unpack(LIST_ENTRIES_REQUEST, nested, sizeof nested, small, &message, &field);
		assert_int_equal(result, maximum < 48 ? MESSAGE_TOO_LARGE : MESSAGE_BAD_TEXT);
		arena_free(small);
	}
}

#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, arena_setup, arena_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ARENA(test_unpacks),
		WITH_ARENA(test_empty_is_a_message),
		WITH_ARENA(test_every_kind_of_field),
		WITH_ARENA(test_unknown_fields_are_let_through),
		WITH_ARENA(test_malformed),
		WITH_ARENA(test_bad_text_is_named),
		WITH_ARENA(test_repeats_are_merged),
		WITH_ARENA(test_depth_is_bounded),
		WITH_ARENA(test_memory_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
