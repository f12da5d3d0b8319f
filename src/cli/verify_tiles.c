#include "cli/verify.h"

#include "base/memory.h"
#include "cli/bodies.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/verdict.h"
#include "pure/tile_check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* 256 entries of 65,535 bytes and their lengths; more is no bundle. */
#define FILE_BYTES_MAX ((size_t)TILE_WIDTH * (65535 + 2))

struct reader {
	const char *path;
	int directory;
	uint8_t *bytes;
	size_t capacity;
	struct since *since;
	bool root_differs;
	struct bodies bodies;
	struct verdict verdict;
	struct progress progress;
};

static enum tile_read failed(struct reader *reader, const char *path, const char *why)
{
	progress_end(&reader->progress);
	fprintf(stderr, "%s/%s: %s\n", reader->path, path, why);
	return TILE_READ_FAILED;
}

static enum tile_read read_tile(void *context, const char *path, const uint8_t **bytes, size_t *length)
{
	struct reader *reader = context;
	enum tile_read result;
	struct stat status;
	int file = openat(reader->directory, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe would wait */

	if (file < 0)
		return errno == ENOENT ? TILE_READ_ABSENT : failed(reader, path, strerror(errno));
	if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || (size_t)status.st_size > FILE_BYTES_MAX) {
		result = failed(reader, path, "no file of that size belongs there");
		goto out;
	}
	size_t size = (size_t)status.st_size;
	if (size > reader->capacity) {
		reader->capacity = size * 2;
		mem_free(reader->bytes);
		reader->bytes = mem_alloc(reader->capacity);
	}
	if (read(file, reader->bytes, size) != (ssize_t)size) {
		result = failed(reader, path, "cannot be read whole");
		goto out;
	}
	*bytes = reader->bytes;
	*length = size;
	result = TILE_READ_OK;
out:
	close(file);
	return result;
}

static void on_fault(void *context, const struct tile_fault *fault)
{
	struct verdict *verdict = &((struct reader *)context)->verdict;
	uint64_t index = fault->index,
		 last = index + (((uint64_t)1 << (TILE_HEIGHT * fault->tile.level)) << TILE_HEIGHT) - 1;
	char path[TILE_PATH_MAX] = "";

	if (fault->width > 0)
		tile_path(fault->tile, fault->width, path);
	switch (fault->kind) {
	case TILE_FAULT_ABSENT:
		verdict_fault(verdict, index,
			"%s: there is no such tile, which has the hashes from entry %" PRIu64 " on", path, index);
		break;
	case TILE_FAULT_LENGTH:
		verdict_fault(
			verdict, index, "%s: it is cut short or too long; it begins with entry %" PRIu64, path, index);
		break;
	case TILE_FAULT_PARENT:
		verdict_fault(verdict, index,
			"%s: it does not match its parent, which is right: one of the entries %" PRIu64 " to %" PRIu64
			" was changed, and its leaf with it",
			path, index, last);
		break;
	case TILE_FAULT_HASH:
		if (fault->tile.level == 0)
			verdict_fault(verdict, index,
				"entry %" PRIu64 ": its leaf differs in %s; the entry is as it was", index, path);
		else
			verdict_fault(verdict, index,
				"%s: hash %u is not that of the tile below, which is right; it is of the entries from "
				"%" PRIu64 " on",
				path, fault->position, index);
		break;
	case TILE_FAULT_DIFFERS:
		verdict_fault(verdict, index,
			"%s: hash %u is not that of the tile below; it is of the entries from %" PRIu64 " on", path,
			fault->position, index);
		break;
	case TILE_FAULT_BODY:
		verdict_fault(verdict, index, "entry %" PRIu64 ": its body does not hash to its leaf", index);
		break;
	case TILE_FAULT_REMOVED:
		verdict_fault(verdict, index, "entry %" PRIu64 ": it was removed; an entry is too few", index);
		break;
	case TILE_FAULT_INSERTED:
		verdict_fault(verdict, index, "entry %" PRIu64 ": another was inserted before it; an entry is too many",
			index);
		break;
	case TILE_FAULT_SWAPPED:
		verdict_fault(verdict, index, "entry %" PRIu64 ": it and entry %" PRIu64 " were swapped", index,
			fault->other);
		break;
	case TILE_FAULT_BUNDLE:
		verdict_fault(verdict, index, "entry %" PRIu64 ": its bundle is cut short in the middle of it", index);
		break;
	case TILE_FAULT_ROOT: /* judge_root() */
		((struct reader *)context)->root_differs = true;
		break;
	}
}

static void on_entry(void *context, uint64_t index, const uint8_t *body, size_t length)
{
	bodies_present(&((struct reader *)context)->bodies, index, body, length);
}

static void on_gone(void *context, uint64_t first, unsigned count)
{
	bodies_gone(&((struct reader *)context)->bodies, first, count);
}

static void on_leaves(void *context, uint64_t first, const uint8_t *hashes, unsigned count)
{
	struct reader *reader = context;

	since_leaves(reader->since, first, hashes, count);
	progress_show(&reader->progress, first + count);
}

/* Nothing in the directory tells where, but an earlier checkpoint: `kept` entries are as they were then. */
static void judge_root(struct reader *reader, uint64_t size, uint64_t kept)
{
	if (!reader->root_differs)
		return;
	if (kept < size)
		verdict_fault(&reader->verdict, VERDICT_WHOLE,
			"the root differs: the tiles fit each other, and are not those that the checkpoint was signed "
			"for; one of the entries %" PRIu64 " to %" PRIu64 " is another",
			kept, size - 1);
	else
		verdict_fault(&reader->verdict, VERDICT_WHOLE,
			"the root differs: the tiles are not those that the checkpoint was signed for");
}

static enum exit_code check(
	const struct invocation *invocation, struct reader *reader, const struct checkpoint *checkpoint)
{
	static const struct tile_check_handler template = {
		.read = read_tile, .fault = on_fault, .entry = on_entry, .gone = on_gone, .leaves = on_leaves
	};
	struct tile_check_handler handler = template;
	struct merkle_hash since_root = { 0 };
	bool leaves_only = flag_given(invocation, "leaves-only");

	handler.context = reader;
	progress_start(&reader->progress, "verified", 0, checkpoint->size);
	enum tile_check_result result = tile_check(checkpoint->size, &checkpoint->root,
		since_size(reader->since, checkpoint->size), &since_root, &handler);
	if (result == TILE_CHECK_FAILED)
		return EXIT_FAILED;
	progress_end(&reader->progress);
	verdict_print_checkpoint(checkpoint);
	if (result == TILE_CHECK_DONE) {
		bodies_judge(&reader->bodies, leaves_only, &reader->verdict);
		judge_root(reader, checkpoint->size,
			since_judge(reader->since, checkpoint, &since_root, &reader->verdict));
	}
	printf("  %-*s %" PRIu64 " in %.1f s, %.0f a second\n", OUTPUT_KEY_WIDTH, "entries", checkpoint->size,
		progress_seconds(&reader->progress), progress_rate(&reader->progress, checkpoint->size));
	enum exit_code code = verdict_end(&reader->verdict, invocation);
	if (code == EXIT_OK && reader->bodies.present == 0 && checkpoint->size > 0)
		puts("verified: the signature, every tile and the root; there were no entries to verify");
	else if (code == EXIT_OK)
		puts("verified: the signature, every leaf, every tile and the root");
	return code;
}

enum exit_code verify_tiles(
	const struct invocation *invocation, const char *directory, const struct trust *trust, struct since *since)
{
	struct reader reader = { .path = directory, .since = since };
	struct checkpoint checkpoint;
	const uint8_t *note;
	size_t length;
	enum exit_code code = EXIT_USAGE;

	reader.directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (reader.directory < 0) {
		fprintf(stderr, "needtoknow %s: --tiles: %s: %s\n", invocation->command->name, directory,
			strerror(errno));
		return EXIT_USAGE;
	}
	enum tile_read result = read_tile(&reader, "checkpoint", &note, &length);
	if (result == TILE_READ_ABSENT)
		fprintf(stderr, "needtoknow %s: --tiles: %s holds no checkpoint\n", invocation->command->name,
			directory);
	if (result != TILE_READ_OK)
		goto out;
	enum note_result opened = trust_open(trust, (const char *)note, length, &checkpoint);
	if (opened == NOTE_OK) {
		code = check(invocation, &reader, &checkpoint);
	} else {
		verdict_note(&reader.verdict, "the checkpoint", opened);
		code = verdict_end(&reader.verdict, invocation);
	}
out:
	close(reader.directory);
	mem_free(reader.bytes);
	bodies_release(&reader.bodies);
	return code;
}
