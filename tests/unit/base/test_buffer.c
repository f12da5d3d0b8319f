#include "base/buffer.h"

#include "support/check.h"

#define SECRET 0xa7

/* A refusal is a NULL here, as it is without the sanitizer. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void test_appends_in_order(void **state)
{
	(void)state;
	struct buffer buffer;
	buffer_init(&buffer, 100);
	assert_null(buffer.data);
	assert_int_equal(buffer_append(&buffer, NULL, 0), 0);
	assert_null(buffer.data);

	assert_int_equal(buffer_append(&buffer, "ab", 2), 0);
	assert_int_equal(buffer_append_u8(&buffer, 0x01), 0);
	assert_int_equal(buffer_append_u16(&buffer, 0x0203), 0);
	assert_int_equal(buffer_append_u32(&buffer, 0x04050607), 0);
	assert_int_equal(buffer_append_u64(&buffer, UINT64_C(0x08090a0b0c0d0e0f)), 0);
	static const uint8_t expected[] = { 'a', 'b', 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	assert_int_equal(buffer.length, sizeof expected);
	assert_memory_equal(buffer.data, expected, sizeof expected);
	buffer_release(&buffer);
	assert_null(buffer.data);
	assert_int_equal(buffer.length, 0);
	assert_int_equal(buffer.maximum, 100);
}

static void test_maximum_holds_and_changes_nothing(void **state)
{
	(void)state;
	struct buffer buffer;
	buffer_init(&buffer, 5);
	assert_int_equal(buffer_append(&buffer, "123456", 6), -1);
	assert_int_equal(buffer_append_u64(&buffer, 1), -1);
	assert_int_equal(buffer.length, 0);
	assert_int_equal(buffer_append(&buffer, "1234", 4), 0);
	assert_int_equal(buffer_append_u16(&buffer, 1), -1);
	assert_int_equal(buffer_append_u32(&buffer, 1), -1);
	assert_null(buffer_reserve(&buffer, 2));
	assert_null(buffer_reserve(&buffer, SIZE_MAX));
	assert_int_equal(buffer.length, 4);
	assert_int_equal(buffer_append_u8(&buffer, '5'), 0);
	assert_int_equal(buffer_append_u8(&buffer, '6'), -1);
	assert_memory_equal(buffer.data, "12345", 5);
	/* What is consumed makes room. */
	buffer_consume(&buffer, 3);
	assert_int_equal(buffer_append(&buffer, "678", 3), 0);
	assert_memory_equal(buffer.data, "45678", 5);
	buffer_release(&buffer);
}

static void test_reserve_then_commit(void **state)
{
	(void)state;
	struct buffer buffer;
	buffer_init(&buffer, 1000);
	uint8_t *room = buffer_reserve(&buffer, 1000);
	assert_non_null(room);
	memset(room, 'x', 1000);
	assert_int_equal(buffer.length, 0);
	buffer_commit(&buffer, 400);
	assert_int_equal(buffer.length, 400);
	assert_non_null(buffer_reserve(&buffer, 600));
	assert_null(buffer_reserve(&buffer, 601));
	assert_non_null(buffer_reserve(&buffer, 0));
	buffer_release(&buffer);
	assert_non_null(buffer_reserve(&buffer, 0));
	buffer_release(&buffer);
}

static void test_wipes_what_is_gone(void **state)
{
	(void)state;
	struct buffer buffer;
	buffer_init(&buffer, 256);
	memset(buffer_reserve(&buffer, 256), 0, 256); /* what nobody writes is known, too */
	uint8_t bytes[200];
	memset(bytes, SECRET, sizeof bytes);
	assert_int_equal(buffer_append(&buffer, bytes, sizeof bytes), 0);
	buffer_consume(&buffer, 150);
	assert_null(memchr(buffer.memory, SECRET, 150));
	assert_int_equal(buffer.data[0], SECRET);

	/* The unread 50 move to the front, and not a copy of them stays behind. */
	uint8_t *memory = buffer.memory;
	memset(bytes, 'x', sizeof bytes); /* not a secret, so that only the old ones are looked for */
	assert_int_equal(buffer_append(&buffer, bytes, 100), 0);
	assert_ptr_equal(buffer.memory, memory);
	assert_ptr_equal(buffer.data, memory);
	assert_null(memchr(memory + 50, SECRET, buffer.capacity - 50));

	buffer_clear(&buffer);
	assert_int_equal(buffer.length, 0);
	assert_ptr_equal(buffer.memory, memory);
	assert_null(memchr(memory, SECRET, buffer.capacity));
	assert_null(memchr(memory, 'x', 150));
	buffer_clear(&buffer);
	buffer_release(&buffer);
}

static void test_wipes_the_block_it_outgrows(void **state)
{
	(void)state;
	struct buffer buffer;
	buffer_init(&buffer, 1 << 20);
	uint8_t bytes[200];
	memset(bytes, SECRET, sizeof bytes);
	assert_int_equal(buffer_append(&buffer, bytes, sizeof bytes), 0);
	uintptr_t old = (uintptr_t)buffer.memory;
	size_t capacity = buffer.capacity;
	uint8_t *room = buffer_reserve(&buffer, 100000);
	assert_true((uintptr_t)room > old + capacity || (uintptr_t)room < old);
	assert_memory_equal(buffer.data, bytes, sizeof bytes);
	assert_false(memory_has_run(old, capacity, SECRET));

	uintptr_t last = (uintptr_t)buffer.memory;
	capacity = buffer.capacity;
	buffer_release(&buffer);
	assert_false(memory_has_run(last, capacity, SECRET));
}

/* Against the plainest model: an array. */
static void test_behaves_as_a_queue(void **state)
{
	(void)state;
	enum {
		MAXIMUM = 700
	};
	uint64_t random = 1;
	for (int round = 0; round < 20; round++) {
		struct buffer buffer;
		buffer_init(&buffer, MAXIMUM);
		uint8_t model[MAXIMUM];
		size_t length = 0;
		for (int step = 0; step < 2000; step++) {
			size_t size = random_next(&random) % 200;
			if (random_next(&random) % 2 == 0) {
				uint8_t bytes[200];
				for (size_t i = 0; i < size; i++)
					bytes[i] = (uint8_t)random_next(&random);
				int appended = buffer_append(&buffer, bytes, size);
				assert_int_equal(appended, length + size <= MAXIMUM ? 0 : -1);
				if (appended == 0) {
					memcpy(model + length, bytes, size);
					length += size;
				}
			} else {
				size = size < length ? size : length;
				buffer_consume(&buffer, size);
				memmove(model, model + size, length - size);
				length -= size;
			}
			assert_int_equal(buffer.length, length);
			if (length > 0)
				assert_memory_equal(buffer.data, model, length);
			assert_true(buffer.capacity <= 2 * MAXIMUM);
		}
		buffer_release(&buffer);
	}
}

/* A maximum without end is one that memory sets. */
static void test_no_memory_is_too_much(void **state)
{
	(void)state;
	struct buffer buffer;
	buffer_init(&buffer, SIZE_MAX);
	assert_int_equal(buffer_append(&buffer, "abc", 3), 0);
	assert_null(buffer_reserve(&buffer, SIZE_MAX / 4));
	assert_int_equal(buffer.length, 3);
	assert_memory_equal(buffer.data, "abc", 3);
	buffer_release(&buffer);
}

static void commit_too_much(void *unused)
{
	(void)unused;
	struct buffer buffer;
	buffer_init(&buffer, 10);
	buffer_reserve(&buffer, 10);
	buffer_commit(&buffer, 11);
}

static void consume_too_much(void *unused)
{
	(void)unused;
	struct buffer buffer;
	buffer_init(&buffer, 10);
	buffer_append(&buffer, "abc", 3);
	buffer_consume(&buffer, 4);
}

static void test_misuse_ends_the_process(void **state)
{
	(void)state;
	assert_true(ends_process(commit_too_much, NULL));
	assert_true(ends_process(consume_too_much, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_appends_in_order),
		cmocka_unit_test(test_maximum_holds_and_changes_nothing),
		cmocka_unit_test(test_reserve_then_commit),
		cmocka_unit_test(test_wipes_what_is_gone),
		cmocka_unit_test(test_wipes_the_block_it_outgrows),
		cmocka_unit_test(test_behaves_as_a_queue),
		cmocka_unit_test(test_no_memory_is_too_much),
		cmocka_unit_test(test_misuse_ends_the_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
