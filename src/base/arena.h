#ifndef NEEDTOKNOW_BASE_ARENA_H
#define NEEDTOKNOW_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

/*
 * Memory of one call: many small allocations, freed and wiped at once. Bounded, because a peer chooses how much of it a
 * request needs. The first block is small, so that a call that needs little costs little; freed blocks of usual size
 * are kept (wiped) for the next arena.
 */
struct arena;

/* `maximum`: bytes that all allocations together may take. */
struct arena *arena_new(size_t maximum);
/* The same for what needs little and lives long: it begins with half as much. */
struct arena *arena_new_lean(size_t maximum);
/* Wipes and frees all. NULL is allowed. */
void arena_free(struct arena *arena);

/* Aligned for any type; zeroed. NULL when the maximum is reached. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_strdup(struct arena *arena, const char *text);
void *arena_memdup(struct arena *arena, const void *bytes, size_t length);
/* A formatted string; NULL when the maximum is reached. */
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
