/* Whoever takes over goes on from the stored tiles alone, and comes to the same tree. */
#include "service/tile_writer.h"

#include "pure/pgbinary.h"
#include "support/check.h"

#define LEAVES 132000 /* past two tiles of the second level */
#define TILES_MAX 1024

static struct merkle_hash leaves[LEAVES];
static struct tile {
	struct tile_id id;
	struct merkle_hash root;
} tiles[TILES_MAX];
static size_t tile_count;

static void keep(void *context, struct tile_id id, const uint8_t *hashes, const struct merkle_hash *root)
{
	(void)context;
	(void)hashes;
	assert_true(tile_count < TILES_MAX);
	tiles[tile_count++] = (struct tile){ id, *root };
}

static int make_leaves(void **state)
{
	static struct tile_builder builder;
	(void)state;
	tile_builder_init(&builder, keep, NULL);
	for (uint32_t i = 0; i < LEAVES; i++) {
		merkle_leaf(&i, sizeof i, &leaves[i]);
		tile_builder_append(&builder, &leaves[i]);
	}
	return 0;
}

static void set(PGresult *result, int row, int column, const void *value, int length)
{
	assert_int_equal(PQsetvalue(result, row, column, (char *)value, length), 1);
}

/* What sql_tile_edges answers when the tiles of so many leaves are stored, but for `missing`. */
static PGresult *edges(uint64_t stored, const struct tile_id *missing)
{
	static PGresAttDesc columns[] = { { .name = (char *)"level", .format = 1 },
		{ .name = (char *)"number", .format = 1 }, { .name = (char *)"root", .format = 1 } };
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	assert_int_equal(PQsetResultAttrs(result, 3, columns), 1);
	int row = 0;
	for (unsigned level = 0; level + 1 < TILE_LEVELS; level++) {
		uint64_t count = stored >> (TILE_HEIGHT * (level + 1));
		uint64_t from = count ? (count - 1) / TILE_WIDTH * TILE_WIDTH : 0;
		for (size_t i = 0; i < tile_count; i++) {
			const struct tile *tile = &tiles[i];
			uint8_t wide[8];
			if (tile->id.level != level || tile->id.number < from || tile->id.number >= count ||
				(missing && missing->level == level && missing->number == tile->id.number))
				continue;
			set(result, row, 0, (uint8_t[]){ 0, (uint8_t)level }, 2);
			pg_put_int8(wide, (int64_t)tile->id.number);
			set(result, row, 1, wide, sizeof wide);
			set(result, row, 2, tile->root.bytes, sizeof tile->root.bytes);
			row++;
		}
	}
	return result;
}

static int resume(struct tile_writer *writer, uint64_t stored, const struct tile_id *missing)
{
	PGresult *result = edges(stored, missing);
	int rc = tile_writer_resume(writer, result);
	PQclear(result);
	return rc;
}

static void test_it_goes_on_from_any_tile(void **state)
{
	(void)state;
	static const uint64_t stored[] = { 0, 256, 512, 255 * 256, 65536, 65536 + 256, 65536 + 77 * 256, 131072,
		131072 + 256 };
	for (size_t i = 0; i < sizeof stored / sizeof *stored; i++) {
		struct merkle_frontier frontier = { 0 };
		struct merkle_hash ours, theirs;
		struct tile_writer *writer = tile_writer_new();
		assert_int_equal(resume(writer, stored[i], NULL), 0);
		assert_int_equal(tile_writer_size(writer), stored[i]);
		assert_int_equal(tile_writer_pending(writer), 0);
		uint64_t until = stored[i] + 600 < LEAVES ? stored[i] + 600 : LEAVES;
		for (uint64_t at = 0; at < until; at++) {
			merkle_append(&frontier, &leaves[at]);
			if (at < stored[i])
				continue;
			tile_writer_append(writer, &leaves[at]);
			if (at % 37)
				continue;
			tile_writer_root(writer, &ours);
			merkle_root(&frontier, &theirs);
			assert_memory_equal(ours.bytes, theirs.bytes, sizeof ours.bytes);
		}
		assert_true(tile_writer_pending(writer) >= 2);
		tile_writer_stored(writer);
		assert_int_equal(tile_writer_pending(writer), 0);
		tile_writer_free(writer);
	}
}

static void test_it_does_not_go_on_where_a_tile_is_missing(void **state)
{
	(void)state;
	static const struct {
		uint64_t stored;
		struct tile_id missing;
	} cases[] = {
		{ 512, { 0, 0 } },
		{ 65536, { 1, 0 } },
		{ 65536 + 512, { 0, 256 } },
		{ 65536 + 512, { 1, 0 } },
		{ 131072, { 1, 0 } },
		{ 131072, { 1, 1 } },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct tile_writer *writer = tile_writer_new();
		if (resume(writer, cases[i].stored, &cases[i].missing) != -1)
			fail_msg("case %zu", i);
		tile_writer_free(writer);
	}
	tile_writer_free(NULL);
}

/* The table can hold any number; the worker must not end of it. */
static void test_it_does_not_go_on_from_a_tile_that_no_tree_has(void **state)
{
	(void)state;
	static const int64_t numbers[] = { INT64_MAX, INT64_MAX / TILE_WIDTH, INT64_C(1) << 55, -1 };
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		struct tile_writer *writer = tile_writer_new();
		PGresult *result = edges(256, NULL);
		uint8_t wide[8];
		pg_put_int8(wide, numbers[i]);
		set(result, 0, 1, wide, sizeof wide);
		assert_int_equal(tile_writer_resume(writer, result), -1);
		PQclear(result);
		tile_writer_free(writer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_goes_on_from_any_tile),
		cmocka_unit_test(test_it_does_not_go_on_where_a_tile_is_missing),
		cmocka_unit_test(test_it_does_not_go_on_from_a_tile_that_no_tree_has),
	};
	return cmocka_run_group_tests(tests, make_leaves, NULL);
}
