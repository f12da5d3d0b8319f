/* Keys of notes: those that an operator writes into files, and those that an auditor is given. */
#include "pure/note.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Is `text` what was written, but for a line feed at its end? */
static int same(const char *text, const char *written)
{
	size_t length = strlen(written);
	return strncmp(text, written, length) == 0 && (text[length] == '\0' || strcmp(text + length, "\n") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size), written[NOTE_KEY_TEXT_MAX];
	struct note_verifier verifier;
	if (note_verifier_parse(&verifier, text) == 0) {
		note_verifier_text(&verifier, written);
		assert(same(text, written));
	}
	struct note_signer signer;
	if (note_signer_parse(&signer, text) == 0) {
		note_signer_text(&signer, written);
		assert(same(text, written));
		note_verifier_text(&signer.public, written);
		assert(note_verifier_parse(&verifier, written) == 0);
	}
	if (note_signer_generate(&signer, text) == 0) {
		note_signer_text(&signer, written);
		struct note_signer again;
		assert(note_signer_parse(&again, written) == 0);
		assert(memcmp(&again.seed, &signer.seed, sizeof signer.seed) == 0);
	}
	mem_free(text);
	return 0;
}
