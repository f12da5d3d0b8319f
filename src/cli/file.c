#include "cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 65536

enum file_result file_read(const char *path, struct buffer *out)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	enum file_result result = FILE_FAILED;
	ssize_t length;

	if (file < 0) {
		if (errno == ENOENT)
			return FILE_ABSENT;
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return FILE_FAILED;
	}
	for (;;) {
		size_t room = out->maximum - out->length;
		uint8_t one, *block = room > 0 ? buffer_reserve(out, room < BLOCK ? room : BLOCK) : &one;
		length = read(file, block, room > 0 ? (room < BLOCK ? room : BLOCK) : 1);
		if (length <= 0)
			break;
		if (room == 0) {
			fprintf(stderr, "%s: larger than %zu bytes, which it cannot rightly be\n", path, out->maximum);
			goto out;
		}
		buffer_commit(out, (size_t)length);
	}
	if (length < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		goto out;
	}
	result = FILE_OK;
out:
	close(file);
	return result;
}

static int write_all(int file, const uint8_t *bytes, size_t length)
{
	while (length > 0) {
		ssize_t written = write(file, bytes, length);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -1;
		bytes += written;
		length -= (size_t)written;
	}
	return 0;
}

/* The name outlives a crash only once its directory was written too. */
static int sync_directory(const char *path)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int result = -1;

	snprintf(directory, sizeof directory, "%.*s", slash != NULL ? (int)(slash - path + 1) : 1,
		slash != NULL ? path : ".");
	int file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file >= 0) {
		result = fsync(file);
		close(file);
	}
	return result;
}

int file_replace(const char *path, const void *bytes, size_t length)
{
	char temporary[PATH_MAX];
	int result = -1;

	if (snprintf(temporary, sizeof temporary, "%s.tmp", path) >= (int)sizeof temporary) {
		fprintf(stderr, "%s: the name is too long\n", path);
		return -1;
	}
	int file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (file < 0) {
		fprintf(stderr, "%s: %s\n", temporary, strerror(errno));
		return -1;
	}
	if (write_all(file, bytes, length) == 0 && fsync(file) == 0)
		result = 0;
	if (close(file) != 0 || result != 0 || rename(temporary, path) != 0 || sync_directory(path) != 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		unlink(temporary);
		return -1;
	}
	return 0;
}
