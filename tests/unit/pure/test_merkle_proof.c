#include "pure/merkle_proof.h"

#include "support/check.h"

#include <openssl/evp.h>

/*
 * The definitions of RFC 6962 section 2.1 to the letter, over the leaves 0, 1, 2, ... as bytes, hashed without our
 * functions. What has been hashed is kept, so that every size to MOST can be tried.
 */
enum {
	MOST = 300
};
static struct merkle_hash hashes[MOST + 1][MOST + 1];
static bool known[MOST + 1][MOST + 1];

static void digest(const void *bytes, size_t length, struct merkle_hash *out)
{
	assert_int_equal(EVP_Digest(bytes, length, out->bytes, NULL, EVP_sha256(), NULL), 1);
}

/* The largest power of two below n. */
static size_t split(size_t n)
{
	size_t k = 1;
	while (k * 2 < n)
		k *= 2;
	return k;
}

/* MTH(D[from:until]). */
static struct merkle_hash mth(size_t from, size_t until)
{
	struct merkle_hash *out = &hashes[from][until];
	if (known[from][until])
		return *out;
	if (until == from) {
		digest("", 0, out);
	} else if (until - from == 1) {
		digest((uint8_t[]){ 0x00, (uint8_t)(from >> 8), (uint8_t)from }, 3, out);
	} else {
		size_t k = split(until - from);
		uint8_t bytes[65] = { 0x01 };
		memcpy(bytes + 1, mth(from, from + k).bytes, 32);
		memcpy(bytes + 33, mth(from + k, until).bytes, 32);
		digest(bytes, sizeof bytes, out);
	}
	known[from][until] = true;
	return *out;
}

/* PATH(m, D[from:until]); answers how many. */
static size_t path(size_t m, size_t from, size_t until, struct merkle_hash *out)
{
	size_t n = until - from, count;
	if (n == 1)
		return 0;
	size_t k = split(n);
	if (m < k) {
		count = path(m, from, from + k, out);
		out[count] = mth(from + k, until);
	} else {
		count = path(m - k, from + k, until, out);
		out[count] = mth(from, from + k);
	}
	return count + 1;
}

/* SUBPROOF(m, D[from:until], whole). */
static size_t subproof(size_t m, size_t from, size_t until, bool whole, struct merkle_hash *out)
{
	size_t n = until - from, count = 0;
	if (m == n) {
		if (!whole)
			out[count++] = mth(from, until);
		return count;
	}
	size_t k = split(n);
	if (m <= k) {
		count = subproof(m, from, from + k, whole, out);
		out[count] = mth(from + k, until);
	} else {
		count = subproof(m - k, from + k, until, false, out);
		out[count] = mth(from, from + k);
	}
	return count + 1;
}

/* What the plan says, from hashes of perfect subtrees alone. */
static size_t carry_out(const struct merkle_plan *plan, size_t size, struct merkle_hash *out)
{
	struct merkle_hash nodes[MERKLE_PLAN_MAX];
	for (size_t i = 0; i < plan->count; i++) {
		size_t from = (size_t)plan->nodes[i].index << plan->nodes[i].height;
		size_t until = from + ((size_t)1 << plan->nodes[i].height);
		assert_true(until <= size);
		nodes[i] = mth(from, until);
	}
	return merkle_plan_join(plan, nodes, out);
}

static void assert_same(const struct merkle_hash *a, size_t a_count, const struct merkle_hash *b, size_t b_count)
{
	assert_int_equal(a_count, b_count);
	assert_memory_equal(a, b, a_count * sizeof *a);
}

static void test_plans_make_the_proofs_of_the_definition(void **state)
{
	(void)state;
	struct merkle_hash made[MERKLE_PROOF_MAX], expected[MERKLE_PROOF_MAX];
	struct merkle_plan plan;
	for (size_t size = 1; size <= MOST; size++) {
		for (size_t index = 0; index < size; index++) {
			assert_int_equal(merkle_inclusion_plan(index, size, &plan), 0);
			assert_same(made, carry_out(&plan, size, made), expected, path(index, 0, size, expected));
		}
		for (size_t from = 1; from <= size; from++) {
			assert_int_equal(merkle_consistency_plan(from, size, &plan), 0);
			assert_same(
				made, carry_out(&plan, size, made), expected, subproof(from, 0, size, true, expected));
		}
		merkle_root_plan(size, &plan);
		*expected = mth(0, size);
		assert_same(made, carry_out(&plan, size, made), expected, 1);
	}
}

static void test_plans_of_nothing(void **state)
{
	(void)state;
	struct merkle_plan plan = { .count = 77 };
	assert_int_equal(merkle_inclusion_plan(0, 0, &plan), -1);
	assert_int_equal(merkle_inclusion_plan(5, 5, &plan), -1);
	assert_int_equal(merkle_inclusion_plan(UINT64_MAX, 5, &plan), -1);
	assert_int_equal(merkle_consistency_plan(0, 0, &plan), -1);
	assert_int_equal(merkle_consistency_plan(0, 5, &plan), -1);
	assert_int_equal(merkle_consistency_plan(6, 5, &plan), -1);
	assert_int_equal(plan.count, 77);
	merkle_root_plan(0, &plan);
	assert_int_equal(plan.count, 0);
	assert_int_equal(merkle_plan_join(&plan, NULL, NULL), 0);
	assert_int_equal(merkle_consistency_plan(5, 5, &plan), 0);
	assert_int_equal(plan.count, 0);
}

/* As published with the tests of Certificate Transparency, over its eight leaves. */
static void test_published_proofs(void **state)
{
	(void)state;
	static const char *const leaves[] = { "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
		"606162636465666768696a6b6c6d6e6f" };
	static const char *const roots[] = { NULL, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77", NULL,
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef", NULL,
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328" };
	static const struct {
		bool consistency;
		uint64_t of, size; /* index or smaller size */
		size_t count;
		const char *proof[3];
	} proofs[] = {
		{ false, 0, 1, 0, { NULL } },
		{ false, 0, 8, 3,
			{ "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
				"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
				"6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4" } },
		{ false, 5, 8, 3,
			{ "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
				"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
				"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7" } },
		{ false, 2, 3, 1, { "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125" } },
		{ false, 1, 5, 3,
			{ "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
				"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
				"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b" } },
		{ true, 1, 1, 0, { NULL } },
		{ true, 1, 8, 3,
			{ "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
				"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
				"6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4" } },
		{ true, 6, 8, 3,
			{ "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
				"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
				"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7" } },
		{ true, 2, 5, 2,
			{ "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
				"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b" } },
	};
	for (size_t i = 0; i < sizeof proofs / sizeof *proofs; i++) {
		struct merkle_hash proof[3], root, other;
		for (size_t j = 0; j < proofs[i].count; j++)
			from_hex(proofs[i].proof[j], proof[j].bytes);
		from_hex(roots[proofs[i].size], root.bytes);
		if (proofs[i].consistency) {
			from_hex(roots[proofs[i].of], other.bytes);
			assert_int_equal(merkle_verify_consistency(
						 proofs[i].of, &other, proofs[i].size, &root, proof, proofs[i].count),
				0);
		} else {
			uint8_t bytes[16];
			merkle_leaf(bytes, from_hex(leaves[proofs[i].of], bytes), &other);
			assert_int_equal(merkle_verify_inclusion(
						 &other, proofs[i].of, proofs[i].size, proof, proofs[i].count, &root),
				0);
		}
	}
}

/* A proof, and everything that is said with it. */
struct claim {
	bool consistency;
	uint64_t of, size; /* index or smaller size */
	struct merkle_hash of_hash, root; /* the leaf, or the root of the smaller tree */
	size_t count;
	struct merkle_hash proof[MERKLE_PROOF_MAX + 1];
};

static int verify(const struct claim *c)
{
	return c->consistency ? merkle_verify_consistency(c->of, &c->of_hash, c->size, &c->root, c->proof, c->count)
			      : merkle_verify_inclusion(&c->of_hash, c->of, c->size, c->proof, c->count, &c->root);
}

static struct claim claim_inclusion(size_t index, size_t size)
{
	struct claim c = { .of = index, .size = size, .of_hash = mth(index, index + 1), .root = mth(0, size) };
	c.count = path(index, 0, size, c.proof);
	return c;
}

static struct claim claim_consistency(size_t from, size_t size)
{
	struct claim c = {
		.consistency = true, .of = from, .size = size, .of_hash = mth(0, from), .root = mth(0, size)
	};
	c.count = subproof(from, 0, size, true, c.proof);
	return c;
}

/* Every `step`th bit of the hash. */
static void refuse_flips(struct claim *c, struct merkle_hash *hash, unsigned first, unsigned step)
{
	for (unsigned bit = first % step; bit < 256; bit += step) {
		hash->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(verify(c), -1);
		hash->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

/* Nothing in it may change: no hash, in no place, and neither more nor fewer of them. Of larger trees, every eighth
 * proof. */
static void refuse_changes(const struct claim *right)
{
	const unsigned step = right->size <= 16 ? 1 : 199;
	assert_int_equal(verify(right), 0);
	if (right->size > 64 && (right->of + right->size) % 8 != 0)
		return;
	struct claim c = *right;
	refuse_flips(&c, &c.of_hash, (unsigned)c.of, step);
	refuse_flips(&c, &c.root, (unsigned)c.of, step);
	for (size_t i = 0; i < c.count; i++) {
		refuse_flips(&c, &c.proof[i], (unsigned)(c.of + i), step);
		for (size_t j = i + 1; j < c.count && (j == i + 1 || right->size <= 40); j++) {
			c.proof[i] = right->proof[j];
			c.proof[j] = right->proof[i];
			assert_int_equal(verify(&c), -1);
			c.proof[i] = right->proof[i];
			c.proof[j] = right->proof[j];
		}
	}
	for (c.count = 0; c.count < right->count; c.count++)
		assert_int_equal(verify(&c), -1);
	for (size_t without = 0; without < right->count; without++) {
		memmove(c.proof + without, right->proof + without + 1, (right->count - without - 1) * sizeof *c.proof);
		c.count = right->count - 1;
		assert_int_equal(verify(&c), -1);
		memcpy(c.proof, right->proof, right->count * sizeof *c.proof);
	}
	c.count = right->count + 1;
	for (size_t i = 0; i < c.count; i++) {
		c.proof[right->count] = i < right->count ? right->proof[i] : right->root;
		assert_int_equal(verify(&c), -1);
	}
	c.count = right->count;
	c.proof[c.count] = (struct merkle_hash){ 0 };
	assert_int_equal(verify(&c), 0);
}

static void test_inclusion_proofs_verify_and_no_changed_one_does(void **state)
{
	(void)state;
	uint64_t random = 7;
	for (size_t size = 1; size <= MOST; size++) {
		for (size_t index = 0; index < size; index++) {
			const struct claim right = claim_inclusion(index, size);
			refuse_changes(&right);

			/* For another place in the tree: near it, and some elsewhere. */
			struct claim c = right;
			for (uint64_t other = 0; other <= size;
				other += size <= 40 ? 1 : 1 + random_next(&random) % 64) {
				c.of = other;
				assert_int_equal(verify(&c), other == index ? 0 : -1);
			}
			c.of = index + 1;
			assert_int_equal(verify(&c), -1);
			c.of = index - 1;
			assert_int_equal(verify(&c), -1);
			c.of = index;

			/* Of another tree: the size is bound by its root. */
			for (size_t other = size < 4 ? 0 : size - 4; other <= size + 4 && other <= MOST; other++) {
				c.size = other;
				c.root = mth(0, other);
				assert_int_equal(verify(&c), other == size ? 0 : -1);
			}
		}
	}
}

static void test_consistency_proofs_verify_and_no_changed_one_does(void **state)
{
	(void)state;
	for (size_t size = 1; size <= MOST; size++) {
		for (size_t from = 1; from <= size; from++) {
			const struct claim right = claim_consistency(from, size);
			refuse_changes(&right);
			struct claim c = right;
			for (size_t other = from < 4 ? 0 : from - 4; other <= from + 4 && other <= MOST; other++) {
				c.of = other;
				c.of_hash = mth(0, other);
				assert_int_equal(verify(&c), other == from ? 0 : -1);
			}
			c.of = right.of;
			c.of_hash = right.of_hash;
			for (size_t other = size < 4 ? 0 : size - 4; other <= size + 4 && other <= MOST; other++) {
				c.size = other;
				c.root = mth(0, other);
				assert_int_equal(verify(&c), other == size ? 0 : -1);
			}
			c = right;
			c.of_hash = right.root;
			c.root = right.of_hash;
			assert_int_equal(verify(&c), from == size ? 0 : -1);
			c = right;
			c.of = right.size;
			c.size = right.of;
			assert_int_equal(verify(&c), from == size ? 0 : -1);
		}
	}
}

static void test_trees_of_nothing_and_places_outside_are_refused(void **state)
{
	(void)state;
	const struct merkle_hash leaf = mth(0, 1), empty = mth(0, 0);
	assert_int_equal(merkle_verify_inclusion(&leaf, 0, 1, NULL, 0, &leaf), 0);
	assert_int_equal(merkle_verify_inclusion(&leaf, 0, 0, NULL, 0, &leaf), -1);
	assert_int_equal(merkle_verify_inclusion(&empty, 0, 0, NULL, 0, &empty), -1);
	assert_int_equal(merkle_verify_inclusion(&leaf, 1, 1, NULL, 0, &leaf), -1);
	assert_int_equal(merkle_verify_inclusion(&leaf, UINT64_MAX, 1, NULL, 0, &leaf), -1);
	assert_int_equal(merkle_verify_inclusion(&leaf, UINT64_MAX, UINT64_MAX, NULL, 0, &leaf), -1);
	assert_int_equal(merkle_verify_consistency(0, &empty, 0, &empty, NULL, 0), -1);
	assert_int_equal(merkle_verify_consistency(0, &empty, 1, &leaf, NULL, 0), -1);
	assert_int_equal(merkle_verify_consistency(0, &empty, 1, &leaf, &leaf, 1), -1);
	assert_int_equal(merkle_verify_consistency(1, &leaf, 0, &empty, NULL, 0), -1);
	assert_int_equal(merkle_verify_consistency(1, &leaf, 1, &leaf, NULL, 0), 0);
	assert_int_equal(merkle_verify_consistency(1, &leaf, 1, &leaf, &leaf, 1), -1);
	/* A power of two, whose root the verifier puts in front itself: also then an empty proof proves nothing. */
	assert_int_equal(merkle_verify_consistency(1, &leaf, 2, &leaf, NULL, 0), -1);
	assert_int_equal(merkle_verify_consistency(3, &leaf, 4, &leaf, NULL, 0), -1);
}

/* Perfect subtrees of a tree all of whose leaves are alike: by height alone, as large as one wants. */
static struct merkle_hash alike[64];

static size_t carry_out_alike(const struct merkle_plan *plan, struct merkle_hash *out)
{
	struct merkle_hash nodes[MERKLE_PLAN_MAX];
	assert_true(plan->count <= MERKLE_PLAN_MAX);
	for (size_t i = 0; i < plan->count; i++) {
		assert_true(plan->nodes[i].height < 64);
		nodes[i] = alike[plan->nodes[i].height];
	}
	size_t count = merkle_plan_join(plan, nodes, out);
	assert_true(count <= MERKLE_PROOF_MAX);
	return count;
}

static struct merkle_hash root_alike(uint64_t size)
{
	struct merkle_plan plan;
	struct merkle_hash root[MERKLE_PROOF_MAX];
	merkle_root_plan(size, &plan);
	assert_int_equal(carry_out_alike(&plan, root), 1);
	return *root;
}

static void prove_alike(uint64_t of, uint64_t size)
{
	struct merkle_plan plan;
	struct claim c = { .of = of, .size = size, .of_hash = alike[0], .root = root_alike(size) };
	assert_int_equal(merkle_inclusion_plan(of, size, &plan), 0);
	c.count = carry_out_alike(&plan, c.proof);
	assert_int_equal(verify(&c), 0);
	refuse_flips(&c, &c.root, 0, 64);
	if (of == 0)
		return;
	c.consistency = true;
	c.of_hash = root_alike(of);
	assert_int_equal(merkle_consistency_plan(of, size, &plan), 0);
	c.count = carry_out_alike(&plan, c.proof);
	assert_int_equal(verify(&c), 0);
	refuse_flips(&c, &c.root, 0, 64);
}

static void test_trees_of_any_size(void **state)
{
	(void)state;
	merkle_leaf("", 0, &alike[0]);
	for (size_t height = 1; height < 64; height++)
		merkle_node(&alike[height - 1], &alike[height - 1], &alike[height]);
	static const uint64_t sizes[] = { INT64_MAX, INT64_MAX - 1, UINT64_C(1) << 62, (UINT64_C(1) << 62) + 1,
		UINT64_C(0x2aaaaaaaaaaaaaaa), UINT64_C(0x5555555555555555) };
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		const uint64_t size = sizes[i];
		const uint64_t places[] = { 0, 1, 2, size / 2, size - 1, size - 2, size / 3, (UINT64_C(1) << 62) - 1,
			UINT64_C(1) << 62, (UINT64_C(1) << 62) + 1 };
		for (size_t j = 0; j < sizeof places / sizeof *places; j++)
			prove_alike(places[j] % size, size);
	}
	struct merkle_plan plan;
	assert_int_equal(merkle_inclusion_plan(0, (uint64_t)INT64_MAX + 1, &plan), -1);
	assert_int_equal(merkle_consistency_plan(1, (uint64_t)INT64_MAX + 1, &plan), -1);
	merkle_root_plan(UINT64_MAX, &plan);
	assert_int_equal(plan.count, 64);

	uint64_t random = 5;
	for (size_t i = 0; i < 5000; i++) {
		uint64_t size = (random_next(&random) >> (1 + random_next(&random) % 63)) + 1;
		if (size <= INT64_MAX)
			prove_alike(random_next(&random) % size, size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plans_make_the_proofs_of_the_definition),
		cmocka_unit_test(test_plans_of_nothing),
		cmocka_unit_test(test_published_proofs),
		cmocka_unit_test(test_inclusion_proofs_verify_and_no_changed_one_does),
		cmocka_unit_test(test_consistency_proofs_verify_and_no_changed_one_does),
		cmocka_unit_test(test_trees_of_nothing_and_places_outside_are_refused),
		cmocka_unit_test(test_trees_of_any_size),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
