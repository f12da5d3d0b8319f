#include "cli/verify.h"

#include "base/memory.h"
#include "cli/bodies.h"
#include "cli/failure.h"
#include "cli/ledger_stream.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/service_log.h"
#include "pure/tile.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PROGRESS_EVERY 256 /* entries */

/* The tree as it is built anew from what the service sends. */
struct rebuilt {
	struct tile_builder builder;
	struct merkle_hash *tiles; /* the root of each full tile of leaves, to find where a wrong one is */
	size_t tile_count, tile_capacity;
	struct merkle_hash since_root;
	struct since *since;
	uint64_t since_size, kept; /* kept: entries that are as they were then */
	struct bodies bodies;
	struct verdict verdict;
	struct progress progress;
};

static void on_tile(void *context, struct tile_id id, const uint8_t *hashes, const struct merkle_hash *root)
{
	struct rebuilt *rebuilt = context;

	if (id.level > 0)
		return;
	since_leaves(rebuilt->since, id.number << TILE_HEIGHT, hashes, TILE_WIDTH);
	if (rebuilt->tile_count == rebuilt->tile_capacity) {
		rebuilt->tile_capacity = rebuilt->tile_capacity > 0 ? rebuilt->tile_capacity * 2 : 1024;
		rebuilt->tiles = mem_realloc(rebuilt->tiles, rebuilt->tile_capacity * sizeof *rebuilt->tiles);
	}
	rebuilt->tiles[rebuilt->tile_count++] = *root;
}

/* The leaf that goes into the tree: the service's, which the root then tells right or wrong. */
static struct merkle_hash leaf_of(struct rebuilt *rebuilt, const struct ledger_stream_entry *entry)
{
	struct merkle_hash leaf = { 0 };

	if (entry->body == NULL) {
		bodies_gone(&rebuilt->bodies, entry->index, 1);
	} else {
		merkle_leaf(entry->body, entry->length, &leaf);
		if (entry->leaf_hash != NULL && memcmp(leaf.bytes, entry->leaf_hash, sizeof leaf.bytes) != 0)
			verdict_fault(&rebuilt->verdict, entry->index,
				"entry %" PRIu64 ": its body does not hash to its leaf", entry->index);
		else
			bodies_present(&rebuilt->bodies, entry->index, entry->body, entry->length);
	}
	if (entry->leaf_hash != NULL)
		memcpy(leaf.bytes, entry->leaf_hash, sizeof leaf.bytes);
	else
		verdict_fault(&rebuilt->verdict, entry->index, "entry %" PRIu64 ": it has no leaf hash", entry->index);
	return leaf;
}

static int on_entry(void *context, const struct ledger_stream_entry *entry)
{
	struct rebuilt *rebuilt = context;
	uint64_t expected = rebuilt->builder.size;

	if (entry->index != expected) {
		if (entry->index > expected)
			verdict_fault(&rebuilt->verdict, expected,
				"entry %" PRIu64 ": it is missing; the next that there is, is %" PRIu64, expected,
				entry->index);
		else
			verdict_fault(
				&rebuilt->verdict, entry->index, "entry %" PRIu64 ": it comes twice", entry->index);
		return 1;
	}
	struct merkle_hash leaf = leaf_of(rebuilt, entry);
	tile_builder_append(&rebuilt->builder, &leaf);
	if (rebuilt->builder.size == rebuilt->since_size)
		tile_builder_root(&rebuilt->builder, &rebuilt->since_root);
	if (rebuilt->builder.size % PROGRESS_EVERY == 0)
		progress_show(&rebuilt->progress, rebuilt->builder.size);
	return 0;
}

/* How many of the first tiles the service can still prove to be what was signed. -1: it cannot say. */
static int64_t find_proven(struct service_log *log, const struct rebuilt *rebuilt)
{
	size_t proven = 0, unproven = rebuilt->tile_count + 1;

	while (proven + 1 < unproven) {
		size_t middle = proven + (unproven - proven) / 2;
		struct merkle_frontier frontier = { 0 };
		struct merkle_hash root;
		enum exit_code code;
		for (size_t i = 0; i < middle; i++)
			merkle_append(&frontier, &rebuilt->tiles[i]);
		merkle_root(&frontier, &root);
		enum proof_result result = service_log_continues(log, (uint64_t)middle << TILE_HEIGHT, &root, &code);
		if (result == PROOF_FAILED)
			return -1;
		if (result == PROOF_HOLDS)
			proven = middle;
		else
			unproven = middle;
	}
	return (int64_t)proven;
}

static void judge_root(struct service_log *log, struct rebuilt *rebuilt)
{
	const struct checkpoint *checkpoint = &log->checkpoint;
	struct merkle_hash root;

	tile_builder_root(&rebuilt->builder, &root);
	if (memcmp(root.bytes, checkpoint->root.bytes, sizeof root.bytes) == 0)
		return;
	int64_t proven = find_proven(log, rebuilt);
	if (proven <= 0) {
		verdict_fault(&rebuilt->verdict, VERDICT_WHOLE,
			"the root differs: one of the entries %" PRIu64 " to %" PRIu64
			" is not that which the checkpoint was signed for",
			rebuilt->kept < checkpoint->size ? rebuilt->kept : 0,
			checkpoint->size > 0 ? checkpoint->size - 1 : 0);
		return;
	}
	uint64_t first = (uint64_t)proven << TILE_HEIGHT;
	uint64_t last = first + TILE_WIDTH < checkpoint->size ? first + TILE_WIDTH : checkpoint->size;
	verdict_fault(&rebuilt->verdict, first,
		"the root differs: one of the entries %" PRIu64 " to %" PRIu64
		" was changed, and its leaf with it; all before are those that the checkpoint was signed for",
		first, last - 1);
}

/* The service must prove that it continues the earlier checkpoint, and what it sent must show it. */
static enum exit_code judge_since(struct service_log *log, struct rebuilt *rebuilt)
{
	const struct since *since = rebuilt->since;
	enum exit_code code = EXIT_OK;

	rebuilt->kept = since_judge(since, &log->checkpoint, &rebuilt->since_root, &rebuilt->verdict);
	if (rebuilt->since_size == 0)
		return EXIT_OK;
	switch (service_log_continues(log, rebuilt->since_size, &since->checkpoint.root, &code)) {
	case PROOF_HOLDS:
		break;
	case PROOF_WRONG:
		verdict_fault(&rebuilt->verdict, VERDICT_WHOLE,
			"the service cannot prove that size %" PRIu64 " continues size %" PRIu64
			", that of the earlier checkpoint: another history (a fork)",
			log->checkpoint.size, rebuilt->since_size);
		break;
	case PROOF_FAILED:
		break;
	}
	return code;
}

static enum exit_code judge(struct service_log *log, struct rebuilt *rebuilt)
{
	uint64_t done = rebuilt->builder.size;
	bool whole = done == log->checkpoint.size;
	enum exit_code code = EXIT_OK;

	if (rebuilt->builder.widths[0] > 0)
		since_leaves(rebuilt->since, done - rebuilt->builder.widths[0], rebuilt->builder.hashes[0],
			rebuilt->builder.widths[0]);
	if (!whole)
		verdict_fault(&rebuilt->verdict, done,
			"entry %" PRIu64 ": an entry is too few; the checkpoint is of %" PRIu64, done,
			log->checkpoint.size);
	verdict_print_checkpoint(&log->checkpoint);
	bodies_judge(&rebuilt->bodies, false, &rebuilt->verdict);
	if (whole) {
		code = judge_since(log, rebuilt);
		judge_root(log, rebuilt);
	}
	printf("  %-*s %" PRIu64 " in %.1f s, %.0f a second\n", OUTPUT_KEY_WIDTH, "entries", done,
		progress_seconds(&rebuilt->progress), progress_rate(&rebuilt->progress, done));
	enum exit_code verdict = verdict_end(&rebuilt->verdict, log->invocation);
	if (verdict == EXIT_OK && code == EXIT_OK)
		puts("verified: the signature, every leaf and the root");
	return verdict != EXIT_OK ? verdict : code;
}

static enum exit_code rebuild(struct service_log *log, struct rebuilt *rebuilt)
{
	struct needtoknow_status status;

	rebuilt->since_size = since_size(rebuilt->since, log->checkpoint.size);
	tile_builder_init(&rebuilt->builder, on_tile, rebuilt);
	progress_start(&rebuilt->progress, "verified", 0, log->checkpoint.size);
	int result = ledger_stream(log->client, 0, log->checkpoint.size, on_entry, rebuilt, &status);
	progress_end(&rebuilt->progress);
	if (result != 0)
		return failure_report(log->invocation, &status);
	return judge(log, rebuilt);
}

enum exit_code verify_live(const struct invocation *invocation, const struct trust *trust, struct since *since)
{
	struct rebuilt *rebuilt = mem_calloc(1, sizeof *rebuilt);
	struct service_log log;
	enum note_result result;
	enum exit_code code = service_log_open(&log, invocation, trust, &result);

	rebuilt->since = since;
	if (result != NOTE_OK) {
		verdict_note(&rebuilt->verdict, "the service's checkpoint", result);
		code = verdict_end(&rebuilt->verdict, invocation);
	} else if (code == EXIT_OK) {
		code = rebuild(&log, rebuilt);
	}
	service_log_close(&log);
	bodies_release(&rebuilt->bodies);
	mem_free(rebuilt->tiles);
	mem_free(rebuilt);
	return code;
}
