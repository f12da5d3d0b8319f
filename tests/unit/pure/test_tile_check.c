/* The files of a log, in memory: whole ones verify, and each change of one is told as what it is. */
#include "pure/tile_check.h"

#include "support/check.h"

#include <stdio.h>

enum {
	SIZE = 600, /* two full tiles of leaves and 88 more */
	BODY = 5,
	FILES = 8,
};

struct file {
	char path[TILE_PATH_MAX];
	size_t length;
	bool absent;
	uint8_t bytes[TILE_BYTES];
};

static struct scene {
	struct file files[FILES];
	size_t count;
	struct merkle_hash leaves[SIZE], root;
	struct tile_fault first;
	unsigned faults, entries, gone, leaf_count;
} scene;

static struct file *add(const char *path)
{
	struct file *file = &scene.files[scene.count++];
	assert_true(scene.count <= FILES);
	snprintf(file->path, sizeof file->path, "%s", path);
	return file;
}

static void add_tile(struct tile_id id, const struct merkle_hash *hashes)
{
	char path[TILE_PATH_MAX];
	unsigned width = tile_width(id, SIZE);
	tile_path(id, width, path);
	struct file *file = add(path);
	file->length = (size_t)width * MERKLE_HASH_SIZE;
	memcpy(file->bytes, hashes, file->length);
}

static int build(void **state)
{
	(void)state;
	struct merkle_frontier frontier = { 0 };
	struct merkle_hash roots[2];
	char path[TILE_PATH_MAX], body[BODY + 1];

	memset(&scene, 0, sizeof scene);
	for (uint64_t number = 0; number <= SIZE / TILE_WIDTH; number++) {
		tile_bundle_path(number, tile_width((struct tile_id){ 0, number }, SIZE), path);
		struct file *file = add(path);
		for (unsigned i = (unsigned)number * TILE_WIDTH; i < SIZE && i < (number + 1) * TILE_WIDTH; i++) {
			snprintf(body, sizeof body, "%05u", i);
			file->bytes[file->length + 1] = BODY;
			memcpy(file->bytes + file->length + 2, body, BODY);
			file->length += 2 + BODY;
			merkle_leaf(body, BODY, &scene.leaves[i]);
			merkle_append(&frontier, &scene.leaves[i]);
		}
	}
	merkle_root(&frontier, &scene.root);
	for (uint64_t number = 0; number <= SIZE / TILE_WIDTH; number++)
		add_tile((struct tile_id){ 0, number }, scene.leaves + number * TILE_WIDTH);
	for (unsigned i = 0; i < 2; i++)
		tile_fold(scene.leaves[i * TILE_WIDTH].bytes, TILE_WIDTH, &roots[i]);
	add_tile((struct tile_id){ 1, 0 }, roots);
	return 0;
}

static enum tile_read on_read(void *context, const char *path, const uint8_t **bytes, size_t *length)
{
	(void)context;
	for (size_t i = 0; i < scene.count; i++) {
		if (strcmp(scene.files[i].path, path) == 0 && !scene.files[i].absent) {
			*bytes = scene.files[i].bytes;
			*length = scene.files[i].length;
			return TILE_READ_OK;
		}
	}
	return strcmp(path, "tile/0/000") == 0 && scene.count == 0 ? TILE_READ_FAILED : TILE_READ_ABSENT;
}

static void on_fault(void *context, const struct tile_fault *fault)
{
	(void)context;
	if (scene.faults++ == 0)
		scene.first = *fault;
}

static void on_entry(void *context, uint64_t index, const uint8_t *body, size_t length)
{
	char expected[BODY + 1];
	(void)context;
	snprintf(expected, sizeof expected, "%05u", (unsigned)index);
	assert_int_equal(length, BODY);
	assert_memory_equal(body, expected, BODY);
	scene.entries++;
}

static void on_gone(void *context, uint64_t first, unsigned count)
{
	(void)context;
	(void)first;
	scene.gone += count;
}

static void on_leaves(void *context, uint64_t first, const uint8_t *hashes, unsigned count)
{
	(void)context;
	(void)hashes;
	assert_int_equal(first, scene.leaf_count);
	scene.leaf_count += count;
}

static enum tile_check_result run(uint64_t since, struct merkle_hash *since_root)
{
	static const struct tile_check_handler handler = {
		.read = on_read, .fault = on_fault, .entry = on_entry, .gone = on_gone, .leaves = on_leaves
	};
	scene.faults = scene.entries = scene.gone = scene.leaf_count = 0;
	memset(&scene.first, 0, sizeof scene.first);
	return tile_check(SIZE, &scene.root, since, since_root, &handler);
}

static struct file *file_of(const char *path)
{
	for (size_t i = 0; i < scene.count; i++) {
		if (strcmp(scene.files[i].path, path) == 0)
			return &scene.files[i];
	}
	fail();
	return NULL;
}

static void test_a_whole_log_has_no_fault_and_every_earlier_root(void **state)
{
	(void)state;
	struct merkle_frontier frontier = { 0 };
	struct merkle_hash expected, found;

	for (uint64_t since = 1; since <= SIZE; since++) {
		merkle_append(&frontier, &scene.leaves[since - 1]);
		merkle_root(&frontier, &expected);
		assert_int_equal(run(since, &found), TILE_CHECK_DONE);
		assert_int_equal(scene.faults, 0);
		assert_memory_equal(found.bytes, expected.bytes, sizeof found.bytes);
	}
	assert_int_equal(scene.entries, SIZE);
	assert_int_equal(scene.leaf_count, SIZE);
	assert_int_equal(scene.gone, 0);
}

/* Whatever byte is changed in whatever file, it is a fault, and one alone when the file is a tile. */
static void test_any_byte_that_is_changed_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < scene.count; i++) {
		struct file *file = &scene.files[i];
		bool tile = strncmp(file->path, "tile/entries", 12) != 0;
		for (size_t at = 0; at < file->length; at += 97) {
			file->bytes[at] ^= 0x01;
			assert_int_equal(run(0, NULL), TILE_CHECK_DONE);
			file->bytes[at] ^= 0x01;
			assert_true(scene.faults > 0);
			if (!tile)
				continue;
			assert_int_equal(scene.faults, 1);
			assert_int_equal(scene.first.kind, TILE_FAULT_HASH);
			assert_int_equal(scene.first.position, at / MERKLE_HASH_SIZE);
		}
	}
}

static void test_a_file_that_is_gone_or_cut_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < scene.count; i++) {
		struct file *file = &scene.files[i];
		bool tile = strncmp(file->path, "tile/entries", 12) != 0;
		file->absent = true;
		run(0, NULL);
		file->absent = false;
		assert_int_equal(scene.faults, tile ? 1 : 0);
		assert_true(tile ? scene.first.kind == TILE_FAULT_ABSENT : scene.gone > 0);
		file->length--;
		run(0, NULL);
		file->length++;
		assert_true(scene.faults > 0);
		assert_int_equal(scene.first.kind, tile ? TILE_FAULT_LENGTH : TILE_FAULT_BUNDLE);
	}
}

static void test_an_entry_changed_with_its_leaf_does_not_match_the_tile_above(void **state)
{
	(void)state;
	struct file *bundle = file_of("tile/entries/001"), *tile = file_of("tile/0/001");
	bundle->bytes[2 + 3] ^= 1;
	merkle_leaf(bundle->bytes + 2, BODY, &scene.leaves[TILE_WIDTH]);
	memcpy(tile->bytes, scene.leaves[TILE_WIDTH].bytes, MERKLE_HASH_SIZE);
	struct tile_check_handler handler = { .read = on_read, .fault = on_fault };
	scene.faults = 0;
	assert_int_equal(tile_check(SIZE, &scene.root, 0, NULL, &handler), TILE_CHECK_DONE);
	assert_int_equal(scene.faults, 1);
	assert_int_equal(scene.first.kind, TILE_FAULT_PARENT);
	assert_int_equal(scene.first.index, TILE_WIDTH);
}

static void test_another_root_is_told(void **state)
{
	(void)state;
	scene.root.bytes[0] ^= 1;
	run(0, NULL);
	assert_int_equal(scene.faults, 1);
	assert_int_equal(scene.first.kind, TILE_FAULT_ROOT);
}

static void test_a_reading_that_fails_ends_the_check(void **state)
{
	(void)state;
	scene.count = 0;
	assert_int_equal(run(0, NULL), TILE_CHECK_FAILED);
}

/* The largest size that a checkpoint can claim. */
static void test_a_tree_that_nobody_has_is_given_up(void **state)
{
	(void)state;
	const struct tile_check_handler handler = { .read = on_read, .fault = on_fault };
	scene.count = 1;
	scene.files[0].absent = true;
	assert_int_equal(tile_check(INT64_MAX, &scene.root, 0, NULL, &handler), TILE_CHECK_ENDLESS);
	assert_true(scene.faults > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_whole_log_has_no_fault_and_every_earlier_root, build),
		cmocka_unit_test_setup(test_any_byte_that_is_changed_is_told, build),
		cmocka_unit_test_setup(test_a_file_that_is_gone_or_cut_is_told, build),
		cmocka_unit_test_setup(test_an_entry_changed_with_its_leaf_does_not_match_the_tile_above, build),
		cmocka_unit_test_setup(test_another_root_is_told, build),
		cmocka_unit_test_setup(test_a_reading_that_fails_ends_the_check, build),
		cmocka_unit_test_setup(test_a_tree_that_nobody_has_is_given_up, build),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
