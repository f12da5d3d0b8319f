#include "pure/merkle.h"
#include "pure/time.h"
#include "rpc/entries.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define KIND(name) NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_##name
#define AT (INT64_C(1700000000) * TIME_SECOND)

/* One entry's bytes. */
struct body {
	uint8_t bytes[512];
	size_t length;
};

static struct body an_entry(void)
{
	Needtoknow__V1__LedgerEntry entry = NEEDTOKNOW__V1__LEDGER_ENTRY__INIT;
	Google__Protobuf__Timestamp at;
	struct body body;
	char *fields[] = { "client.phone", "client.city" };
	time_to_timestamp(AT, &at);
	entry.kind = KIND(DELIVERED);
	entry.recorded_at = &at;
	entry.actor = "spiffe://maison-claire.example/recipient/sparkle";
	entry.disclosure_id = "f2a7e567-b393-824e-b4de-12f224518b5b";
	entry.recipient_id = "sparkle";
	entry.service = "home-cleaning";
	entry.purpose = "dpv:ServiceProvision";
	entry.fields = fields;
	entry.n_fields = 2;
	entry.reason = NEEDTOKNOW__V1__REASON__REASON_NEW;
	body.length = needtoknow__v1__ledger_entry__pack(&entry, body.bytes);
	assert_true(body.length <= sizeof body.bytes);
	return body;
}

static const struct entry_filter anything = {
	.kinds = ENTRY_FILTER_ANY_KIND, .recorded_from = TIME_NONE, .recorded_until = INT64_MAX
};

static void test_each_field_of_a_filter_is_held_against_the_entry(void **state)
{
	static const struct {
		const char *recipient_id, *service, *purpose, *actor;
		uint64_t kinds;
		int64_t from, until;
		bool match;
	} cases[] = {
		{ .match = true },
		{ .recipient_id = "sparkle", .match = true },
		{ .recipient_id = "sparkl" },
		{ .recipient_id = "sparkles" },
		{ .service = "home-cleaning", .match = true },
		{ .service = "dpv:ServiceProvision" },
		{ .purpose = "dpv:ServiceProvision", .match = true },
		{ .purpose = "dpv:DirectMarketing" },
		{ .actor = "spiffe://maison-claire.example/recipient/sparkle", .match = true },
		{ .actor = "system" },
		{ .kinds = UINT64_C(1) << KIND(DELIVERED), .match = true },
		{ .kinds = UINT64_C(1) << KIND(SHARED) },
		{ .kinds = UINT64_C(1) << KIND(SHARED) | UINT64_C(1) << KIND(DELIVERED), .match = true },
		{ .from = AT, .until = AT + 1, .match = true },
		{ .from = AT + 1, .until = INT64_MAX },
		{ .from = TIME_NONE, .until = AT },
		{ .recipient_id = "sparkle", .service = "home-cleaning", .purpose = "dpv:DirectMarketing" },
	};
	struct body body = an_entry();
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct entry_filter filter = anything;
		filter.recipient_id = cases[i].recipient_id;
		filter.service = cases[i].service;
		filter.purpose = cases[i].purpose;
		filter.actor = cases[i].actor;
		if (cases[i].kinds)
			filter.kinds = cases[i].kinds;
		if (cases[i].until) {
			filter.by_time = true;
			filter.recorded_from = cases[i].from;
			filter.recorded_until = cases[i].until;
		}
		if (entry_filter_matches(&filter, body.bytes, body.length) != cases[i].match)
			fail_msg("case %zu", i);
	}
}

static void test_what_is_no_entry_matches_no_filter(void **state)
{
	struct entry_filter filter = anything;
	struct body body = an_entry();
	uint8_t noise[] = { 0xff, 0xff, 0xff };
	(void)state;
	filter.recipient_id = "sparkle";
	assert_false(entry_filter_matches(&filter, noise, sizeof noise));
	assert_false(entry_filter_matches(&filter, body.bytes, 0));
	for (size_t length = 0; length < body.length; length++)
		entry_filter_matches(&filter, body.bytes, length); /* reads nothing behind its end */
	filter = anything;
	filter.everything = true;
	assert_true(entry_filter_matches(&filter, noise, sizeof noise));
}

static void test_entries_are_appended_as_protobuf_has_them(void **state)
{
	struct body body = an_entry();
	struct merkle_hash leaf;
	uint8_t pruned[MERKLE_HASH_SIZE], noise[] = { 0xff, 0xff };
	const struct found_entry entries[] = {
		{ .index = 0, .body = body.bytes, .length = body.length },
		{ .index = UINT64_C(1) << 40, .body = body.bytes, .length = body.length },
		{ .index = 7, .leaf = pruned },
		{ .index = 8, .body = noise, .length = sizeof noise },
	};
	struct buffer out;
	(void)state;
	memset(pruned, 0x5a, sizeof pruned);
	merkle_leaf(body.bytes, body.length, &leaf);
	for (int decoded = 0; decoded < 2; decoded++) {
		buffer_init(&out, 4096);
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(entries_append(&out, &entries[i], decoded), 0);
		Needtoknow__V1__StreamEntriesResponse *read =
			needtoknow__v1__stream_entries_response__unpack(NULL, out.length, out.data);
		assert_non_null(read);
		assert_int_equal(read->n_entries, 4);
		for (size_t i = 0; i < 4; i++) {
			const Needtoknow__V1__Entry *entry = read->entries[i];
			assert_int_equal(entry->index, entries[i].index);
			assert_int_equal(entry->leaf_hash.len, MERKLE_HASH_SIZE);
			assert_int_equal(entry->body.len, entries[i].length);
			/* What is no LedgerEntry is shown as it is, and decoded by nobody. */
			assert_int_equal(entry->entry != NULL, decoded && i < 2);
		}
		assert_memory_equal(read->entries[1]->leaf_hash.data, leaf.bytes, MERKLE_HASH_SIZE);
		assert_memory_equal(read->entries[2]->leaf_hash.data, pruned, MERKLE_HASH_SIZE);
		if (decoded)
			assert_string_equal(read->entries[1]->entry->recipient_id, "sparkle");
		needtoknow__v1__stream_entries_response__free_unpacked(read, NULL);
		buffer_release(&out);
	}
}

static void test_an_entry_that_does_not_fit_leaves_the_buffer_as_it_was(void **state)
{
	struct body body = an_entry();
	struct found_entry entry = { .index = 1, .body = body.bytes, .length = body.length };
	struct buffer out;
	(void)state;
	buffer_init(&out, body.length + ENTRIES_OVERHEAD_MAX);
	assert_int_equal(entries_append(&out, &entry, false), 0);
	size_t length = out.length;
	assert_int_equal(entries_append(&out, &entry, false), -1);
	assert_int_equal(out.length, length);
	buffer_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_field_of_a_filter_is_held_against_the_entry),
		cmocka_unit_test(test_what_is_no_entry_matches_no_filter),
		cmocka_unit_test(test_entries_are_appended_as_protobuf_has_them),
		cmocka_unit_test(test_an_entry_that_does_not_fit_leaves_the_buffer_as_it_was),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
