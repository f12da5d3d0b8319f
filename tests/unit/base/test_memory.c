#include "base/memory.h"

#include "support/check.h"

/* A refusal is a NULL here, as it is without the sanitizer. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* Volatile: a compiler that sees these numbers refuses to build the test. */
static volatile size_t too_much = SIZE_MAX / 2, too_many = SIZE_MAX / 4;
#define SECRET 0xa7

static void test_allocations_are_usable(void **state)
{
	(void)state;
	for (size_t size = 0; size < 300; size++) {
		uint8_t *bytes = mem_alloc(size);
		assert_non_null(bytes);
		memset(bytes, SECRET, size);
		mem_free(bytes);
	}
	mem_free(NULL);
}

static void test_calloc_is_zero(void **state)
{
	(void)state;
	uint8_t *numbers = mem_calloc(7, 9);
	for (size_t i = 0; i < 63; i++)
		assert_int_equal(numbers[i], 0);
	mem_free(numbers);
	void *nothing = mem_calloc(0, 0);
	assert_non_null(nothing);
	mem_free(nothing);
}

static void test_strings_are_copied(void **state)
{
	(void)state;
	char *whole = mem_strdup("Hélène");
	assert_string_equal(whole, "Hélène");
	char *front = mem_strndup("planning", 4);
	assert_string_equal(front, "plan");
	char *shorter = mem_strndup("day", 100);
	assert_string_equal(shorter, "day");
	char *empty = mem_strdup("");
	assert_string_equal(empty, "");
	mem_free(whole);
	mem_free(front);
	mem_free(shorter);
	mem_free(empty);
}

static void test_realloc_keeps_the_bytes(void **state)
{
	(void)state;
	uint8_t *bytes = mem_realloc(NULL, 1);
	bytes[0] = 0;
	size_t size = 1;
	/* Grows and shrinks, by little and by much. */
	static const size_t sizes[] = { 2, 3, 10, 100, 99, 60, 5000, 4999, 20, 21, 100000, 7, 1 };
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		bytes = mem_realloc(bytes, sizes[i]);
		for (size_t j = 0; j < size && j < sizes[i]; j++)
			assert_int_equal(bytes[j], j & 0x7f);
		for (size_t j = 0; j < sizes[i]; j++)
			bytes[j] = j & 0x7f;
		size = sizes[i];
	}
	mem_free(bytes);
}

static void test_free_wipes(void **state)
{
	(void)state;
	for (size_t size = 32; size <= 4096; size *= 2) {
		uint8_t *bytes = mem_alloc(size);
		memset(bytes, SECRET, size);
		uintptr_t address = (uintptr_t)bytes;
		assert_true(memory_has_run(address, size, SECRET));
		mem_free(bytes);
		assert_false(memory_has_run(address, size, SECRET));
	}
}

static void test_realloc_wipes_what_it_leaves(void **state)
{
	(void)state;
	uint8_t *bytes = mem_alloc(1000);
	memset(bytes, SECRET, 1000);
	uintptr_t before = (uintptr_t)bytes;
	bytes = mem_realloc(bytes, 900);
	uintptr_t after = (uintptr_t)bytes;
	assert_int_equal(bytes[899], SECRET);
	assert_false(memory_has_run(after + 900, 100, SECRET));

	bytes = mem_realloc(bytes, 50000);
	assert_int_equal(bytes[899], SECRET);
	if ((uintptr_t)bytes != after)
		assert_false(memory_has_run(before, 1000, SECRET));
	mem_free(bytes);
}

static void test_wipe_overwrites(void **state)
{
	(void)state;
	uint8_t bytes[] = { SECRET, SECRET, SECRET };
	mem_wipe(bytes + 1, 1);
	assert_int_equal(bytes[0], SECRET);
	assert_int_equal(bytes[1], 0);
	assert_int_equal(bytes[2], SECRET);
	mem_wipe(NULL, 0);
}

static void test_refusal_is_null(void **state)
{
	(void)state;
	assert_null(mem_try_alloc(too_much));
	uint8_t *bytes = mem_try_realloc(NULL, 8);
	memset(bytes, SECRET, 8);
	assert_null(mem_try_realloc(bytes, too_much));
	assert_int_equal(bytes[7], SECRET);
	mem_free(bytes);
}

static void alloc_too_much(void *unused)
{
	(void)unused;
	mem_alloc(too_much);
}

static void calloc_too_much(void *unused)
{
	(void)unused;
	mem_calloc(too_many, 8);
}

static void realloc_too_much(void *unused)
{
	(void)unused;
	mem_realloc(NULL, too_much);
}

static void test_no_memory_ends_the_process(void **state)
{
	(void)state;
	assert_true(ends_process(alloc_too_much, NULL));
	assert_true(ends_process(calloc_too_much, NULL));
	assert_true(ends_process(realloc_too_much, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allocations_are_usable),
		cmocka_unit_test(test_calloc_is_zero),
		cmocka_unit_test(test_strings_are_copied),
		cmocka_unit_test(test_realloc_keeps_the_bytes),
		cmocka_unit_test(test_free_wipes),
		cmocka_unit_test(test_realloc_wipes_what_it_leaves),
		cmocka_unit_test(test_wipe_overwrites),
		cmocka_unit_test(test_refusal_is_null),
		cmocka_unit_test(test_no_memory_ends_the_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
