#include "io/http2_memory.h"

#include "base/memory.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096
#define FRAME_MAX 16384 /* RFC 9113 section 6.5.2: what we and our peers leave SETTINGS_MAX_FRAME_SIZE at */
#define FRAMES_SIZE (FRAME_MAX + 1024) /* a frame with its header and padding */
#define PAGES_SIZE (PAGE + 5 * PAGE)
_Static_assert(PAGES_SIZE >= PAGE + FRAMES_SIZE, "what comes first, and the frames");

/* What is smaller is better kept on the heap: it comes and goes. */
#define LARGE 1000
/* Of the first page, left for the beginning of the frames: those of an ordinary answer. */
#define SHORT_FRAMES 112
#define ALIGNMENT 16

/* From the pages, which the kernel gives zeroed and nothing is given back to: NULL when it is not for them. */
static void *pages_take(struct http2_memory *memory, size_t size)
{
	bool frames = size > FRAME_MAX && size <= FRAMES_SIZE;
	size_t limit = frames ? PAGES_SIZE : PAGE - SHORT_FRAMES;

	if (size < LARGE || size > limit || memory->used > limit - size)
		return NULL;
	if (!memory->pages) {
		void *pages = mmap(NULL, PAGES_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (pages == MAP_FAILED)
			return NULL;
		memory->pages = pages;
	}
	void *block = memory->pages + memory->used;
	/* Behind the frames comes nothing. */
	memory->used = frames ? PAGES_SIZE : (memory->used + size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	return block;
}

static bool in_pages(const struct http2_memory *memory, const void *block)
{
	const uint8_t *byte = block;
	return memory->pages && byte >= memory->pages && byte < memory->pages + PAGES_SIZE;
}

static void *memory_alloc(size_t size, void *context)
{
	void *block = pages_take(context, size);
	return block ? block : mem_try_alloc(size);
}

static void memory_free(void *block, void *context)
{
	/* The kernel wipes what it takes back, all at once. */
	if (!in_pages(context, block))
		mem_free(block);
}

static void *memory_calloc(size_t count, size_t size, void *context)
{
	if (size > 0 && count > SIZE_MAX / size)
		return NULL;
	void *block = pages_take(context, count * size);
	if (block)
		return block;
	block = mem_try_alloc(count * size);
	if (block)
		memset(block, 0, count * size);
	return block;
}

static void *memory_realloc(void *block, size_t size, void *context)
{
	struct http2_memory *memory = context;
	if (!block)
		return memory_alloc(size, context);
	if (!in_pages(memory, block))
		return mem_try_realloc(block, size);
	/* How long it was is not known: no longer than up to the pages' end. */
	size_t most = (size_t)(memory->pages + PAGES_SIZE - (uint8_t *)block);
	void *moved = mem_try_alloc(size);
	if (moved)
		memcpy(moved, block, size < most ? size : most);
	return moved;
}

nghttp2_mem http2_memory_allocator(struct http2_memory *memory)
{
	return (nghttp2_mem){ memory, memory_alloc, memory_free, memory_calloc, memory_realloc };
}

void http2_memory_release(struct http2_memory *memory)
{
	if (memory->pages)
		munmap(memory->pages, PAGES_SIZE);
	*memory = (struct http2_memory){ 0 };
}
