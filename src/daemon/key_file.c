#include "daemon/key_file.h"

#include "base/memory.h"
#include "io/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Up to `size` bytes from the file's beginning; -1 with errno. */
static ssize_t read_up_to(int file, char *out, size_t size)
{
	size_t length = 0;
	while (length < size) {
		ssize_t got = read(file, out + length, size - length);
		if (got == 0)
			break;
		if (got > 0)
			length += (size_t)got;
		else if (errno != EINTR)
			return -1;
	}
	return (ssize_t)length;
}

int key_file_read(const char *path, struct note_signer *out, char *error, size_t error_size)
{
	char text[NOTE_KEY_TEXT_MAX + 1]; /* a line feed more than a key, at most */
	struct stat status;
	int result = -1;
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (file < 0 || fstat(file, &status) != 0) {
		snprintf(error, error_size, "%s cannot be read: %s", path, strerror(errno));
		goto out;
	}
	if (secret_file_check(&status, path, error, error_size) != 0)
		goto out;
	ssize_t length = read_up_to(file, text, sizeof text);
	if (length < 0) {
		snprintf(error, error_size, "%s cannot be read: %s", path, strerror(errno));
		goto out;
	}
	if (length < (ssize_t)sizeof text && !memchr(text, '\0', (size_t)length)) {
		text[length] = '\0';
		result = note_signer_parse(out, text);
	}
	if (result != 0)
		snprintf(error, error_size, "%s is not a signing key, as `needtoknowd keygen` makes it", path);
out:
	mem_wipe(text, sizeof text);
	if (file >= 0)
		close(file);
	return result;
}

static int write_whole(int file, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t put = write(file, text, length);
		if (put < 0 && errno != EINTR)
			return -1;
		if (put > 0) {
			text += put;
			length -= (size_t)put;
		}
	}
	return fsync(file);
}

int key_file_write(const char *path, const struct note_signer *signer, char *error, size_t error_size)
{
	char text[NOTE_KEY_TEXT_MAX + 1];
	int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (file < 0) {
		snprintf(error, error_size, "%s cannot be written: %s", path, strerror(errno));
		return -1;
	}
	note_signer_text(signer, text);
	size_t length = strlen(text);
	text[length++] = '\n';
	int result = fchmod(file, 0600) == 0 ? write_whole(file, text, length) : -1;
	mem_wipe(text, sizeof text);
	if (close(file) != 0)
		result = -1;
	if (result != 0) {
		snprintf(error, error_size, "%s cannot be written: %s", path, strerror(errno));
		unlink(path);
	}
	return result;
}
