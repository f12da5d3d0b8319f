#ifndef NEEDTOKNOW_DAEMON_KEY_FILE_H
#define NEEDTOKNOW_DAEMON_KEY_FILE_H

#include "pure/note.h"

/*
 * A key that signs checkpoints, in a file of its own: one line, as Go's golang.org/x/mod/sumdb/note writes it.
 * 0, or -1 and in `error` one line for the operator.
 */

/* Refused when others than its owner can read it, as a TLS key is. */
int key_file_read(const char *path, struct note_signer *out, char *error, size_t error_size);
/* A new file that its owner alone can read, on the disk when this returns; a file that is there stays as it is. */
int key_file_write(const char *path, const struct note_signer *signer, char *error, size_t error_size);

#endif
