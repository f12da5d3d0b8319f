#ifndef NEEDTOKNOW_SERVICE_TILE_WRITER_H
#define NEEDTOKNOW_SERVICE_TILE_WRITER_H

#include "io/database.h"
#include "pure/tile.h"

#include <stddef.h>
#include <stdint.h>

/*
 * The tree of the ledger as whoever signs it builds it: leaves in, their root, and the tiles that have become full and
 * are not stored yet. It goes on from what is stored, and never reads an entry twice.
 */
struct tile_writer;

struct tile_writer *tile_writer_new(void);
/* NULL is allowed. */
void tile_writer_free(struct tile_writer *writer);

/* Goes on behind the stored tiles, from the answer to sql_tile_edges. 0, or -1: some are missing. */
int tile_writer_resume(struct tile_writer *writer, const PGresult *edges);

/* Entries so far. */
uint64_t tile_writer_size(const struct tile_writer *writer);
void tile_writer_append(struct tile_writer *writer, const struct merkle_hash *leaf);
void tile_writer_root(const struct tile_writer *writer, struct merkle_hash *out);

/* Full tiles that are not stored. */
size_t tile_writer_pending(const struct tile_writer *writer);
/* Adds their insertion to the open segment; nothing when there are none. They are pending until _stored() is called. */
void tile_writer_send(const struct tile_writer *writer, struct database *database);
void tile_writer_stored(struct tile_writer *writer);

#endif
