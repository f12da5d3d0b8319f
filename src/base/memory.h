#ifndef NEEDTOKNOW_BASE_MEMORY_H
#define NEEDTOKNOW_BASE_MEMORY_H

#include <stddef.h>

/*
 * The heap. Everything that may have held personal data must not outlive its use, and a free() that forgets to wipe is
 * hard to see; so mem_free() always overwrites what it gives back. Allocation of a size that we choose ends the process
 * when memory is gone; memory whose size a peer chooses goes through buffer.h or arena.h, which have a maximum.
 */

/* Never NULL: the process ends, with a line on standard error, when there is no memory. mem_calloc checks the product.
 */
void *mem_alloc(size_t size);
void *mem_calloc(size_t count, size_t size);
/* Wipes the old block when it moves. `ptr` may be NULL. */
void *mem_realloc(void *ptr, size_t size);
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t length);

/* Overwrites the whole block, then frees it. NULL is allowed. */
void mem_free(void *ptr);

/* Overwrites memory in a way that the compiler keeps. */
void mem_wipe(void *ptr, size_t size);

/* For libraries that take an allocator and must survive a refusal: NULL when memory is gone. Freed by mem_free(). */
void *mem_try_alloc(size_t size);
void *mem_try_realloc(void *ptr, size_t size);

#endif
