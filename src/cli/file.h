#ifndef NEEDTOKNOW_CLI_FILE_H
#define NEEDTOKNOW_CLI_FILE_H

#include "base/buffer.h"

#include <stddef.h>

/* Whole files. What is wrong is said on standard error. */

enum file_result {
	FILE_OK,
	FILE_ABSENT, /* there is none; nothing is said */
	FILE_FAILED,
};

/* Appends all of it; more than the buffer's maximum fails. */
enum file_result file_read(const char *path, struct buffer *out);

/* Replaces it whole or not at all, whatever interrupts. 0 or -1. */
int file_replace(const char *path, const void *bytes, size_t length);

#endif
