#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/key.h"

#include <string.h>

static const uint8_t secret[32] = { 1, 2, 3 };

static struct key key_of(const struct key_table *table, enum key_kind kind, const char *id, enum key_mode mode)
{
	return (struct key){ key_hash(table, kind, id, strlen(id)), mode };
}

static int setup(void **state)
{
	*state = key_table_new(secret);
	return 0;
}

static int teardown(void **state)
{
	key_table_free(*state);
	return 0;
}

static void test_kinds_and_secrets_keep_ids_apart(void **state)
{
	struct key_table *table = *state;
	static const uint8_t other_secret[32] = { 9 };
	struct key_table *other = key_table_new(other_secret);
	assert_int_not_equal(key_hash(table, KEY_SUBJECT, "7", 1), key_hash(table, KEY_BOOKING, "7", 1));
	assert_int_not_equal(key_hash(table, KEY_SUBJECT, "7", 1), key_hash(other, KEY_SUBJECT, "7", 1));
	assert_int_equal(key_hash(table, KEY_SUBJECT, "7", 1), key_hash(table, KEY_SUBJECT, "7", 1));
	key_table_free(other);
}

static void test_who_may_travel_together(void **state)
{
	struct key_table *table = *state;
	struct key reads = key_of(table, KEY_SUBJECT, "C1", KEY_SHARED);
	struct key writes = key_of(table, KEY_SUBJECT, "C1", KEY_EXCLUSIVE);
	struct key elsewhere = key_of(table, KEY_SUBJECT, "C2", KEY_EXCLUSIVE);

	key_table_board(table, &reads, 1);
	assert_int_equal(key_table_ask(table, &reads, 1, 0), KEYS_FREE);
	assert_int_equal(key_table_ask(table, &writes, 1, 0), KEYS_TAKEN);
	assert_int_equal(key_table_ask(table, &elsewhere, 1, 0), KEYS_FREE);
	key_table_depart(table, 1);

	key_table_board(table, &writes, 1);
	assert_int_equal(key_table_ask(table, &reads, 1, 1), KEYS_TAKEN);
	key_table_disembark(table);
	assert_int_equal(key_table_ask(table, &reads, 1, 0), KEYS_FREE);
}

static void test_whose_reading_is_out_of_date(void **state)
{
	struct key_table *table = *state;
	struct key reads = key_of(table, KEY_RECIPIENT, "sparkle", KEY_SHARED);
	struct key writes = key_of(table, KEY_RECIPIENT, "sparkle", KEY_EXCLUSIVE);

	key_table_board(table, &writes, 1);
	key_table_depart(table, 5);
	assert_int_equal(key_table_ask(table, &reads, 1, 4), KEYS_STALE);
	assert_int_equal(key_table_ask(table, &reads, 1, 5), KEYS_FREE);

	/* Shared keys make nobody read again. */
	key_table_board(table, &reads, 1);
	key_table_depart(table, 6);
	assert_int_equal(key_table_ask(table, &writes, 1, 5), KEYS_FREE);

	/* Another worker's train does. */
	key_table_foreign(table, writes.hash, 7);
	assert_int_equal(key_table_ask(table, &reads, 1, 6), KEYS_STALE);

	key_table_forget(table, 7);
	assert_int_equal(key_table_ask(table, &reads, 1, 0), KEYS_FREE);
}

static void test_who_adds_minds_no_other_that_adds(void **state)
{
	struct key_table *table = *state;
	struct key adds = key_of(table, KEY_BOOKING, "B1", KEY_ADDED);
	struct key reads = key_of(table, KEY_BOOKING, "B1", KEY_SHARED);
	struct key writes = key_of(table, KEY_BOOKING, "B1", KEY_EXCLUSIVE);

	/* A whole campaign under one booking rides one train. */
	key_table_board(table, &adds, 1);
	assert_int_equal(key_table_ask(table, &adds, 1, 0), KEYS_FREE);
	key_table_board(table, &adds, 1);
	assert_int_equal(key_table_ask(table, &writes, 1, 0), KEYS_TAKEN);
	assert_int_equal(key_table_ask(table, &reads, 1, 0), KEYS_TAKEN);
	key_table_depart(table, 3);

	/* Who has to know all that was added reads again; who adds does not. */
	assert_int_equal(key_table_ask(table, &writes, 1, 2), KEYS_STALE);
	assert_int_equal(key_table_ask(table, &reads, 1, 2), KEYS_STALE);
	assert_int_equal(key_table_ask(table, &adds, 1, 2), KEYS_FREE);
	assert_int_equal(key_table_ask(table, &writes, 1, 3), KEYS_FREE);

	key_table_board(table, &writes, 1);
	assert_int_equal(key_table_ask(table, &adds, 1, 3), KEYS_TAKEN);
	key_table_disembark(table);

	key_table_board(table, &reads, 1);
	assert_int_equal(key_table_ask(table, &adds, 1, 3), KEYS_TAKEN);
}

static void test_a_written_key_is_remembered_until_all_have_read_since(void **state)
{
	struct key_table *table = *state;
	struct key first = key_of(table, KEY_DISCLOSURE, "a", KEY_EXCLUSIVE),
		   second = key_of(table, KEY_DISCLOSURE, "b", KEY_EXCLUSIVE);
	key_table_board(table, &first, 1);
	key_table_depart(table, 1);
	key_table_board(table, &second, 1);
	key_table_depart(table, 2);
	/* Written again: it moves behind the other. */
	key_table_board(table, &first, 1);
	key_table_depart(table, 3);
	key_table_forget(table, 2);
	assert_int_equal(key_table_ask(table, &first, 1, 2), KEYS_STALE);
	assert_int_equal(key_table_ask(table, &second, 1, 0), KEYS_FREE);
}

static void test_what_is_published(void **state)
{
	struct key_table *table = *state;
	struct key keys[] = { key_of(table, KEY_SUBJECT, "C1", KEY_SHARED),
		key_of(table, KEY_REQUEST, "r", KEY_EXCLUSIVE), key_of(table, KEY_BOOKING, "B1", KEY_ADDED) };
	size_t length;
	key_table_board(table, keys, 3);
	const uint8_t *written = key_table_written(table, &length);
	uint64_t hash = 0;
	assert_int_equal(length, 16);
	for (int i = 0; i < 8; i++)
		hash = hash << 8 | written[i];
	assert_int_equal(hash, keys[1].hash);
}

static void test_many_trains_leave_nothing_behind(void **state)
{
	struct key_table *table = *state;
	for (uint64_t train = 1; train <= 2000; train++) {
		for (uint64_t call = 0; call < 16; call++) {
			uint64_t id = train * 16 + call;
			struct key key = { key_hash(table, KEY_REQUEST, &id, sizeof id), KEY_EXCLUSIVE };
			assert_int_equal(key_table_ask(table, &key, 1, train - 1), KEYS_FREE);
			key_table_board(table, &key, 1);
		}
		key_table_depart(table, train);
		key_table_forget(table, train - 1);
	}
	assert_true(key_table_size(table) <= 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kinds_and_secrets_keep_ids_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_may_travel_together, setup, teardown),
		cmocka_unit_test_setup_teardown(test_whose_reading_is_out_of_date, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_adds_minds_no_other_that_adds, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_written_key_is_remembered_until_all_have_read_since, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_published, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_trains_leave_nothing_behind, setup, teardown),
	};
	return cmocka_run_group_tests_name("key", tests, NULL, NULL);
}
