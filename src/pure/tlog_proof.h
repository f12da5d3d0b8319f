#ifndef NEEDTOKNOW_PURE_TLOG_PROOF_H
#define NEEDTOKNOW_PURE_TLOG_PROOF_H

#include "pure/merkle_proof.h"

#include <stddef.h>
#include <stdint.h>

/* A proof to hand on: one entry's place in a log, and the log's checkpoint, https://c2sp.org/tlog-proof. */
struct tlog_proof {
	uint64_t index;
	size_t count;
	struct merkle_hash hashes[MERKLE_PROOF_MAX];
	const char *note; /* the checkpoint, in the text that was read, or as given */
	size_t note_length;
};

/* Owned by the caller (mem_free()). */
char *tlog_proof_text(const struct tlog_proof *proof);
/* 0, or -1: not such a file. `out->note` points into `text`. An `extra` line is passed over. */
int tlog_proof_parse(const char *text, size_t length, struct tlog_proof *out);

#endif
