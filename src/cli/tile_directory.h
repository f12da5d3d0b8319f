#ifndef NEEDTOKNOW_CLI_TILE_DIRECTORY_H
#define NEEDTOKNOW_CLI_TILE_DIRECTORY_H

#include "base/buffer.h"
#include "pure/checkpoint.h"
#include "pure/tile.h"

#include <stdbool.h>

/*
 * A directory in which a log is written as https://c2sp.org/tlog-tiles says. Full tiles are written once. A full tile
 * of leaves is written after everything to its left and above it, so its being there says that all of that is; the
 * checkpoint comes last, and what is not full of an earlier one goes after that. What is wrong is said on standard
 * error.
 */
struct tile_directory {
	const char *path;
	int directory; /* -1: not open */
	uint64_t written, removed; /* files */
};

/* Makes it when there is none, and keeps other writers out. 0; -1: it cannot be used, or holds something else. */
int tile_directory_open(struct tile_directory *out, const char *path);
void tile_directory_close(struct tile_directory *directory);

/* Whole or not at all. 0 or -1. */
int tile_directory_write(struct tile_directory *directory, const char *path, const void *bytes, size_t length);
bool tile_directory_has(const struct tile_directory *directory, const char *path, size_t length);
/* Appends the file. 0, or -1: it is not there or cannot be read; nothing is said. */
int tile_directory_read(const struct tile_directory *directory, const char *path, struct buffer *out);

/* The first size, at least `size` and a multiple of 256, behind which no full tile of leaves is there any more. */
uint64_t tile_directory_end(const struct tile_directory *directory, uint64_t size);
/* The right edge of the tree of `size` leaves, as the files have it, into a builder. 0, or -1: files are missing. */
int tile_directory_edge(const struct tile_directory *directory, uint64_t size, struct tile_builder *out);

/* Everything is on the disk. 0 or -1. */
int tile_directory_sync(const struct tile_directory *directory);
/* Removes what is not full and not of a tree of `size` leaves, and what an interrupted writer left. 0 or -1. */
int tile_directory_sweep(struct tile_directory *directory, uint64_t size);

#endif
