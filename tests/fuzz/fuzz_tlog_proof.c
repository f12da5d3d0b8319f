/* Proof files, from whoever shows one. */
#include "pure/tlog_proof.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read says the same when it is written again; only the extra line is gone. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tlog_proof proof, again;
	if (tlog_proof_parse((const char *)data, size, &proof) != 0)
		return 0;
	assert(proof.count <= MERKLE_PROOF_MAX && proof.note_length > 0);
	assert(proof.note + proof.note_length == (const char *)data + size);

	char *text = tlog_proof_text(&proof);
	const char *note = strstr(strstr(text, "\nindex "), "\n\n") + 2;
	size_t length = (size_t)(note - text);
	assert(length + proof.note_length <= size);
	assert(tlog_proof_parse(text, length + proof.note_length, &again) == 0);
	assert(again.index == proof.index && again.count == proof.count && again.note_length == proof.note_length);
	assert(memcmp(again.hashes, proof.hashes, proof.count * sizeof *proof.hashes) == 0);
	assert(memcmp(again.note, proof.note, proof.note_length) == 0);

	/* Whatever it says, nothing that is not so verifies, and nothing is read that is not there. */
	struct merkle_hash hash = { { 7 } };
	for (unsigned bits = 1; bits < 64; bits += 7)
		assert(merkle_verify_inclusion(&hash, proof.index, proof.index >> bits << bits, proof.hashes,
			       proof.count, &hash) == -1);
	mem_free(text);
	return 0;
}
