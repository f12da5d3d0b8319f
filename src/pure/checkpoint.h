#ifndef NEEDTOKNOW_PURE_CHECKPOINT_H
#define NEEDTOKNOW_PURE_CHECKPOINT_H

#include "pure/merkle.h"
#include "pure/note.h"

/* A log's signed head, https://c2sp.org/tlog-checkpoint: origin, size and root, in a signed note. */
#define CHECKPOINT_NOTE_MAX 8192 /* bytes of a note of ours, with its NUL */

struct checkpoint {
	char origin[NOTE_KEY_NAME_MAX + 1];
	uint64_t size; /* leaves, fewer than 2^63 */
	struct merkle_hash root;
};

/* Text, base64 and all. Owned by the caller (mem_free()); NULL: the origin cannot be one. */
char *checkpoint_sign(const struct checkpoint *checkpoint, const struct note_signer *signers, size_t count);

/* The note of a checkpoint, verified. The keys are one log's, so all have its name: keys of another name than
 * `verifiers[0].name` do not count, and a checkpoint whose origin is another is NOTE_UNKNOWN_KEY. *out is untouched
 * unless NOTE_OK. Extension lines are let pass. */
enum note_result checkpoint_open(
	const char *note, size_t length, const struct note_verifier *verifiers, size_t count, struct checkpoint *out);

/* The same without verifying anything, for what is verified otherwise or not at all. 0, or -1: not a checkpoint's note.
 */
int checkpoint_read(const char *note, size_t length, struct checkpoint *out);

#endif
