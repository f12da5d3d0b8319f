#ifndef NEEDTOKNOW_SERVICE_SEEN_CHECKPOINT_H
#define NEEDTOKNOW_SERVICE_SEEN_CHECKPOINT_H

#include "pure/checkpoint.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The last checkpoint that this daemon saw, kept in a file of its own beside the database: what a database that was
 * restored from a backup, or that is another one, cannot take back. All workers of a daemon share the file
 * `checkpoint` in its state_dir; it is replaced as a whole, never by a smaller one, and holds nothing but the note.
 *
 * A note is learned at once and reaches the disk within a second or two, without the loop having to wait for it.
 */
struct seen_checkpoint;

struct seen_checkpoint *seen_checkpoint_new(
	const char *directory, const struct note_verifier *verifiers, size_t verifier_count);
/* NULL is allowed. */
void seen_checkpoint_free(struct seen_checkpoint *seen);

/*
 * The file's takes the place of what was learned, unless that is still on its way there; no file: nothing was seen. 0,
 * or -1 and one line for the operator: it cannot be read, or is no checkpoint that a key of ours has signed.
 */
int seen_checkpoint_load(struct seen_checkpoint *seen, char *error, size_t error_size);
/* NULL: none. */
const struct checkpoint *seen_checkpoint_last(const struct seen_checkpoint *seen);

/* A published note, which is said to have this size and root. It is learned when it verifies and is larger than the
 * last. */
enum note_result seen_checkpoint_learn(
	struct seen_checkpoint *seen, const char *note, const struct checkpoint *published);

/*
 * Takes the next step of bringing what was learned to the disk; to be called once a second or so. 0, or -1 and one line
 * for the operator; what was learned is tried again with the next call.
 */
int seen_checkpoint_store(struct seen_checkpoint *seen, char *error, size_t error_size);
/* The same to its end, waiting for the disk: before the process ends. */
int seen_checkpoint_finish(struct seen_checkpoint *seen, char *error, size_t error_size);

#endif
