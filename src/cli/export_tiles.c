#include "cli/export_tiles.h"

#include "base/memory.h"
#include "cli/failure.h"
#include "cli/ledger_stream.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/service_log.h"
#include "cli/tile_directory.h"
#include "cli/verdict.h"
#include "pure/bundle.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BUNDLE_MAX ((size_t)TILE_WIDTH * (65535 + 2))

const struct flag audit_export_tiles_flags[] = {
	TRUST_VKEY_FLAG,
	{ 0 },
};

struct export
{
	const struct invocation *invocation;
	struct service_log log;
	struct tile_directory directory;
	bool continued; /* the directory has a checkpoint: */
	struct checkpoint before;
	struct tile_builder builder;
	uint64_t started_at; /* entries that were there */
	struct buffer bundle; /* of the last, not full tile of leaves */
	bool has_bodies; /* some entry of the bundle has its body */
	bool tile_full; /* leaves are to be written: */
	uint64_t tile_number;
	uint8_t leaves[TILE_BYTES];
	bool failed; /* a file could not be written */
	struct verdict verdict;
	struct progress progress;
};

/* A tile has become full. Leaves wait until all else is written: tile_directory.h. */
static void on_tile(void *context, struct tile_id id, const uint8_t *hashes, const struct merkle_hash *root)
{
	struct export *export = context;
	char path[TILE_PATH_MAX];

	(void)root;
	if (id.level == 0) {
		export->tile_full = true;
		export->tile_number = id.number;
		memcpy(export->leaves, hashes, TILE_BYTES);
		return;
	}
	tile_path(id, TILE_WIDTH, path);
	if (tile_directory_write(&export->directory, path, hashes, TILE_BYTES) != 0)
		export->failed = true;
}

/* A bundle of which every body is gone is left out. */
static void write_bundle(struct export *export, uint64_t number, unsigned width)
{
	char path[TILE_PATH_MAX];

	tile_bundle_path(number, width, path);
	if (export->has_bodies &&
		tile_directory_write(&export->directory, path, export->bundle.data, export->bundle.length) != 0)
		export->failed = true;
}

static void write_leaves(struct export *export)
{
	char path[TILE_PATH_MAX];

	write_bundle(export, export->tile_number, TILE_WIDTH);
	tile_path((struct tile_id){ 0, export->tile_number }, TILE_WIDTH, path);
	if (!export->failed && tile_directory_write(&export->directory, path, export->leaves, TILE_BYTES) != 0)
		export->failed = true;
	buffer_clear(&export->bundle);
	export->has_bodies = export->tile_full = false;
	progress_show(&export->progress, export->builder.size);
}

/* A body that is gone has its place, of no length, beside those that are not. */
static void add_to_bundle(struct export *export, const uint8_t *body, size_t length)
{
	int result = buffer_append_u16(&export->bundle, (uint16_t)length);

	if (length > 0 && result == 0)
		result = buffer_append(&export->bundle, body, length);
	export->failed = export->failed || result != 0;
	export->has_bodies = export->has_bodies || length > 0;
}

static int on_entry(void *context, const struct ledger_stream_entry *entry)
{
	struct export *export = context;
	uint64_t index = export->builder.size;
	struct merkle_hash leaf;

	if (entry->index != index) {
		verdict_fault(&export->verdict, index, "entry %" PRIu64 ": the service has %" PRIu64 " in its place",
			index, entry->index);
		return 1;
	}
	if (entry->length > UINT16_MAX || (entry->body == NULL && entry->leaf_hash == NULL)) {
		verdict_fault(&export->verdict, index, "entry %" PRIu64 ": it is no entry", index);
		return 1;
	}
	if (entry->body != NULL)
		merkle_leaf(entry->body, entry->length, &leaf);
	else
		memcpy(leaf.bytes, entry->leaf_hash, sizeof leaf.bytes);
	if (entry->leaf_hash != NULL && memcmp(leaf.bytes, entry->leaf_hash, sizeof leaf.bytes) != 0) {
		verdict_fault(&export->verdict, index, "entry %" PRIu64 ": its body does not hash to its leaf", index);
		return 1;
	}
	add_to_bundle(export, entry->body, entry->length);
	tile_builder_append(&export->builder, &leaf);
	if (export->tile_full)
		write_leaves(export);
	return export->failed ? 1 : 0;
}

static enum exit_code damaged(struct export *export)
{
	fprintf(stderr,
		"needtoknow %s: %s is not what its own checkpoint says; `needtoknow audit verify --tiles %s` tells "
		"where\n",
		export->invocation->command->name, export->directory.path, export->directory.path);
	return EXIT_FAILED;
}

/* The bundle that is not full and that new entries will join. */
static enum exit_code load_bundle(struct export *export)
{
	unsigned width = export->builder.widths[0];
	uint64_t number = export->builder.size / TILE_WIDTH;
	struct bundle *bundle;
	char path[TILE_PATH_MAX];
	uint8_t hashes[TILE_BYTES];
	bool known, same;

	buffer_clear(&export->bundle);
	export->has_bodies = false;
	if (width == 0)
		return EXIT_OK;
	tile_bundle_path(number, width, path);
	if (tile_directory_read(&export->directory, path, &export->bundle) != 0) {
		tile_bundle_path(number, TILE_WIDTH, path);
		if (tile_directory_read(&export->directory, path, &export->bundle) != 0) {
			for (unsigned i = 0; i < width; i++)
				add_to_bundle(export, NULL, 0);
			return EXIT_OK;
		}
	}
	bundle = mem_alloc(sizeof *bundle);
	memcpy(hashes, export->builder.hashes[0], sizeof hashes);
	bundle_read(bundle, export->bundle.data, export->bundle.length, width, false);
	bundle_leaves(bundle, width, hashes, &known);
	same = bundle->count == width &&
		memcmp(hashes, export->builder.hashes[0], (size_t)width * MERKLE_HASH_SIZE) == 0;
	if (same) /* of a full one: what follows is sent again */
		export->bundle.length = bundle_bytes(bundle, export->bundle.data);
	export->has_bodies = true;
	mem_free(bundle);
	return same ? EXIT_OK : damaged(export);
}

/* What an interrupted export has written beyond the checkpoint is used when it is a beginning of the log. */
static bool resume(struct export *export, uint64_t from)
{
	uint64_t end = tile_directory_end(&export->directory, from);
	struct merkle_hash root;
	enum exit_code code;

	if (end <= from || end > export->log.checkpoint.size ||
		tile_directory_edge(&export->directory, end, &export->builder) != 0)
		return false;
	tile_builder_root(&export->builder, &root);
	return service_log_continues(&export->log, end, &root, &code) == PROOF_HOLDS;
}

/* Where to begin: the builder is left with what is there and fits. */
static enum exit_code begin(struct export *export)
{
	uint64_t from = export->continued ? export->before.size : 0;
	const struct checkpoint *now = &export->log.checkpoint;
	struct merkle_hash root;
	enum exit_code code = EXIT_OK;

	if (export->continued && strcmp(export->before.origin, now->origin) != 0)
		verdict_fault(&export->verdict, VERDICT_WHOLE, "%s is of another log, `%s`", export->directory.path,
			export->before.origin);
	else if (from > now->size)
		verdict_fault(&export->verdict, VERDICT_WHOLE,
			"the log was rolled back: %s has %" PRIu64 " entries, the service %" PRIu64,
			export->directory.path, from, now->size);
	if (export->verdict.faults > 0)
		return EXIT_FAILED;
	if (from > 0) {
		if (tile_directory_edge(&export->directory, from, &export->builder) != 0)
			return damaged(export);
		tile_builder_root(&export->builder, &root);
		if (memcmp(&root, &export->before.root, sizeof root) != 0)
			return damaged(export);
		enum proof_result result = service_log_continues(&export->log, from, &root, &code);
		if (result == PROOF_FAILED)
			return code;
		if (result == PROOF_WRONG) {
			verdict_fault(&export->verdict, VERDICT_WHOLE,
				"another history (a fork): the service's %" PRIu64
				" entries do not continue the %" PRIu64 " in %s",
				now->size, from, export->directory.path);
			return EXIT_FAILED;
		}
	}
	if (!resume(export, from)) {
		tile_builder_resume(&export->builder, from);
		if (from > 0 && tile_directory_edge(&export->directory, from, &export->builder) != 0)
			return damaged(export);
	}
	export->started_at = export->builder.size;
	return load_bundle(export);
}

/* The tiles and the bundle at the right edge, unless they are there. */
static void write_edge(struct export *export)
{
	const struct tile_builder *builder = &export->builder;
	char path[TILE_PATH_MAX];

	for (unsigned level = 0; level < TILE_LEVELS && !export->failed; level++) {
		unsigned width = builder->widths[level];
		size_t length = (size_t)width * MERKLE_HASH_SIZE;
		struct tile_id id = tile_last(level, builder->size);
		if (width == 0)
			continue;
		tile_path(id, width, path);
		if (tile_directory_has(&export->directory, path, length))
			continue;
		if (level == 0)
			write_bundle(export, id.number, width);
		if (tile_directory_write(&export->directory, path, builder->hashes[level], length) != 0)
			export->failed = true;
	}
}

/* What was received must be what the checkpoint was signed for; then it is written, the checkpoint last. */
static enum exit_code finish(struct export *export)
{
	const struct checkpoint *now = &export->log.checkpoint;
	struct merkle_hash root;

	tile_builder_root(&export->builder, &root);
	if (export->builder.size != now->size)
		verdict_fault(&export->verdict, export->builder.size,
			"entry %" PRIu64 ": an entry is too few; the checkpoint is of %" PRIu64, export->builder.size,
			now->size);
	else if (memcmp(&root, &now->root, sizeof root) != 0)
		verdict_fault(&export->verdict, VERDICT_WHOLE,
			"the root differs: what the service sent is not what its checkpoint was signed for; it changed "
			"between "
			"size %" PRIu64 " and %" PRIu64 " (`needtoknow audit verify` tells more)",
			export->started_at, now->size);
	if (export->verdict.faults > 0)
		return EXIT_FAILED;
	write_edge(export);
	if (export->failed || tile_directory_sync(&export->directory) != 0 ||
		tile_directory_write(
			&export->directory, "checkpoint", export->log.note.data, export->log.note.length) != 0 ||
		tile_directory_sync(&export->directory) != 0 ||
		tile_directory_sweep(&export->directory, now->size) != 0)
		return EXIT_FAILED;
	return EXIT_OK;
}

static void summarize(const struct export *export, const struct trust *trust)
{
	uint64_t size = export->builder.size;

	verdict_print_checkpoint(&export->log.checkpoint);
	printf("  %-*s %" PRIu64 " new, %" PRIu64 " there before, in %.1f s, %.0f a second\n", OUTPUT_KEY_WIDTH,
		"entries", size - export->started_at, export->started_at, progress_seconds(&export->progress),
		progress_rate(&export->progress, size));
	printf("  %-*s %" PRIu64 " written, %" PRIu64 " removed\n", OUTPUT_KEY_WIDTH, "files",
		export->directory.written, export->directory.removed);
	if (trust->count == 0)
		fputs("The signature was not verified: --vkey or NEEDTOKNOW_VKEY names the log's key.\n", stderr);
}

static enum exit_code run(struct export *export, const struct trust *trust)
{
	struct needtoknow_status status;
	enum exit_code code = begin(export);

	if (code != EXIT_OK)
		return code;
	progress_start(&export->progress, "exported", export->started_at, export->log.checkpoint.size);
	int result = ledger_stream(
		export->log.client, export->started_at, export->log.checkpoint.size, on_entry, export, &status);
	progress_end(&export->progress);
	if (result != 0)
		return failure_report(export->invocation, &status);
	if (export->failed || export->verdict.faults > 0)
		return EXIT_FAILED;
	code = finish(export);
	if (code == EXIT_OK)
		summarize(export, trust);
	return code;
}

static enum exit_code read_before(struct export *export, const struct trust *trust)
{
	struct buffer note;
	enum exit_code code = EXIT_OK;

	buffer_init(&note, NOTE_TEXT_MAX);
	if (tile_directory_read(&export->directory, "checkpoint", &note) == 0) {
		enum note_result result = trust_open(trust, (const char *)note.data, note.length, &export->before);
		export->continued = result == NOTE_OK;
		if (result != NOTE_OK) {
			fprintf(stderr, "needtoknow %s: %s/checkpoint: %s\n", export->invocation->command->name,
				export->directory.path, note_result_text(result));
			code = EXIT_FAILED;
		}
	}
	buffer_release(&note);
	return code;
}

enum exit_code audit_export_tiles_run(const struct invocation *invocation)
{
	struct export *export = mem_calloc(1, sizeof *export);
	enum note_result result = NOTE_OK;
	struct trust trust;
	enum exit_code code = trust_read(invocation, false, &trust);

	export->invocation = invocation;
	export->directory.directory = -1;
	tile_builder_init(&export->builder, on_tile, export);
	buffer_init(&export->bundle, BUNDLE_MAX);
	if (code == EXIT_OK)
		code = service_log_open(&export->log, invocation, &trust, &result);
	if (result != NOTE_OK)
		verdict_note(&export->verdict, "the service's checkpoint", result);
	if (code == EXIT_OK && tile_directory_open(&export->directory, invocation->operand) != 0)
		code = EXIT_USAGE;
	if (code == EXIT_OK)
		code = read_before(export, &trust);
	if (code == EXIT_OK)
		code = run(export, &trust);
	if (export->verdict.faults > 0)
		code = verdict_end(&export->verdict, invocation);
	tile_directory_close(&export->directory);
	service_log_close(&export->log);
	buffer_release(&export->bundle);
	mem_free(export);
	return code;
}
