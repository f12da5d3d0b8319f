#include "service/seen_checkpoint.h"

#include "base/memory.h"

#include <aio.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define NAME "checkpoint"
#define NEW_NAME "checkpoint.new" /* whoever has the lock writes it */
#define LOCK_NAME "checkpoint.lock"
#define DISK_PATIENCE 5 /* seconds */
#define FINISH_STEPS 6 /* the file written, renamed, its name kept; and once more for what came meanwhile */

struct seen_checkpoint {
	char *directory;
	struct note_verifier verifiers[NOTE_KEYS_MAX];
	size_t verifier_count;

	struct checkpoint last; /* size 0: none */
	char note[CHECKPOINT_NOTE_MAX]; /* its text */
	bool unstored; /* it is larger than the file's, as far as we know */

	/* Being stored: both are -1 when nothing is. */
	int lock, file; /* `file`: what the disk is asked to keep */
	bool renamed; /* that is the directory, then, which has the name */
	uint64_t storing; /* the size of what is in the file */
	struct aiocb sync;
};

/* ---- reading ---- */

static int open_in(const struct seen_checkpoint *seen, const char *name, int flags)
{
	char path[4096];
	if ((size_t)snprintf(path, sizeof path, "%s/%s", seen->directory, name) >= sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
}

/* The file's note and what it says; *length 0: there is none. */
static int read_file(const struct seen_checkpoint *seen, char note[CHECKPOINT_NOTE_MAX], size_t *length,
	struct checkpoint *out, char *error, size_t error_size)
{
	int file = open_in(seen, NAME, O_RDONLY);
	*length = 0;
	if (file < 0 && errno == ENOENT)
		return 0;
	ssize_t got = file < 0 ? -1 : read(file, note, CHECKPOINT_NOTE_MAX - 1);
	int why = errno;
	if (file >= 0)
		close(file);
	if (got < 0) {
		snprintf(error, error_size, "%s/" NAME " cannot be read: %s", seen->directory, strerror(why));
		return -1;
	}
	note[got] = '\0';
	enum note_result result = checkpoint_open(note, (size_t)got, seen->verifiers, seen->verifier_count, out);
	if (result != NOTE_OK) {
		snprintf(error, error_size, "%s/" NAME ", the last checkpoint that was seen, is not to be trusted: %s",
			seen->directory, note_result_text(result));
		return -1;
	}
	*length = (size_t)got;
	return 0;
}

int seen_checkpoint_load(struct seen_checkpoint *seen, char *error, size_t error_size)
{
	char note[CHECKPOINT_NOTE_MAX];
	struct checkpoint checkpoint = { .size = 0 };
	size_t length;
	if (seen->unstored)
		return 0;
	if (read_file(seen, note, &length, &checkpoint, error, error_size))
		return -1;
	seen->last = checkpoint;
	memcpy(seen->note, note, length);
	seen->note[length] = '\0';
	return 0;
}

const struct checkpoint *seen_checkpoint_last(const struct seen_checkpoint *seen)
{
	return seen->last.size ? &seen->last : NULL;
}

enum note_result seen_checkpoint_learn(
	struct seen_checkpoint *seen, const char *note, const struct checkpoint *published)
{
	struct checkpoint checkpoint;
	size_t length = strlen(note);
	if (length >= sizeof seen->note)
		return NOTE_MALFORMED;
	enum note_result result = checkpoint_open(note, length, seen->verifiers, seen->verifier_count, &checkpoint);
	if (result != NOTE_OK)
		return result;
	if (checkpoint.size != published->size ||
		memcmp(&checkpoint.root, &published->root, sizeof checkpoint.root) != 0)
		return NOTE_MALFORMED;
	if (checkpoint.size <= seen->last.size)
		return NOTE_OK;
	seen->last = checkpoint;
	seen->unstored = true;
	memcpy(seen->note, note, length + 1);
	return NOTE_OK;
}

/* ---- writing ---- */

static void let_go(struct seen_checkpoint *seen)
{
	if (seen->file >= 0)
		close(seen->file);
	if (seen->lock >= 0)
		close(seen->lock); /* which unlocks */
	seen->file = seen->lock = -1;
	seen->renamed = false;
}

static int give_up(struct seen_checkpoint *seen, int why, char *error, size_t error_size)
{
	snprintf(error, error_size, "the last checkpoint cannot be kept in %s: %s", seen->directory, strerror(why));
	let_go(seen);
	return -1;
}

/* Under the lock: is the file's at least as large as what we know? */
static int is_stored(struct seen_checkpoint *seen, bool *stored, char *error, size_t error_size)
{
	char note[CHECKPOINT_NOTE_MAX];
	struct checkpoint checkpoint = { .size = 0 };
	size_t length;
	if (read_file(seen, note, &length, &checkpoint, error, error_size)) {
		let_go(seen);
		return -1;
	}
	*stored = checkpoint.size >= seen->last.size;
	return 0;
}

/* Not waited for: the loop goes on meanwhile. */
static int ask_disk(struct seen_checkpoint *seen, char *error, size_t error_size)
{
	seen->sync = (struct aiocb){ .aio_fildes = seen->file, .aio_sigevent.sigev_notify = SIGEV_NONE };
	return aio_fsync(O_SYNC, &seen->sync) != 0 ? give_up(seen, errno, error, error_size) : 0;
}

/* Writes a file of our own, which the disk is then asked to keep. */
static int begin(struct seen_checkpoint *seen, char *error, size_t error_size)
{
	bool stored;
	size_t length = strlen(seen->note);
	seen->lock = open_in(seen, LOCK_NAME, O_RDWR | O_CREAT);
	if (seen->lock < 0)
		return give_up(seen, errno, error, error_size);
	if (flock(seen->lock, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK)
			return give_up(seen, errno, error, error_size);
		let_go(seen); /* another worker is at it */
		return 0;
	}
	if (is_stored(seen, &stored, error, error_size))
		return -1;
	if (stored) {
		seen->unstored = false;
		let_go(seen);
		return 0;
	}
	seen->file = open_in(seen, NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC);
	if (seen->file < 0)
		return give_up(seen, errno, error, error_size);
	ssize_t put = write(seen->file, seen->note, length);
	if (put != (ssize_t)length)
		return give_up(seen, put < 0 ? errno : ENOSPC, error, error_size);
	seen->storing = seen->last.size;
	return ask_disk(seen, error, error_size);
}

/* It takes the place of the one before: a name, which the disk is to keep as well. */
static int take_place(struct seen_checkpoint *seen, char *error, size_t error_size)
{
	char from[4096], to[4096];
	snprintf(from, sizeof from, "%s/" NEW_NAME, seen->directory);
	snprintf(to, sizeof to, "%s/" NAME, seen->directory);
	if (rename(from, to) != 0)
		return give_up(seen, errno, error, error_size);
	close(seen->file);
	seen->file = open(seen->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (seen->file < 0)
		return give_up(seen, errno, error, error_size);
	seen->renamed = true;
	return ask_disk(seen, error, error_size);
}

/* The disk has answered. */
static int complete(struct seen_checkpoint *seen, char *error, size_t error_size)
{
	int state = aio_error(&seen->sync);
	if (state == EINPROGRESS)
		return 0;
	aio_return(&seen->sync);
	if (state != 0)
		return give_up(seen, state, error, error_size);
	if (!seen->renamed)
		return take_place(seen, error, error_size);
	seen->unstored = seen->last.size > seen->storing;
	let_go(seen);
	return 0;
}

int seen_checkpoint_store(struct seen_checkpoint *seen, char *error, size_t error_size)
{
	if (seen->file >= 0)
		return complete(seen, error, error_size);
	return seen->unstored ? begin(seen, error, error_size) : 0;
}

static void wait_for_disk(struct seen_checkpoint *seen)
{
	const struct aiocb *const list[] = { &seen->sync };
	while (seen->file >= 0 && aio_error(&seen->sync) == EINPROGRESS) {
		if (aio_suspend(list, 1, &(struct timespec){ .tv_sec = DISK_PATIENCE }) != 0 && errno == EAGAIN)
			return;
	}
}

int seen_checkpoint_finish(struct seen_checkpoint *seen, char *error, size_t error_size)
{
	for (int step = 0; step < FINISH_STEPS && (seen->unstored || seen->file >= 0); step++) {
		if (seen_checkpoint_store(seen, error, error_size))
			return -1;
		wait_for_disk(seen);
	}
	return 0;
}

/* ---- birth and death ---- */

struct seen_checkpoint *seen_checkpoint_new(
	const char *directory, const struct note_verifier *verifiers, size_t verifier_count)
{
	struct seen_checkpoint *seen = mem_calloc(1, sizeof *seen);
	assert(verifier_count <= NOTE_KEYS_MAX);
	seen->directory = mem_strdup(directory);
	memcpy(seen->verifiers, verifiers, verifier_count * sizeof *verifiers);
	seen->verifier_count = verifier_count;
	seen->lock = seen->file = -1;
	return seen;
}

void seen_checkpoint_free(struct seen_checkpoint *seen)
{
	if (!seen)
		return;
	wait_for_disk(seen);
	if (seen->file >= 0 && aio_error(&seen->sync) == EINPROGRESS)
		return; /* the disk still holds on to it; the process is ending */
	if (seen->file >= 0)
		aio_return(&seen->sync);
	let_go(seen);
	mem_free(seen->directory);
	mem_free(seen);
}
