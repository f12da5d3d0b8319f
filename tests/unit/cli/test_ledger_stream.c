#include "cli/ledger_stream.h"

#include "support/check.h"

#include <needtoknow/v1/audit.pb-c.h>

static size_t pack(uint64_t index, size_t leaf_length, const char *body, uint8_t out[128])
{
	Needtoknow__V1__Entry entry = NEEDTOKNOW__V1__ENTRY__INIT;
	uint8_t leaf[40] = { 7 };
	entry.index = index;
	entry.leaf_hash = (ProtobufCBinaryData){ leaf_length, leaf };
	entry.body = (ProtobufCBinaryData){ strlen(body), (uint8_t *)(uintptr_t)body };
	return needtoknow__v1__entry__pack(&entry, out);
}

static void test_an_entry_is_read_where_it_stands(void **state)
{
	(void)state;
	uint8_t bytes[128];
	struct ledger_stream_entry entry;
	size_t length = pack(300, 32, "body", bytes);

	assert_int_equal(ledger_stream_parse(bytes, length, &entry), 0);
	assert_int_equal(entry.index, 300);
	assert_non_null(entry.leaf_hash);
	assert_int_equal(entry.leaf_hash[0], 7);
	assert_int_equal(entry.length, 4);
	assert_memory_equal(entry.body, "body", 4);
}

static void test_a_body_that_is_gone_is_none(void **state)
{
	(void)state;
	uint8_t bytes[128];
	struct ledger_stream_entry entry;

	assert_int_equal(ledger_stream_parse(bytes, pack(0, 32, "", bytes), &entry), 0);
	assert_int_equal(entry.index, 0);
	assert_null(entry.body);
	assert_int_equal(entry.length, 0);
	assert_non_null(entry.leaf_hash);
}

static void test_a_leaf_hash_of_another_length_is_none(void **state)
{
	(void)state;
	uint8_t bytes[128];
	struct ledger_stream_entry entry;

	assert_int_equal(ledger_stream_parse(bytes, pack(1, 31, "body", bytes), &entry), 0);
	assert_null(entry.leaf_hash);
	assert_int_equal(ledger_stream_parse(bytes, pack(1, 33, "body", bytes), &entry), 0);
	assert_null(entry.leaf_hash);
}

static void test_every_cut_is_refused_or_another_entry(void **state)
{
	(void)state;
	uint8_t bytes[128];
	struct ledger_stream_entry entry;
	size_t length = pack(300, 32, "body", bytes);

	for (size_t cut = 0; cut < length; cut++) {
		/* On the heap, where a reading beyond the end is seen. */
		uint8_t *exact = malloc(cut + 1);
		memcpy(exact, bytes, cut);
		if (ledger_stream_parse(exact, cut, &entry) == 0)
			assert_true(entry.body == NULL || entry.length < 4);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_entry_is_read_where_it_stands),
		cmocka_unit_test(test_a_body_that_is_gone_is_none),
		cmocka_unit_test(test_a_leaf_hash_of_another_length_is_none),
		cmocka_unit_test(test_every_cut_is_refused_or_another_entry),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
