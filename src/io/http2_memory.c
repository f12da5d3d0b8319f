#include "io/http2_memory.h"

#include "base/memory.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define FRAME_MAX 16384 /* RFC 9113 section 6.5.2: what we and our peers leave SETTINGS_MAX_FRAME_SIZE at */
#define FRAMES_SIZE (5 * 4096) /* a frame with its header and padding */

static void *memory_alloc(size_t size, void *context)
{
	(void)context;
	return mem_try_alloc(size);
}

static void memory_free(void *block, void *context)
{
	struct http2_memory *memory = context;
	if (!block || block != memory->frames) {
		mem_free(block);
		return;
	}
	/* The kernel wipes what it takes back. */
	munmap(memory->frames, FRAMES_SIZE);
	memory->frames = NULL;
}

static void *memory_calloc(size_t count, size_t size, void *context)
{
	(void)context;
	if (size > 0 && count > SIZE_MAX / size)
		return NULL;
	void *block = mem_try_alloc(count * size);
	if (block)
		memset(block, 0, count * size);
	return block;
}

static void *memory_realloc(void *block, size_t size, void *context)
{
	struct http2_memory *memory = context;
	if (!block && !memory->frames && size > FRAME_MAX && size <= FRAMES_SIZE) {
		void *pages = mmap(NULL, FRAMES_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (pages == MAP_FAILED)
			return mem_try_alloc(size);
		memory->frames = pages;
		return pages;
	}
	if (!block || block != memory->frames)
		return mem_try_realloc(block, size);
	void *moved = mem_try_alloc(size);
	if (moved) {
		memcpy(moved, block, size < FRAMES_SIZE ? size : FRAMES_SIZE);
		memory_free(block, context);
	}
	return moved;
}

nghttp2_mem http2_memory_allocator(struct http2_memory *memory)
{
	return (nghttp2_mem){ memory, memory_alloc, memory_free, memory_calloc, memory_realloc };
}
