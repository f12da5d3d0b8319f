#include "cli/tile_directory.h"

#include "base/fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY "tile.tmp"

static int complain(const struct tile_directory *directory, const char *path)
{
	fprintf(stderr, "%s%s%s: %s\n", directory->path, path[0] != '\0' ? "/" : "", path, strerror(errno));
	return -1;
}

/* Empty, or a log: nothing else is written into. */
static bool is_ours(const struct tile_directory *directory)
{
	int file = openat(directory->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = file >= 0 ? fdopendir(file) : NULL;
	bool empty = true;
	struct dirent *entry;

	if (listing == NULL)
		return false;
	while ((entry = readdir(listing)) != NULL)
		empty = empty && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
	closedir(listing);
	return empty || faccessat(directory->directory, "tile", F_OK, 0) == 0 ||
		faccessat(directory->directory, "checkpoint", F_OK, 0) == 0 ||
		faccessat(directory->directory, TEMPORARY, F_OK, 0) == 0;
}

int tile_directory_open(struct tile_directory *out, const char *path)
{
	*out = (struct tile_directory){ .path = path, .directory = -1 };
	if (mkdir(path, 0777) != 0 && errno != EEXIST)
		return complain(out, "");
	out->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (out->directory < 0)
		return complain(out, "");
	if (flock(out->directory, LOCK_EX | LOCK_NB) != 0) {
		fprintf(stderr, "%s: another export is writing there\n", path);
	} else if (!is_ours(out)) {
		fprintf(stderr, "%s: it holds something else than a log; name an empty directory, or a new one\n",
			path);
	} else {
		return 0;
	}
	tile_directory_close(out);
	return -1;
}

void tile_directory_close(struct tile_directory *directory)
{
	if (directory->directory >= 0)
		close(directory->directory);
	directory->directory = -1;
}

/* The directories that the file stands in. */
static int make_parents(const struct tile_directory *directory, const char *path)
{
	char parent[PATH_MAX];

	for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
		if (mkdirat(directory->directory, parent, 0777) != 0 && errno != EEXIST)
			return -1;
	}
	return 0;
}

static int write_temporary(const struct tile_directory *directory, const uint8_t *bytes, size_t length)
{
	int file = openat(directory->directory, TEMPORARY, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	int result = 0;

	if (file < 0)
		return -1;
	while (length > 0 && result == 0) {
		ssize_t written = write(file, bytes, length);
		if (written < 0 && errno != EINTR)
			result = -1;
		if (written > 0) {
			bytes += written;
			length -= (size_t)written;
		}
	}
	if (close(file) != 0)
		result = -1;
	return result;
}

int tile_directory_write(struct tile_directory *directory, const char *path, const void *bytes, size_t length)
{
	int at = directory->directory;

	if (write_temporary(directory, bytes, length) != 0)
		return complain(directory, TEMPORARY);
	fault_point("export.write");
	if (renameat(at, TEMPORARY, at, path) != 0 &&
		(errno != ENOENT || make_parents(directory, path) != 0 || renameat(at, TEMPORARY, at, path) != 0))
		return complain(directory, path);
	fault_point("export.written");
	directory->written++;
	return 0;
}

bool tile_directory_has(const struct tile_directory *directory, const char *path, size_t length)
{
	struct stat status;

	return fstatat(directory->directory, path, &status, 0) == 0 && S_ISREG(status.st_mode) &&
		(size_t)status.st_size == length;
}

int tile_directory_read(const struct tile_directory *directory, const char *path, struct buffer *out)
{
	struct stat status;
	int result = -1;
	int file = openat(directory->directory, path, O_RDONLY | O_CLOEXEC);

	if (file < 0)
		return -1;
	if (fstat(file, &status) == 0 && S_ISREG(status.st_mode)) {
		size_t length = (size_t)status.st_size;
		uint8_t *room = buffer_reserve(out, length);
		if (length == 0 || (room != NULL && read(file, room, length) == (ssize_t)length)) {
			buffer_commit(out, length);
			result = 0;
		}
	}
	close(file);
	return result;
}

uint64_t tile_directory_end(const struct tile_directory *directory, uint64_t size)
{
	char path[TILE_PATH_MAX];
	uint64_t number = size / TILE_WIDTH;

	for (;; number++) {
		tile_path((struct tile_id){ 0, number }, TILE_WIDTH, path);
		if (!tile_directory_has(directory, path, TILE_BYTES))
			break;
	}
	return number << TILE_HEIGHT > size ? number << TILE_HEIGHT : size;
}

/* The first `width` hashes of a tile; the full one has them too. */
static int read_hashes(const struct tile_directory *directory, struct tile_id id, unsigned width, uint8_t *out)
{
	size_t wanted = (size_t)width * MERKLE_HASH_SIZE;
	char path[TILE_PATH_MAX];
	struct buffer tile;
	int result = -1;

	buffer_init(&tile, TILE_BYTES);
	tile_path(id, width, path);
	if (tile_directory_read(directory, path, &tile) != 0) {
		tile_path(id, TILE_WIDTH, path);
		if (tile_directory_read(directory, path, &tile) != 0)
			goto out;
	}
	if (tile.length == wanted || tile.length == TILE_BYTES) {
		memcpy(out, tile.data, wanted);
		result = 0;
	}
out:
	buffer_release(&tile);
	return result;
}

/* Those of a tile that was not yet written: the roots of the tiles below it. */
static int fold_hashes(const struct tile_directory *directory, struct tile_id id, unsigned width, uint8_t *out)
{
	uint8_t below[TILE_BYTES];
	struct merkle_hash root;

	for (unsigned i = 0; i < width; i++) {
		struct tile_id child = { id.level - 1, id.number * TILE_WIDTH + i };
		if (read_hashes(directory, child, TILE_WIDTH, below) != 0)
			return -1;
		tile_fold(below, TILE_WIDTH, &root);
		memcpy(out + (size_t)i * MERKLE_HASH_SIZE, root.bytes, MERKLE_HASH_SIZE);
	}
	return 0;
}

int tile_directory_edge(const struct tile_directory *directory, uint64_t size, struct tile_builder *out)
{
	tile_builder_resume(out, size);
	for (unsigned level = 0; level < TILE_LEVELS; level++) {
		struct tile_id id = tile_last(level, size);
		unsigned width = out->widths[level];
		if (width == 0 || read_hashes(directory, id, width, out->hashes[level]) == 0)
			continue;
		if (level == 0 || fold_hashes(directory, id, width, out->hashes[level]) != 0)
			return -1;
	}
	return 0;
}

int tile_directory_sync(const struct tile_directory *directory)
{
	return syncfs(directory->directory) == 0 ? 0 : complain(directory, "");
}

/* Is this the path of a tile or bundle at the right edge? */
static bool is_edge(const char *path, uint64_t size)
{
	char edge[TILE_PATH_MAX];

	for (unsigned level = 0; level < TILE_LEVELS; level++) {
		struct tile_id id = tile_last(level, size);
		unsigned width = tile_width(id, size);
		if (width == 0 || width == TILE_WIDTH)
			continue;
		tile_path(id, width, edge);
		if (strcmp(path, edge) == 0)
			return true;
		if (level > 0)
			continue;
		tile_bundle_path(id.number, width, edge);
		if (strcmp(path, edge) == 0)
			return true;
	}
	return false;
}

static bool is_partial(const char *path)
{
	size_t length = strlen(path);

	return length > 2 && strcmp(path + length - 2, ".p") == 0;
}

/* Everything below `path`; what is in a `.p` and is not of the edge goes. Directories that are not empty stay. */
static int sweep(struct tile_directory *directory, const char *path, uint64_t size)
{
	int file = openat(directory->directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *listing = file >= 0 ? fdopendir(file) : NULL;
	bool partial = is_partial(path);
	char below[PATH_MAX];
	struct dirent *entry;
	int result = 0;

	if (listing == NULL)
		return complain(directory, path);
	while (result == 0 && (entry = readdir(listing)) != NULL) {
		if (entry->d_name[0] == '.' ||
			snprintf(below, sizeof below, "%s/%s", path, entry->d_name) >= (int)sizeof below)
			continue;
		if (entry->d_type == DT_DIR) {
			result = sweep(directory, below, size);
		} else if (partial && !is_edge(below, size)) {
			result = unlinkat(directory->directory, below, 0);
			directory->removed += result == 0;
			fault_point("export.removed");
		}
	}
	closedir(listing);
	if (partial)
		unlinkat(directory->directory, path, AT_REMOVEDIR);
	return result;
}

int tile_directory_sweep(struct tile_directory *directory, uint64_t size)
{
	unlinkat(directory->directory, TEMPORARY, 0);
	return size > 0 ? sweep(directory, "tile", size) : 0;
}
