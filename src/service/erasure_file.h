#ifndef NEEDTOKNOW_SERVICE_ERASURE_FILE_H
#define NEEDTOKNOW_SERVICE_ERASURE_FILE_H

#include "pure/erasure_line.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The file `erasures` in state_dir, which all workers of a daemon share: a line an erasure (pure/erasure_line.h), added
 * at its end, or written anew and renamed when old lines go. Whoever writes has `erasures.lock`. A last line without
 * its line feed is of a writer that died: whoever writes next removes it. Reading waits for the disk, as short files
 * do; writing has the loop go on meanwhile.
 */
struct erasure_file;

/* 32 bytes of `secret` are copied. */
struct erasure_file *erasure_file_new(const char *directory, const uint8_t *secret);
/* Waits for the disk where it was asked. NULL is allowed. */
void erasure_file_free(struct erasure_file *file);

/* What was added since. 0; or -1 and one line for the operator: it cannot be read, or a line was changed or is of
 * another database. */
int erasure_file_read(struct erasure_file *file, char *error, size_t error_size);
/* In the order of the file; valid until it is read or written again. */
const struct erasure_line *erasure_file_lines(const struct erasure_file *file, size_t *count);
bool erasure_file_has(const struct erasure_file *file, const uint8_t request_key[16]);

enum erasure_written {
	ERASURE_WRITING, /* ask erasure_file_poll() */
	ERASURE_DURABLE,
	ERASURE_BUSY, /* another worker is at it: try again */
	ERASURE_FAILED, /* one line for the operator says why */
};
/* Adds those that are not there yet; lines recorded before `drop_before` go. */
enum erasure_written erasure_file_write(struct erasure_file *file, const struct erasure_line *lines, size_t count,
	int64_t drop_before, char *error, size_t error_size);
/* What became of it; never ERASURE_BUSY. */
enum erasure_written erasure_file_poll(struct erasure_file *file, char *error, size_t error_size);

#endif
