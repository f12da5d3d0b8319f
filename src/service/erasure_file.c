#include "service/erasure_file.h"

#include "base/buffer.h"
#include "base/memory.h"

#include <aio.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#define NAME "erasures"
#define NEW_NAME "erasures.new" /* whoever has the lock writes it */
#define LOCK_NAME "erasures.lock"
#define BYTES_MAX ((size_t)1 << 30)
#define PIECE ((size_t)1 << 16)

struct known {
	uint8_t request_key[16];
	UT_hash_handle hh;
};

struct erasure_file {
	char *directory;
	uint8_t secret[32];
	struct erasure_line *lines;
	size_t count, size;
	struct known *known;
	/* What was read: of which file, and up to where. */
	dev_t device;
	ino_t inode;
	off_t read_to;
	/* Being written: -1 when nothing is. `file`: what the disk is asked to keep. */
	int lock, file;
	bool anew, renamed; /* in NEW_NAME; that has got its name, and `file` is the directory */
	struct aiocb sync;
};

struct erasure_file *erasure_file_new(const char *directory, const uint8_t *secret)
{
	struct erasure_file *file = mem_calloc(1, sizeof *file);
	file->directory = mem_strdup(directory);
	memcpy(file->secret, secret, sizeof file->secret);
	file->lock = file->file = -1;
	return file;
}

static void forget_lines(struct erasure_file *file)
{
	struct known *known, *next;
	HASH_ITER (hh, file->known, known, next) {
		HASH_DEL(file->known, known);
		mem_free(known);
	}
	mem_free(file->lines);
	file->lines = NULL;
	file->count = file->size = 0;
	file->read_to = 0;
	file->inode = 0;
}

static void let_go(struct erasure_file *file)
{
	if (file->file >= 0)
		close(file->file);
	if (file->lock >= 0)
		close(file->lock);
	file->lock = file->file = -1;
}

void erasure_file_free(struct erasure_file *file)
{
	if (!file)
		return;
	const struct aiocb *const list[] = { &file->sync };
	while (file->file >= 0 && aio_error(&file->sync) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	let_go(file);
	forget_lines(file);
	mem_wipe(file->secret, sizeof file->secret);
	mem_free(file->directory);
	mem_free(file);
}

/* ---- reading ---- */

const struct erasure_line *erasure_file_lines(const struct erasure_file *file, size_t *count)
{
	*count = file->count;
	return file->lines;
}

bool erasure_file_has(const struct erasure_file *file, const uint8_t request_key[16])
{
	struct known *known;
	HASH_FIND(hh, file->known, request_key, 16, known);
	return known != NULL;
}

static void learn(struct erasure_file *file, const struct erasure_line *line)
{
	if (erasure_file_has(file, line->request_key))
		return;
	struct known *known = mem_calloc(1, sizeof *known);
	memcpy(known->request_key, line->request_key, sizeof known->request_key);
	HASH_ADD(hh, file->known, request_key, sizeof known->request_key, known);
	if (file->count == file->size) {
		file->size = file->size ? 2 * file->size : 64;
		struct erasure_line *lines = mem_calloc(file->size, sizeof *lines);
		if (file->count)
			memcpy(lines, file->lines, file->count * sizeof *lines);
		mem_free(file->lines);
		file->lines = lines;
	}
	file->lines[file->count++] = *line;
}

static int open_in(const struct erasure_file *file, const char *name, int flags)
{
	char path[4096];
	if ((size_t)snprintf(path, sizeof path, "%s/%s", file->directory, name) >= sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
}

static int say(const struct erasure_file *file, int number, char *error, size_t error_size)
{
	snprintf(error, error_size, "%s/" NAME ": %s", file->directory, strerror(number));
	return -1;
}

static int read_bytes(const struct erasure_file *file, int fd, struct buffer *out)
{
	for (off_t at = file->read_to;;) {
		uint8_t *room = buffer_reserve(out, PIECE);
		ssize_t got = room ? pread(fd, room, PIECE, at) : -1;
		if (got < 0 && room && errno == EINTR)
			continue;
		if (got <= 0)
			return (int)got;
		buffer_commit(out, (size_t)got);
		at += got;
	}
}

/* Whole lines; what follows the last line feed is left. */
static int take_lines(struct erasure_file *file, const struct buffer *bytes, char *error, size_t error_size)
{
	const char *at = (const char *)bytes->data, *end = at + bytes->length, *feed;
	while (at < end && (feed = memchr(at, '\n', (size_t)(end - at)))) {
		struct erasure_line line;
		if (erasure_line_parse(file->secret, at, (size_t)(feed - at), &line)) {
			snprintf(error, error_size,
				"%s/" NAME ": line %zu was changed, or is of another database: nobody can tell whose "
				"erasure it is",
				file->directory, file->count + 1);
			return -1;
		}
		learn(file, &line);
		file->read_to += feed + 1 - at;
		at = feed + 1;
	}
	return 0;
}

int erasure_file_read(struct erasure_file *file, char *error, size_t error_size)
{
	struct stat status;
	struct buffer bytes;
	int result = 0, fd = open_in(file, NAME, O_RDONLY);
	if (fd < 0 && errno == ENOENT) {
		forget_lines(file);
		return 0;
	}
	if (fd < 0 || fstat(fd, &status) != 0) {
		result = say(file, errno, error, error_size);
		if (fd >= 0)
			close(fd);
		return result;
	}
	buffer_init(&bytes, BYTES_MAX);
	if (status.st_ino != file->inode || status.st_dev != file->device || status.st_size < file->read_to)
		forget_lines(file);
	file->inode = status.st_ino;
	file->device = status.st_dev;
	if (status.st_size > file->read_to)
		result = read_bytes(file, fd, &bytes) ? say(file, errno, error, error_size)
						      : take_lines(file, &bytes, error, error_size);
	buffer_release(&bytes);
	close(fd);
	return result;
}

/* ---- writing ---- */

static enum erasure_written give_up(struct erasure_file *file, int number, char *error, size_t error_size)
{
	say(file, number, error, error_size);
	let_go(file);
	return ERASURE_FAILED;
}

static enum erasure_written ask_disk(struct erasure_file *file, char *error, size_t error_size)
{
	file->sync = (struct aiocb){ .aio_fildes = file->file, .aio_sigevent.sigev_notify = SIGEV_NONE };
	return aio_fsync(O_SYNC, &file->sync) ? give_up(file, errno, error, error_size) : ERASURE_WRITING;
}

static void put(struct erasure_file *file, const struct erasure_line *line, struct buffer *out)
{
	char text[ERASURE_LINE_MAX];
	erasure_line_format(file->secret, line, text);
	int failed = buffer_append(out, text, strlen(text));
	assert(!failed);
	(void)failed;
}

/* What is to stand in the file from its end on, or in a new one. */
static void compose(struct erasure_file *file, const struct erasure_line *lines, size_t count, int64_t drop_before,
	struct buffer *out)
{
	for (size_t i = 0; file->anew && i < file->count; i++)
		if (file->lines[i].recorded_at >= drop_before)
			put(file, &file->lines[i], out);
	for (size_t i = 0; i < count; i++)
		if (!erasure_file_has(file, lines[i].request_key) && lines[i].recorded_at >= drop_before)
			put(file, &lines[i], out);
}

static bool has_old(const struct erasure_file *file, int64_t drop_before)
{
	for (size_t i = 0; i < file->count; i++)
		if (file->lines[i].recorded_at < drop_before)
			return true;
	return false;
}

static int write_all(int fd, const struct buffer *bytes)
{
	for (size_t at = 0; at < bytes->length;) {
		ssize_t put_now = write(fd, bytes->data + at, bytes->length - at);
		if (put_now < 0 && errno != EINTR)
			return -1;
		at += put_now > 0 ? (size_t)put_now : 0;
	}
	return 0;
}

/* Having the lock and read everything. */
static enum erasure_written begin(struct erasure_file *file, const struct erasure_line *lines, size_t count,
	int64_t drop_before, char *error, size_t error_size)
{
	struct buffer bytes;
	file->renamed = false;
	file->anew = !file->inode || has_old(file, drop_before);
	file->file = file->anew ? open_in(file, NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC)
				: open_in(file, NAME, O_WRONLY | O_APPEND);
	/* The rest of a writer that died. */
	if (file->file < 0 || (!file->anew && ftruncate(file->file, file->read_to) != 0))
		return give_up(file, errno, error, error_size);
	buffer_init(&bytes, BYTES_MAX);
	compose(file, lines, count, drop_before, &bytes);
	int failed = write_all(file->file, &bytes);
	buffer_release(&bytes);
	return failed ? give_up(file, errno, error, error_size) : ask_disk(file, error, error_size);
}

enum erasure_written erasure_file_write(struct erasure_file *file, const struct erasure_line *lines, size_t count,
	int64_t drop_before, char *error, size_t error_size)
{
	file->lock = open_in(file, LOCK_NAME, O_RDWR | O_CREAT);
	if (file->lock < 0)
		return give_up(file, errno, error, error_size);
	if (flock(file->lock, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK)
			return give_up(file, errno, error, error_size);
		let_go(file);
		return ERASURE_BUSY;
	}
	if (erasure_file_read(file, error, error_size)) {
		let_go(file);
		return ERASURE_FAILED;
	}
	return begin(file, lines, count, drop_before, error, error_size);
}

/* It takes the place of the one before: a name, which the disk is to keep as well. */
static enum erasure_written take_place(struct erasure_file *file, char *error, size_t error_size)
{
	char from[4096], to[4096];
	snprintf(from, sizeof from, "%s/" NEW_NAME, file->directory);
	snprintf(to, sizeof to, "%s/" NAME, file->directory);
	if (rename(from, to) != 0)
		return give_up(file, errno, error, error_size);
	close(file->file);
	file->file = open(file->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file->file < 0)
		return give_up(file, errno, error, error_size);
	file->renamed = true;
	return ask_disk(file, error, error_size);
}

enum erasure_written erasure_file_poll(struct erasure_file *file, char *error, size_t error_size)
{
	int state = aio_error(&file->sync);
	if (state == EINPROGRESS)
		return ERASURE_WRITING;
	aio_return(&file->sync);
	if (state)
		return give_up(file, state, error, error_size);
	if (file->anew && !file->renamed)
		return take_place(file, error, error_size);
	let_go(file);
	return erasure_file_read(file, error, error_size) ? ERASURE_FAILED : ERASURE_DURABLE;
}
