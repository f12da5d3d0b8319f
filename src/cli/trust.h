#ifndef NEEDTOKNOW_CLI_TRUST_H
#define NEEDTOKNOW_CLI_TRUST_H

#include "base/buffer.h"
#include "cli/command.h"
#include "pure/checkpoint.h"

#include <stdbool.h>

/*
 * What an auditor starts from: the log's verifier keys, and checkpoints, which are believed when one of them has
 * signed.
 */
struct trust {
	struct note_verifier keys[NOTE_KEYS_MAX];
	size_t count; /* 0: none was given */
};

#define TRUST_VKEY_FLAG                                                                                                \
	{                                                                                                              \
		"vkey", "KEY", "the log's verifier key, or a file that holds it [NEEDTOKNOW_VKEY]", false              \
	}

/* --vkey or NEEDTOKNOW_VKEY: a key's text, or a file with one a line (as two while one takes over from another).
 * EXIT_OK, or EXIT_USAGE after a line; also when there is none and it is required. */
enum exit_code trust_read(const struct invocation *invocation, bool required, struct trust *out);

/* Verifies the note when there are keys, and only reads it when there are none. NOTE_OK and *out, or why not. */
enum note_result trust_open(const struct trust *trust, const char *note, size_t length, struct checkpoint *out);

/* A file with a checkpoint's note. `note` is made anew and is the caller's to release, in any case. EXIT_OK;
 * EXIT_USAGE when there is no such file or it cannot be read; EXIT_FAILED when it does not verify. All after a line. */
enum exit_code trust_read_checkpoint(const struct invocation *invocation, const struct trust *trust, const char *path,
	struct buffer *note, struct checkpoint *out);

#endif
