#include "pure/tile.h"

#include "support/check.h"

enum {
	SIZE = 70000, /* as in the specification's example: 273 full tiles of level 0, one of level 1 */
	FULL = 273,
	LEVELS = 3
};

/* What each level consists of, by the specification: the leaves, and above them the roots of full tiles. */
static struct merkle_hash leaves[SIZE], roots[FULL], top[1];
static const struct merkle_hash *const levels[LEVELS] = { leaves, roots, top };

/* The root over 256 hashes, by a frontier. */
static struct merkle_hash root_over(const struct merkle_hash *hashes)
{
	struct merkle_frontier frontier = { 0 };
	struct merkle_hash root;
	for (size_t i = 0; i < TILE_WIDTH; i++)
		merkle_append(&frontier, &hashes[i]);
	merkle_root(&frontier, &root);
	return root;
}

static int make_leaves(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < SIZE; i++)
		merkle_leaf(&i, sizeof i, &leaves[i]);
	for (size_t i = 0; i < FULL; i++)
		roots[i] = root_over(leaves + i * TILE_WIDTH);
	*top = root_over(roots);
	return 0;
}

static void test_widths_of_the_specification(void **state)
{
	(void)state;
	static const struct {
		unsigned level;
		uint64_t number, size;
		unsigned width;
	} widths[] = {
		{ 0, 0, 70000, 256 },
		{ 0, 272, 70000, 256 },
		{ 0, 273, 70000, 112 },
		{ 0, 274, 70000, 0 },
		{ 1, 0, 70000, 256 },
		{ 1, 1, 70000, 17 },
		{ 1, 2, 70000, 0 },
		{ 2, 0, 70000, 1 },
		{ 2, 1, 70000, 0 },
		{ 3, 0, 70000, 0 },
		{ 0, 0, 256, 256 },
		{ 0, 1, 256, 0 },
		{ 1, 0, 256, 1 },
		{ 1, 0, 255, 0 },
		{ 0, 0, 0, 0 },
		{ 0, 0, 1, 1 },
		{ 0, 0, 255, 255 },
		{ 0, 1, 257, 1 },
		{ 0, UINT64_MAX, UINT64_MAX, 0 },
		{ 0, UINT64_MAX / 256, UINT64_MAX, 255 },
		{ 0, UINT64_MAX / 256 + 1, UINT64_MAX, 0 },
		{ 0, UINT64_C(1) << 56, 256, 0 }, /* times 256 it is 0 again */
		{ 7, 0, UINT64_MAX, 255 },
		{ 7, 0, INT64_MAX, 127 },
		{ 8, 0, UINT64_MAX, 0 },
		{ 63, 0, UINT64_MAX, 0 },
	};
	for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
		struct tile_id id = { widths[i].level, widths[i].number };
		assert_int_equal(tile_width(id, widths[i].size), widths[i].width);
	}
}

/* The tile that tile_width() says has some hashes and not all; or, where there is none, the first that has none. */
static void test_the_last_tile_of_each_level(void **state)
{
	(void)state;
	static const uint64_t sizes[] = { 0, 1, 255, 256, 257, 511, 512, 65535, 65536, 65537, 70000, UINT64_C(1) << 56,
		(UINT64_C(1) << 56) - 1, INT64_MAX, UINT64_MAX };
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		for (unsigned level = 0; level < TILE_LEVELS; level++) {
			struct tile_id last = tile_last(level, sizes[i]);
			assert_int_equal(last.level, level);
			assert_true(tile_width(last, sizes[i]) < TILE_WIDTH);
			if (last.number == 0)
				continue;
			last.number--;
			assert_int_equal(tile_width(last, sizes[i]), TILE_WIDTH);
		}
	}
}

static void test_paths(void **state)
{
	(void)state;
	static const struct {
		unsigned level;
		uint64_t number;
		unsigned width;
		const char *tile, *bundle;
	} paths[] = {
		{ 0, 0, 256, "tile/0/000", "tile/entries/000" },
		{ 0, 0, 1, "tile/0/000.p/1", "tile/entries/000.p/1" },
		{ 1, 7, 255, "tile/1/007.p/255", "tile/entries/007.p/255" },
		{ 2, 999, 256, "tile/2/999", "tile/entries/999" },
		{ 3, 1000, 256, "tile/3/x001/000", "tile/entries/x001/000" },
		{ 4, 1234067, 256, "tile/4/x001/x234/067", "tile/entries/x001/x234/067" },
		{ 5, 1234067, 112, "tile/5/x001/x234/067.p/112", "tile/entries/x001/x234/067.p/112" },
		{ 6, 999999, 10, "tile/6/x999/999.p/10", "tile/entries/x999/999.p/10" },
		{ 7, 1000000, 256, "tile/7/x001/x000/000", "tile/entries/x001/x000/000" },
		{ 63, UINT64_MAX, 255, "tile/63/x018/x446/x744/x073/x709/x551/615.p/255",
			"tile/entries/x018/x446/x744/x073/x709/x551/615.p/255" },
	};
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		char path[TILE_PATH_MAX];
		tile_path((struct tile_id){ paths[i].level, paths[i].number }, paths[i].width, path);
		assert_string_equal(path, paths[i].tile);
		tile_bundle_path(paths[i].number, paths[i].width, path);
		assert_string_equal(path, paths[i].bundle);
	}
}

static void path_of_nothing(void *width)
{
	char path[TILE_PATH_MAX];
	tile_bundle_path(0, *(unsigned *)width, path);
}

static void fold(void *count)
{
	static const uint8_t hashes[TILE_BYTES * 2];
	struct merkle_hash out;
	tile_fold(hashes, *(unsigned *)count, &out);
}

static void test_what_cannot_be_ends_the_process(void **state)
{
	(void)state;
	unsigned numbers[] = { 0, 3, 255, 257, 512 };
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		assert_true(ends_process(fold, &numbers[i]));
	assert_true(ends_process(path_of_nothing, &(unsigned){ 0 }));
	assert_true(ends_process(path_of_nothing, &(unsigned){ 257 }));
	assert_false(ends_process(path_of_nothing, &(unsigned){ 256 }));
}

/* What a builder has given out. */
struct collected {
	struct merkle_hash tiles[LEVELS][FULL][TILE_WIDTH];
	size_t count[LEVELS];
};
static struct collected collected;

static void collect(void *context, struct tile_id id, const uint8_t *hashes, const struct merkle_hash *root)
{
	struct collected *into = context;
	assert_true(id.level + 1 < LEVELS);
	assert_int_equal(id.number, into->count[id.level]); /* in their order, none twice */
	memcpy(into->tiles[id.level][into->count[id.level]++], hashes, TILE_BYTES);
	/* Level by level: what a tile is made of has been given out before it. */
	assert_memory_equal(root->bytes, levels[id.level + 1][id.number].bytes, MERKLE_HASH_SIZE);
}

/* Goes on at `size` from what is stored, as a process does that has just started. */
static void resume(struct tile_builder *builder, uint64_t size)
{
	memset(builder, 0xa5, sizeof *builder);
	tile_builder_init(builder, collect, &collected);
	tile_builder_resume(builder, size);
	for (unsigned level = 0; level < LEVELS; level++) {
		uint64_t hashes = size >> (8 * level), number = hashes / TILE_WIDTH;
		unsigned width = tile_width((struct tile_id){ level, number }, size);
		for (unsigned i = width; i > 0; i--)
			tile_builder_load(builder, level, i - 1, &levels[level][number * TILE_WIDTH + i - 1]);
	}
}

static bool is_checked(uint64_t size)
{
	return size < 600 || size % 89 == 0 || size % 256 < 2 || size % 256 == 255;
}

static void test_a_builder_has_the_root_of_every_size_also_resumed(void **state)
{
	(void)state;
	static struct tile_builder builder;
	struct merkle_frontier frontier = { 0 };
	struct merkle_hash expected, root;
	uint64_t random = 11;
	memset(&collected, 0, sizeof collected);
	tile_builder_init(&builder, collect, &collected);
	for (uint64_t size = 0;; size++) {
		if (is_checked(size)) {
			merkle_root(&frontier, &expected);
			tile_builder_root(&builder, &root);
			assert_memory_equal(root.bytes, expected.bytes, MERKLE_HASH_SIZE);
			assert_int_equal(builder.size, size);
		}
		if (is_checked(size) || random_next(&random) % 50 == 0) {
			resume(&builder, size);
			tile_builder_root(&builder, &root);
			merkle_root(&frontier, &expected);
			assert_memory_equal(root.bytes, expected.bytes, MERKLE_HASH_SIZE);
		}
		if (size == SIZE)
			break;
		merkle_append(&frontier, &leaves[size]);
		tile_builder_append(&builder, &leaves[size]);
	}
	/* Every full tile was given out once, and holds what the specification says. */
	assert_int_equal(collected.count[0], FULL);
	assert_int_equal(collected.count[1], 1);
	assert_int_equal(collected.count[2], 0);
	assert_memory_equal(collected.tiles[0], leaves, (size_t)FULL * TILE_BYTES);
	assert_memory_equal(collected.tiles[1], roots, TILE_BYTES);
}

static void test_a_builder_need_not_tell_anybody(void **state)
{
	(void)state;
	static struct tile_builder builder;
	struct merkle_frontier frontier = { 0 };
	tile_builder_init(&builder, NULL, NULL);
	for (size_t i = 0; i < 1000; i++) {
		tile_builder_append(&builder, &leaves[i]);
		merkle_append(&frontier, &leaves[i]);
	}
	struct merkle_hash expected, root;
	merkle_root(&frontier, &expected);
	tile_builder_root(&builder, &root);
	assert_memory_equal(root.bytes, expected.bytes, MERKLE_HASH_SIZE);
}

static void load_outside(void *position)
{
	static struct tile_builder builder;
	tile_builder_init(&builder, NULL, NULL);
	tile_builder_resume(&builder, 300);
	tile_builder_load(&builder, ((unsigned *)position)[0], ((unsigned *)position)[1], &leaves[0]);
}

static void test_nothing_is_loaded_outside_of_the_last_tiles(void **state)
{
	(void)state;
	assert_false(ends_process(load_outside, (unsigned[]){ 0, 43 }));
	assert_true(ends_process(load_outside, (unsigned[]){ 0, 44 }));
	assert_false(ends_process(load_outside, (unsigned[]){ 1, 0 }));
	assert_true(ends_process(load_outside, (unsigned[]){ 1, 1 }));
	assert_true(ends_process(load_outside, (unsigned[]){ 2, 0 }));
	assert_true(ends_process(load_outside, (unsigned[]){ TILE_LEVELS, 0 }));
}

/* The plan's nodes out of the tiles of a tree of `size` leaves, none of which may be wider than it is there. */
static size_t carry_out(const struct merkle_plan *plan, uint64_t size, struct merkle_hash *out)
{
	struct merkle_hash nodes[MERKLE_PLAN_MAX];
	for (size_t i = 0; i < plan->count; i++) {
		struct tile_id tile;
		unsigned first, count;
		tile_of_node(plan->nodes[i], &tile, &first, &count);
		assert_true(first + count <= tile_width(tile, size));
		assert_int_equal(first % count, 0);
		tile_fold(levels[tile.level][tile.number * TILE_WIDTH + first].bytes, count, &nodes[i]);
	}
	return merkle_plan_join(plan, nodes, out);
}

static void test_proofs_out_of_tiles_verify(void **state)
{
	(void)state;
	uint64_t random = 13;
	for (size_t i = 0; i < 3000; i++) {
		uint64_t size = 1 + random_next(&random) % (i % 3 == 0 ? 1000 : SIZE);
		uint64_t index = random_next(&random) % size, from = index + 1;
		struct merkle_plan plan;
		struct merkle_hash root, from_root, proof[MERKLE_PROOF_MAX];
		merkle_root_plan(size, &plan);
		assert_int_equal(carry_out(&plan, size, &root), 1);
		merkle_root_plan(from, &plan);
		assert_int_equal(carry_out(&plan, from, &from_root), 1);

		assert_int_equal(merkle_inclusion_plan(index, size, &plan), 0);
		size_t count = carry_out(&plan, size, proof);
		assert_int_equal(merkle_verify_inclusion(&leaves[index], index, size, proof, count, &root), 0);
		assert_int_equal(merkle_consistency_plan(from, size, &plan), 0);
		count = carry_out(&plan, size, proof);
		assert_int_equal(merkle_verify_consistency(from, &from_root, size, &root, proof, count), 0);
	}
}

static void test_where_a_node_is(void **state)
{
	(void)state;
	static const struct {
		struct merkle_node_id node;
		struct tile_id tile;
		unsigned first, count;
	} nodes[] = {
		{ { 0, 0 }, { 0, 0 }, 0, 1 },
		{ { 0, 255 }, { 0, 0 }, 255, 1 },
		{ { 0, 256 }, { 0, 1 }, 0, 1 },
		{ { 1, 127 }, { 0, 0 }, 254, 2 },
		{ { 1, 128 }, { 0, 1 }, 0, 2 },
		{ { 7, 1 }, { 0, 0 }, 128, 128 },
		{ { 7, 3 }, { 0, 1 }, 128, 128 },
		{ { 8, 3 }, { 1, 0 }, 3, 1 },
		{ { 15, 1 }, { 1, 0 }, 128, 128 },
		{ { 16, 1 }, { 2, 0 }, 1, 1 },
		{ { 0, UINT64_MAX }, { 0, UINT64_MAX / 256 }, 255, 1 },
		{ { 62, 1 }, { 7, 0 }, 64, 64 },
		{ { 63, 1 }, { 7, 0 }, 128, 128 },
	};
	for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
		struct tile_id tile;
		unsigned first, count;
		tile_of_node(nodes[i].node, &tile, &first, &count);
		assert_int_equal(tile.level, nodes[i].tile.level);
		assert_int_equal(tile.number, nodes[i].tile.number);
		assert_int_equal(first, nodes[i].first);
		assert_int_equal(count, nodes[i].count);
	}
}

static void test_entries_in_turn(void **state)
{
	(void)state;
	static uint8_t bundle[2 + 3 + 2 + 0 + 2 + 0xffff];
	memcpy(bundle,
		"\x00\x03"
		"abc"
		"\x00\x00"
		"\xff\xff"
		"z",
		10);
	size_t offset = 0, length;
	const uint8_t *entry;
	assert_int_equal(tile_next_entry(bundle, sizeof bundle, &offset, &entry, &length), 0);
	assert_int_equal(length, 3);
	assert_memory_equal(entry, "abc", 3);
	assert_int_equal(tile_next_entry(bundle, sizeof bundle, &offset, &entry, &length), 0);
	assert_int_equal(length, 0);
	assert_int_equal(tile_next_entry(bundle, sizeof bundle, &offset, &entry, &length), 0);
	assert_int_equal(length, 0xffff);
	assert_int_equal(*entry, 'z');
	assert_int_equal(offset, sizeof bundle);
	assert_int_equal(tile_next_entry(bundle, sizeof bundle, &offset, &entry, &length), -1);
	assert_int_equal(offset, sizeof bundle);
	assert_int_equal(length, 0xffff);
}

static void test_a_bundle_that_is_cut_short(void **state)
{
	(void)state;
	uint8_t *exact = malloc(5); /* so that a byte read behind it is seen */
	memcpy(exact,
		"\x00\x03"
		"abc",
		5);
	for (size_t size = 0; size < 5; size++) {
		size_t offset = 0, length = 99;
		const uint8_t *entry = NULL;
		uint8_t *cut = malloc(size + 1);
		memcpy(cut + 1, exact, size);
		assert_int_equal(tile_next_entry(cut + 1, size, &offset, &entry, &length), -1);
		assert_int_equal(offset, 0);
		assert_int_equal(length, 99);
		assert_null(entry);
		free(cut);
	}
	static const size_t offsets[] = { 5, 6, 7, SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 2 };
	for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
		size_t offset = offsets[i], length;
		const uint8_t *entry;
		assert_int_equal(tile_next_entry(exact, 5, &offset, &entry, &length), -1);
		assert_int_equal(offset, offsets[i]);
		assert_int_equal(tile_next_entry(NULL, 0, &offset, &entry, &length), -1);
	}
	free(exact);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_widths_of_the_specification),
		cmocka_unit_test(test_the_last_tile_of_each_level),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_what_cannot_be_ends_the_process),
		cmocka_unit_test(test_a_builder_has_the_root_of_every_size_also_resumed),
		cmocka_unit_test(test_a_builder_need_not_tell_anybody),
		cmocka_unit_test(test_nothing_is_loaded_outside_of_the_last_tiles),
		cmocka_unit_test(test_proofs_out_of_tiles_verify),
		cmocka_unit_test(test_where_a_node_is),
		cmocka_unit_test(test_entries_in_turn),
		cmocka_unit_test(test_a_bundle_that_is_cut_short),
	};
	return cmocka_run_group_tests(tests, make_leaves, NULL);
}
