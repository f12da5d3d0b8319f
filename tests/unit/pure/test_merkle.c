#include "pure/merkle.h"

#include "support/check.h"

#include <openssl/evp.h>

/* The leaves that every implementation of Certificate Transparency is tested with, and the roots of the first 0 to 8 of
 * them. */
static const char *const known_leaves[] = { "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
	"606162636465666768696a6b6c6d6e6f" };
static const char *const known_roots[] = {
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

static void test_known_roots(void **state)
{
	(void)state;
	struct merkle_frontier frontier = { 0 };
	for (size_t size = 0;; size++) {
		uint8_t expected[32];
		from_hex(known_roots[size], expected);
		struct merkle_hash root;
		merkle_root(&frontier, &root);
		assert_memory_equal(root.bytes, expected, 32);
		assert_int_equal(frontier.size, size);
		if (size == 8)
			break;
		uint8_t bytes[16];
		size_t length = from_hex(known_leaves[size], bytes);
		struct merkle_hash leaf;
		merkle_leaf(bytes, length, &leaf);
		merkle_append(&frontier, &leaf);
	}
}

static void digest(const void *bytes, size_t length, uint8_t out[32])
{
	assert_int_equal(EVP_Digest(bytes, length, out, NULL, EVP_sha256(), NULL), 1);
}

/* RFC 6962 section 2.1 to the letter: MTH(D[n]) = SHA-256(0x01 || MTH(D[0:k]) || MTH(D[k:n])), k the largest power of
 * two < n. */
static void naive_root(const uint32_t *leaves, size_t count, uint8_t out[32])
{
	if (count == 0) {
		digest("", 0, out);
		return;
	}
	if (count == 1) {
		uint8_t bytes[5] = { 0x00 };
		memcpy(bytes + 1, leaves, 4);
		digest(bytes, sizeof bytes, out);
		return;
	}
	size_t k = 1;
	while (k * 2 < count)
		k *= 2;
	uint8_t bytes[65] = { 0x01 };
	naive_root(leaves, k, bytes + 1);
	naive_root(leaves + k, count - k, bytes + 33);
	digest(bytes, sizeof bytes, out);
}

static void test_equals_the_definition(void **state)
{
	(void)state;
	enum {
		SIZE = 600
	};
	uint32_t leaves[SIZE];
	uint64_t random = 3;
	struct merkle_frontier frontier = { 0 };
	for (size_t size = 0; size < SIZE; size++) {
		uint8_t expected[32];
		naive_root(leaves, size, expected);
		struct merkle_hash root;
		merkle_root(&frontier, &root);
		assert_memory_equal(root.bytes, expected, 32);

		/* Stored and loaded it is the same. */
		unsigned count = merkle_frontier_count(size);
		struct merkle_frontier loaded;
		assert_int_equal(merkle_frontier_load(&loaded, size, frontier.nodes, count * MERKLE_HASH_SIZE), 0);
		merkle_root(&loaded, &root);
		assert_memory_equal(root.bytes, expected, 32);
		frontier = loaded;

		leaves[size] = (uint32_t)random_next(&random);
		struct merkle_hash leaf;
		merkle_leaf(&leaves[size], sizeof leaves[size], &leaf);
		merkle_append(&frontier, &leaf);
	}
}

static void test_nodes_are_perfect_subtrees(void **state)
{
	(void)state;
	uint32_t leaves[13];
	struct merkle_frontier frontier = { 0 };
	for (uint32_t i = 0; i < 13; i++) {
		leaves[i] = i;
		struct merkle_hash leaf;
		merkle_leaf(&leaves[i], sizeof leaves[i], &leaf);
		merkle_append(&frontier, &leaf);
	}
	static const struct {
		size_t from, count;
	} subtrees[] = { { 0, 8 }, { 8, 4 }, { 12, 1 } };
	assert_int_equal(merkle_frontier_count(13), 3);
	for (size_t i = 0; i < 3; i++) {
		uint8_t expected[32];
		naive_root(leaves + subtrees[i].from, subtrees[i].count, expected);
		assert_memory_equal(frontier.nodes[i].bytes, expected, 32);
	}
}

static void test_load_refuses_what_does_not_fit(void **state)
{
	(void)state;
	uint8_t bytes[64 * MERKLE_HASH_SIZE] = { 0 };
	struct merkle_frontier frontier = { .size = 42 };
	assert_int_equal(merkle_frontier_load(&frontier, 0, bytes, 32), -1);
	assert_int_equal(merkle_frontier_load(&frontier, 3, bytes, 32), -1);
	assert_int_equal(merkle_frontier_load(&frontier, 3, bytes, 63), -1);
	assert_int_equal(merkle_frontier_load(&frontier, 3, bytes, 96), -1);
	assert_int_equal(merkle_frontier_load(&frontier, 4, bytes, 0), -1);
	assert_int_equal(merkle_frontier_load(&frontier, UINT64_C(1) << 63, bytes, 32), -1);
	assert_int_equal(merkle_frontier_load(&frontier, UINT64_MAX, bytes, sizeof bytes), -1);
	assert_int_equal(frontier.size, 42);
	assert_int_equal(merkle_frontier_load(&frontier, INT64_MAX, bytes, 63 * MERKLE_HASH_SIZE), 0);
	assert_int_equal(merkle_frontier_load(&frontier, 0, NULL, 0), 0);
	assert_int_equal(frontier.size, 0);
}

static void test_count(void **state)
{
	(void)state;
	assert_int_equal(merkle_frontier_count(0), 0);
	assert_int_equal(merkle_frontier_count(1), 1);
	assert_int_equal(merkle_frontier_count(255), 8);
	assert_int_equal(merkle_frontier_count(256), 1);
	assert_int_equal(merkle_frontier_count(INT64_MAX), MERKLE_FRONTIER_MAX);
}

static void append_to_a_full_tree(void *unused)
{
	(void)unused;
	struct merkle_frontier frontier = { .size = INT64_MAX };
	merkle_append(&frontier, &(struct merkle_hash){ 0 });
}

static void test_a_full_tree_takes_no_more(void **state)
{
	(void)state;
	assert_true(ends_process(append_to_a_full_tree, NULL));
	struct merkle_frontier frontier = { .size = INT64_MAX - 1 };
	merkle_append(&frontier, &(struct merkle_hash){ 0 });
	assert_int_equal(frontier.size, INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_roots),
		cmocka_unit_test(test_equals_the_definition),
		cmocka_unit_test(test_nodes_are_perfect_subtrees),
		cmocka_unit_test(test_load_refuses_what_does_not_fit),
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_a_full_tree_takes_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
