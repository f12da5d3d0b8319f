#include "service/signer_internal.h"

#include "pure/time.h"
#include "service/batch.h"
#include "service/consistency_check.h"
#include "sql.h"

#include <inttypes.h>
#include <string.h>

/* Entries that are hashed in one turn of the loop, and a train's more: calls wait for as long. */
#define ENTRIES_AT_ONCE 2048
/* Full tiles wait for the root to be compared, unless they are as many: of a ledger that was never signed. */
#define TILES_PENDING_MAX 1024
#define SIGNED_BEFORE 2 /* what was seen, what is published */

static void ask_rows(struct signer *signer);

/* ---- what it must be ---- */

void signer_tree_forget(struct signer *signer)
{
	tile_writer_free(signer->writer);
	signer->writer = NULL;
}

static void do_not_fit(struct signer *signer)
{
	signer->retry_at = loop_now(service_loop(signer->service)) + SIGNER_RETRY_INTERVAL;
	signer_tree_forget(signer);
	signer_stop(signer,
		"the ledger's entries do not have the root that its head has: one was changed, removed or inserted "
		"behind entry %" PRIu64 ". Nothing is signed; restore the ledger from a backup that `needtoknow audit "
		"verify` finds whole",
		signer->published.size);
}

/* What was signed before, as far as it is known: 0 what was seen, 1 what is published; NULL: nothing. */
static const struct checkpoint *signed_before(const struct signer *signer, unsigned which)
{
	if (which == 0)
		return seen_checkpoint_last(signer->seen);
	return signer->published.size ? &signer->published : NULL;
}

/* The tree is not what was signed. -1. */
static int refute(struct signer *signer, const struct checkpoint *before)
{
	signer->retry_at = loop_now(service_loop(signer->service)) + SIGNER_RETRY_INTERVAL;
	signer_tree_forget(signer);
	signer_say_other(signer, before);
	return -1;
}

/* Where the tree has as many entries as something that was signed it must have its root, too. 0, or -1: it does not,
 * and is forgotten. */
static int passes_by(struct signer *signer)
{
	for (unsigned which = 0; which < SIGNED_BEFORE; which++) {
		const struct checkpoint *before = signed_before(signer, which);
		struct merkle_hash root;
		if (!before || before->size != tile_writer_size(signer->writer))
			continue;
		tile_writer_root(signer->writer, &root);
		if (memcmp(&root, &before->root, sizeof root) != 0)
			return refute(signer, before);
	}
	return 0;
}

/* All entries that the head has are in the tree. */
static void reach_head(struct signer *signer)
{
	struct merkle_hash ours, heads;
	tile_writer_root(signer->writer, &ours);
	merkle_root(&signer->head, &heads);
	signer->state = SIGNER_IDLE;
	if (memcmp(&ours, &heads, sizeof ours) != 0)
		do_not_fit(signer);
	else if (passes_by(signer) == 0)
		signer_reached_head(signer);
}

/* ---- the entries ---- */

/* One packed row's entries, from where the tree ends. 0, or -1: it does not go on there, or is not what was signed; it
 * is forgotten. */
static int take_row(struct signer *signer, const PGresult *rows, int row)
{
	const uint8_t *bodies = (const uint8_t *)PQgetvalue(rows, row, 2), *body;
	size_t size = (size_t)PQgetlength(rows, row, 2), offset = 0, length;
	uint64_t index = (uint64_t)row_int(rows, row, 0);
	struct merkle_hash leaf;
	if (index > tile_writer_size(signer->writer)) {
		do_not_fit(signer);
		return -1;
	}
	for (; !tile_next_entry(bodies, size, &offset, &body, &length); index++) {
		if (index < tile_writer_size(signer->writer))
			continue;
		merkle_leaf(body, length, &leaf);
		tile_writer_append(signer->writer, &leaf);
		if (passes_by(signer) != 0)
			return -1;
	}
	return 0;
}

static void stored(void *context, const struct database_outcome *outcome)
{
	struct signer *signer = context;
	signer->state = SIGNER_IDLE;
	if (outcome->result != DATABASE_OK) {
		signer_refused(signer, outcome);
		return;
	}
	tile_writer_stored(signer->writer);
	ask_rows(signer);
}

static void store_tiles(struct signer *signer)
{
	signer->state = SIGNER_STORING;
	database_open(signer->database);
	tile_writer_send(signer->writer, signer->database);
	database_send(signer->database, stored, signer);
}

static void rows_answered(void *context, const struct database_outcome *outcome)
{
	struct signer *signer = context;
	signer->state = SIGNER_IDLE;
	if (outcome->result != DATABASE_OK) {
		signer_refused(signer, outcome);
		return;
	}
	const PGresult *rows = outcome->results[0];
	uint64_t before = tile_writer_size(signer->writer);
	for (int row = 0; row < PQntuples(rows); row++) {
		if (take_row(signer, rows, row) != 0)
			return;
	}
	if (tile_writer_size(signer->writer) == before || tile_writer_size(signer->writer) > signer->head.size)
		do_not_fit(signer);
	else if (tile_writer_pending(signer->writer) >= TILES_PENDING_MAX)
		store_tiles(signer);
	else
		ask_rows(signer);
}

static void ask_rows(struct signer *signer)
{
	uint8_t from[8], until[8];
	uint64_t size = tile_writer_size(signer->writer);
	uint64_t end = size + ENTRIES_AT_ONCE < signer->head.size ? size + ENTRIES_AT_ONCE : signer->head.size;
	if (size >= signer->head.size) {
		reach_head(signer);
		return;
	}
	pg_put_int8(from, (int64_t)size);
	pg_put_int8(until, (int64_t)end);
	signer->state = SIGNER_ROWS;
	database_open(signer->database);
	database_add(signer->database, &sql_signer_rows, (struct parameter[]){ { from, 8 }, { until, 8 } });
	database_send(signer->database, rows_answered, signer);
}

static void check_tiles(struct signer *signer);

static void tiles_checked(void *context, enum consistency result)
{
	struct signer *signer = context;
	signer->state = SIGNER_IDLE;
	if (!signer->writer)
		return; /* the connection was lost meanwhile */
	switch (result) {
	case CONSISTENCY_UNKNOWN:
		signer_tree_forget(signer);
		return;
	case CONSISTENCY_REFUTED:
		refute(signer, signed_before(signer, signer->checked));
		return;
	case CONSISTENCY_PROVED:
		signer->checked++;
		check_tiles(signer);
		return;
	}
}

/* What was signed of a smaller tree than the stored tiles make: they must go on from it. */
static void check_tiles(struct signer *signer)
{
	struct checkpoint tree = { .size = tile_writer_size(signer->writer) };
	tile_writer_root(signer->writer, &tree.root);
	for (; signer->checked < SIGNED_BEFORE; signer->checked++) {
		const struct checkpoint *before = signed_before(signer, signer->checked);
		if (!before || before->size >= tree.size)
			continue; /* it is passed by later, or now */
		signer->state = SIGNER_CHECKING;
		consistency_check(signer->service, before, &tree, tiles_checked, signer);
		return;
	}
	if (passes_by(signer) == 0)
		ask_rows(signer);
}

static void edges_answered(void *context, const struct database_outcome *outcome)
{
	struct signer *signer = context;
	signer->state = SIGNER_IDLE;
	if (outcome->result != DATABASE_OK) {
		signer_refused(signer, outcome);
		return;
	}
	signer->writer = tile_writer_new();
	signer->checked = 0;
	if (tile_writer_resume(signer->writer, outcome->results[0]) != 0 ||
		tile_writer_size(signer->writer) > signer->head.size)
		do_not_fit(signer);
	else
		check_tiles(signer);
}

static void ask_edges(struct signer *signer)
{
	signer->state = SIGNER_EDGES;
	database_open(signer->database);
	database_add(signer->database, &sql_tile_edges, NULL);
	database_send(signer->database, edges_answered, signer);
}

void signer_tree_follow(struct signer *signer)
{
	if (signer->writer)
		ask_rows(signer);
	else
		ask_edges(signer);
}
