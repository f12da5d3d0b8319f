/* The files of a log, from whoever has them: an untouched log is whole, and whatever is changed in one is told. */
#include "pure/tile_check.h"

#include "base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	ENTRIES_MAX = 1100,
	FILES_MAX = 16,
	FILE_MAX = TILE_BYTES + 64
};

struct file {
	char path[TILE_PATH_MAX];
	size_t length, right_length; /* SIZE_MAX: it is not there */
	uint8_t bytes[FILE_MAX], right[FILE_MAX];
};

struct log {
	unsigned size;
	struct merkle_hash leaves[ENTRIES_MAX];
	struct file files[FILES_MAX];
	size_t count;
	uint64_t faults, gone, entries;
	bool misled; /* something was given out that is not the log's */
};

static size_t body(unsigned index, char out[16])
{
	return (size_t)snprintf(out, 16, "%u!", index * 7919);
}

static struct file *add_file(struct log *log)
{
	assert(log->count < FILES_MAX);
	log->files[log->count].length = 0;
	return &log->files[log->count++];
}

static void put(struct file *file, const void *bytes, size_t length)
{
	assert(file->length + length <= FILE_MAX);
	memcpy(file->bytes + file->length, bytes, length);
	file->length += length;
}

static void add_tile(struct log *log, unsigned level, uint64_t number, const struct merkle_hash *hashes)
{
	struct tile_id id = { level, number };
	unsigned width = tile_width(id, log->size);
	if (width == 0)
		return;
	struct file *tile = add_file(log);
	tile_path(id, width, tile->path);
	put(tile, hashes, (size_t)width * MERKLE_HASH_SIZE);
	if (level > 0)
		return;
	struct file *bundle = add_file(log);
	tile_bundle_path(number, width, bundle->path);
	for (unsigned i = 0; i < width; i++) {
		char text[16];
		size_t length = body((unsigned)number * TILE_WIDTH + i, text);
		put(bundle, (uint8_t[]){ 0, (uint8_t)length }, 2);
		put(bundle, text, length);
	}
}

static void build(struct log *log, unsigned size)
{
	struct merkle_hash roots[ENTRIES_MAX / TILE_WIDTH + 1];
	memset(log, 0, sizeof *log);
	log->size = size;
	for (unsigned i = 0; i < size; i++) {
		char text[16];
		merkle_leaf(text, body(i, text), &log->leaves[i]);
	}
	for (unsigned i = 0; i < size; i += TILE_WIDTH) {
		add_tile(log, 0, i / TILE_WIDTH, &log->leaves[i]);
		if (size - i >= TILE_WIDTH)
			tile_fold(log->leaves[i].bytes, TILE_WIDTH, &roots[i / TILE_WIDTH]);
	}
	add_tile(log, 1, 0, roots);
	for (size_t i = 0; i < log->count; i++) {
		log->files[i].right_length = log->files[i].length;
		memcpy(log->files[i].right, log->files[i].bytes, log->files[i].length);
	}
}

static struct merkle_hash root_of(const struct log *log, uint64_t size)
{
	struct merkle_frontier frontier = { 0 };
	struct merkle_hash root;
	for (uint64_t i = 0; i < size; i++)
		merkle_append(&frontier, &log->leaves[i]);
	merkle_root(&frontier, &root);
	return root;
}

static enum tile_read read_one(void *context, const char *path, const uint8_t **bytes, size_t *length)
{
	struct log *log = context;
	static uint8_t *copy;
	free(copy); /* so that what is read past the end, or kept too long, is seen */
	copy = NULL;
	for (size_t i = 0; i < log->count; i++) {
		const struct file *file = &log->files[i];
		if (strcmp(file->path, path) != 0 || file->length == SIZE_MAX)
			continue;
		copy = malloc(file->length + 1);
		memcpy(copy + 1, file->bytes, file->length);
		*bytes = copy + 1;
		*length = file->length;
		return TILE_READ_OK;
	}
	return TILE_READ_ABSENT;
}

static void on_fault(void *context, const struct tile_fault *fault)
{
	struct log *log = context;
	assert(fault->kind == TILE_FAULT_ROOT || fault->index <= log->size);
	log->faults++;
}

static void on_gone(void *context, uint64_t first, unsigned count)
{
	struct log *log = context;
	assert(first + count <= log->size);
	log->gone += count;
}

/* An entry that is said to hash to its leaf: it is the log's, or the leaf is told to be wrong sooner or later. */
static void on_entry(void *context, uint64_t index, const uint8_t *bytes, size_t length)
{
	struct log *log = context;
	char text[16];
	assert(index < log->size);
	log->entries++;
	if (length != body((unsigned)index, text) || memcmp(bytes, text, length) != 0)
		log->misled = true;
}

static void on_leaves(void *context, uint64_t first, const uint8_t *hashes, unsigned count)
{
	struct log *log = context;
	assert(first + count <= log->size);
	if (memcmp(hashes, &log->leaves[first], (size_t)count * MERKLE_HASH_SIZE) != 0)
		log->misled = true;
}

/* Six bytes say one change. */
static void change(struct log *log, const uint8_t *op)
{
	struct file *file = &log->files[op[0] % log->count];
	const struct file *other = &log->files[op[1] % log->count];
	size_t place = (size_t)op[2] << 8 | op[3];
	if (file->length == SIZE_MAX)
		return;
	switch (op[1] >> 5) {
	case 0:
	case 1:
	case 2:
		if (file->length > 0)
			file->bytes[place % file->length] ^= op[4];
		break;
	case 3:
		file->length = place % (file->length + 1);
		break;
	case 4:
		if (file->length + 2 <= FILE_MAX)
			put(file, op + 4, 2);
		break;
	case 5:
		file->length = SIZE_MAX;
		break;
	case 6:
		if (other->length != SIZE_MAX) {
			memmove(file->bytes, other->bytes, other->length);
			file->length = other->length;
		}
		break;
	default: /* a run moves */
		if (file->length > 64) {
			size_t from = place % (file->length - 32),
			       to = ((size_t)op[4] << 8 | op[5]) % (file->length - 32);
			memmove(file->bytes + to, file->bytes + from, 32);
		}
		break;
	}
}

static bool is_changed(const struct log *log)
{
	for (size_t i = 0; i < log->count; i++) {
		const struct file *file = &log->files[i];
		if (file->length != file->right_length || memcmp(file->bytes, file->right, file->length) != 0)
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 4)
		return 0;
	struct log *log = mem_alloc(sizeof *log);
	build(log, 1 + ((unsigned)data[0] << 8 | data[1]) % ENTRIES_MAX);
	const uint64_t since = ((uint64_t)data[2] << 8 | data[3]) % (log->size + 1u);
	for (size_t at = 4; at + 6 <= size && at < 4 + 6 * 8; at += 6)
		change(log, data + at);

	const struct tile_check_handler handler = { .read = read_one,
		.fault = on_fault,
		.entry = on_entry,
		.gone = on_gone,
		.leaves = on_leaves,
		.context = log };
	const struct merkle_hash root = root_of(log, log->size);
	struct merkle_hash since_root;
	assert(tile_check(log->size, &root, since, &since_root, &handler) == 0);
	assert((log->faults + log->gone > 0) == is_changed(log));
	if (log->faults == 0) {
		assert(!log->misled);
		const struct merkle_hash expected = root_of(log, since);
		assert(since == 0 || memcmp(&since_root, &expected, sizeof expected) == 0);
		assert(log->entries + log->gone == log->size);
	}
	mem_free(log);
	return 0;
}
