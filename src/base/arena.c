#include "base/arena.h"

#include "base/memory.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#endif
#endif
#ifndef ASAN_POISON_MEMORY_REGION
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

#define ALIGNMENT 16
_Static_assert(ALIGNMENT % _Alignof(max_align_t) == 0, "an allocation fits any type");

/* A block's unused bytes are zero at all times, so that an allocation has nothing to clear. */
struct block {
	struct block *next;
	size_t capacity; /* bytes behind this header */
	size_t used;
	struct shelf *shelf; /* where it goes when its arena is freed; NULL: back to the heap */
};
#define HEADER_SIZE ((sizeof(struct block) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT)

/* Free blocks of one size. The process has one thread. */
struct shelf {
	size_t block_size; /* header included */
	size_t keep; /* blocks at most */
	size_t count;
	struct block *blocks;
};
static struct shelf small_blocks = { .block_size = 2048, .keep = 1024 };
static struct shelf lean_blocks = { .block_size = 1024 };
static struct shelf usual_blocks = { .block_size = 16384, .keep = 128 };

struct arena {
	size_t maximum;
	size_t taken;
	struct block *blocks; /* the first is the one that is being filled */
};
#define ARENA_SIZE ((sizeof(struct arena) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT)

static uint8_t *block_bytes(struct block *block)
{
	return (uint8_t *)block + HEADER_SIZE;
}

/* Of the usual sizes: never NULL. */
static struct block *block_new(struct shelf *shelf, size_t capacity)
{
	size_t size = HEADER_SIZE + capacity;
	struct block *block = shelf != NULL ? mem_alloc(size) : mem_try_alloc(size);
	if (block == NULL)
		return NULL;
	memset(block, 0, size);
	block->capacity = capacity;
	block->shelf = shelf;
	ASAN_POISON_MEMORY_REGION(block_bytes(block), capacity);
	return block;
}

static struct block *block_take(struct shelf *shelf)
{
	struct block *block = shelf->blocks;
	if (block == NULL)
		return block_new(shelf, shelf->block_size - HEADER_SIZE);
	shelf->blocks = block->next;
	shelf->count--;
	block->next = NULL;
	return block;
}

static void block_give_back(struct block *block)
{
	struct shelf *shelf = block->shelf;
	if (shelf == NULL || shelf->count == shelf->keep) {
		ASAN_UNPOISON_MEMORY_REGION(block_bytes(block), block->capacity);
		mem_free(block);
		return;
	}
	ASAN_UNPOISON_MEMORY_REGION(block_bytes(block), block->used);
	mem_wipe(block_bytes(block), block->used);
	ASAN_POISON_MEMORY_REGION(block_bytes(block), block->used);
	block->used = 0;
	block->next = shelf->blocks;
	shelf->blocks = block;
	shelf->count++;
}

static size_t round_up(size_t size)
{
	return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Takes `size` bytes, of which the caller will use `used`, from a block that has them. */
static void *block_cut(struct block *block, size_t size, size_t used)
{
	uint8_t *bytes = block_bytes(block) + block->used;
	block->used += size;
	ASAN_UNPOISON_MEMORY_REGION(bytes, used);
	return bytes;
}

static struct arena *arena_on(struct shelf *shelf, size_t maximum)
{
	struct block *block = block_take(shelf);
	struct arena *arena = block_cut(block, ARENA_SIZE, sizeof *arena);
	/* Allocations are counted rounded, so a request for all of it must still fit. */
	arena->maximum = maximum > SIZE_MAX / 2 ? SIZE_MAX / 2 : round_up(maximum);
	arena->blocks = block;
	return arena;
}

struct arena *arena_new(size_t maximum)
{
	return arena_on(&small_blocks, maximum);
}

struct arena *arena_new_lean(size_t maximum)
{
	return arena_on(&lean_blocks, maximum);
}

void arena_free(struct arena *arena)
{
	if (arena == NULL)
		return;
	struct block *block = arena->blocks; /* the arena itself is in one of them */
	while (block != NULL) {
		struct block *next = block->next;
		block_give_back(block);
		block = next;
	}
}

void *arena_alloc(struct arena *arena, size_t size)
{
	size_t left = arena->maximum - arena->taken;
	if (size > left)
		return NULL;
	size_t rounded = round_up(size > 0 ? size : 1);
	if (rounded > left)
		return NULL;

	struct block *block = arena->blocks;
	if (rounded > block->capacity - block->used) {
		/* What would fill much of a usual block gets one of its own behind the one that is being filled. */
		if (rounded > usual_blocks.block_size / 4) {
			block = block_new(NULL, rounded);
			if (block == NULL)
				return NULL;
			block->next = arena->blocks->next;
			arena->blocks->next = block;
		} else {
			bool next_is_small =
				block->shelf == &lean_blocks && rounded <= small_blocks.block_size - HEADER_SIZE;
			block = block_take(next_is_small ? &small_blocks : &usual_blocks);
			block->next = arena->blocks;
			arena->blocks = block;
		}
	}
	arena->taken += rounded;
	return block_cut(block, rounded, size);
}

void *arena_memdup(struct arena *arena, const void *bytes, size_t length)
{
	void *copy = arena_alloc(arena, length);
	if (copy != NULL && length > 0)
		memcpy(copy, bytes, length);
	return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return arena_memdup(arena, text, strlen(text) + 1);
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list arguments, again;
	va_start(arguments, format);
	va_copy(again, arguments);
	int length = vsnprintf(NULL, 0, format, arguments);
	assert(length >= 0);
	char *text = arena_alloc(arena, (size_t)length + 1);
	if (text != NULL)
		vsnprintf(text, (size_t)length + 1, format, again);
	va_end(again);
	va_end(arguments);
	return text;
}
