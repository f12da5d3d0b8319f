#include "base/memory.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void out_of_memory(void)
{
	static const char line[] = "needtoknow: out of memory\n";
	ssize_t ignored = write(STDERR_FILENO, line, sizeof line - 1);
	(void)ignored;
	abort();
}

/*
 * Hides from the compiler where a pointer came from. malloc() gives more bytes than were asked for and we touch them
 * all; a compiler that sees through to the malloc(), as link-time optimisation does, takes that for an overflow.
 */
static void *conceal(void *ptr)
{
	__asm__ __volatile__("" : "+r"(ptr) : : "memory");
	return ptr;
}

void mem_wipe(void *ptr, size_t size)
{
	if (size > 0)
		explicit_bzero(conceal(ptr), size);
}

void *mem_try_alloc(size_t size)
{
	return malloc(size > 0 ? size : 1);
}

void *mem_try_realloc(void *ptr, size_t size)
{
	if (ptr == NULL)
		return mem_try_alloc(size);

	size_t usable = malloc_usable_size(ptr);
	if (size <= usable && size >= usable / 2) {
		uint8_t *block = conceal(ptr);
		mem_wipe(block + size, usable - size);
		return block;
	}
	/* realloc() would leave the old bytes behind. */
	void *moved = mem_try_alloc(size);
	if (moved == NULL)
		return NULL;
	memcpy(moved, conceal(ptr), size < usable ? size : usable);
	mem_free(ptr);
	return moved;
}

void *mem_alloc(size_t size)
{
	void *ptr = mem_try_alloc(size);
	if (ptr == NULL)
		out_of_memory();
	return ptr;
}

void *mem_calloc(size_t count, size_t size)
{
	void *ptr = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
	if (ptr == NULL)
		out_of_memory();
	return ptr;
}

void *mem_realloc(void *ptr, size_t size)
{
	void *moved = mem_try_realloc(ptr, size);
	if (moved == NULL)
		out_of_memory();
	return moved;
}

char *mem_strdup(const char *text)
{
	return mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *text, size_t length)
{
	size_t size = strnlen(text, length);
	char *copy = mem_alloc(size + 1);
	memcpy(copy, text, size);
	copy[size] = '\0';
	return copy;
}

void mem_free(void *ptr)
{
	if (ptr == NULL)
		return;
	mem_wipe(ptr, malloc_usable_size(ptr));
	free(ptr);
}
