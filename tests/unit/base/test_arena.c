#include "base/arena.h"

#include "support/check.h"

#define SECRET 0xa7

/* A refusal is a NULL here, as it is without the sanitizer. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void test_allocations_are_aligned_zero_and_apart(void **state)
{
	(void)state;
	uint64_t random = 7;
	/* More than once, so that the blocks of an earlier arena come back. */
	for (int round = 0; round < 6; round++) {
		struct arena *arena = round % 2 == 0 ? arena_new(1 << 20) : arena_new_lean(1 << 20);
		struct {
			uint8_t *bytes;
			size_t size;
		} held[400];
		for (size_t i = 0; i < 400; i++) {
			size_t size = random_next(&random) % (i % 50 == 0 ? 9000 : 300);
			uint8_t *bytes = arena_alloc(arena, size);
			assert_non_null(bytes);
			assert_int_equal((uintptr_t)bytes % _Alignof(max_align_t), 0);
			for (size_t j = 0; j < size; j++)
				assert_int_equal(bytes[j], 0);
			memset(bytes, (int)i, size);
			held[i].bytes = bytes;
			held[i].size = size;
		}
		for (size_t i = 0; i < 400; i++)
			for (size_t j = 0; j < held[i].size; j++)
				assert_int_equal(held[i].bytes[j], (uint8_t)i);
		arena_free(arena);
	}
	arena_free(NULL);
}

static void test_maximum(void **state)
{
	(void)state;
	struct arena *arena = arena_new(100);
	assert_null(arena_alloc(arena, 200));
	assert_null(arena_alloc(arena, SIZE_MAX));
	assert_null(arena_alloc(arena, SIZE_MAX - 8));
	assert_non_null(arena_alloc(arena, 100));
	assert_null(arena_alloc(arena, 100));
	arena_free(arena);

	/* Allocations of nothing take something, or a peer could have any number of them. */
	arena = arena_new(1024);
	size_t count = 0;
	while (arena_alloc(arena, 0) != NULL)
		count++;
	assert_in_range(count, 1, 1024);
	assert_null(arena_strdup(arena, "x"));
	assert_null(arena_memdup(arena, "x", 1));
	assert_null(arena_printf(arena, "%d", 1));
	arena_free(arena);

	arena = arena_new(0);
	assert_null(arena_alloc(arena, 1));
	arena_free(arena);

	arena = arena_new(SIZE_MAX);
	assert_null(arena_alloc(arena, SIZE_MAX - 1));
	assert_null(arena_alloc(arena, SIZE_MAX / 4)); /* allowed, but not to be had */
	assert_non_null(arena_alloc(arena, 1 << 20));
	arena_free(arena);
}

static void test_large_allocations(void **state)
{
	(void)state;
	struct arena *arena = arena_new(8 << 20);
	uint8_t *before = arena_alloc(arena, 8);
	uint8_t *large = arena_alloc(arena, 4 << 20);
	uint8_t *after = arena_alloc(arena, 8);
	assert_non_null(large);
	memset(large, SECRET, 4 << 20);
	assert_int_equal(before[0], 0);
	assert_int_equal(after[0], 0);
	assert_null(arena_alloc(arena, 4 << 20));
	uintptr_t address = (uintptr_t)large;
	arena_free(arena);
	assert_false(memory_has_run(address, 4 << 20, SECRET));
}

static void test_copies(void **state)
{
	(void)state;
	struct arena *arena = arena_new(10000);
	assert_string_equal(arena_strdup(arena, "Hélène"), "Hélène");
	assert_string_equal(arena_strdup(arena, ""), "");
	assert_memory_equal(arena_memdup(arena, "a\0b", 3), "a\0b", 3);
	assert_non_null(arena_memdup(arena, NULL, 0));
	assert_string_equal(arena_printf(arena, "%s-%d", "release", 7), "release-7");
	assert_string_equal(arena_printf(arena, "%s", ""), "");
	arena_free(arena);
}

static void test_free_wipes(void **state)
{
	(void)state;
	enum {
		COUNT = 64,
		SIZE = 1000
	};
	struct arena *arena = arena_new(1 << 20);
	uintptr_t addresses[COUNT];
	for (size_t i = 0; i < COUNT; i++) {
		void *bytes = arena_alloc(arena, SIZE);
		memset(bytes, SECRET, SIZE);
		addresses[i] = (uintptr_t)bytes;
	}
	arena_free(arena);
	for (size_t i = 0; i < COUNT; i++)
		assert_false(memory_has_run(addresses[i], SIZE, SECRET));
}

/* More arenas at a time than blocks are kept. */
static void test_many_arenas(void **state)
{
	(void)state;
	enum {
		COUNT = 1500
	};
	static struct arena *arenas[COUNT];
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < COUNT; i++) {
			arenas[i] = arena_new(100000);
			assert_non_null(arena_alloc(arenas[i], 1500));
			assert_non_null(arena_alloc(arenas[i], 1500));
		}
		for (size_t i = 0; i < COUNT; i++)
			arena_free(arenas[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allocations_are_aligned_zero_and_apart),
		cmocka_unit_test(test_maximum),
		cmocka_unit_test(test_large_allocations),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_free_wipes),
		cmocka_unit_test(test_many_arenas),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
