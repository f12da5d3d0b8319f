/* Signed notes and checkpoints, from a log that may be anybody's. */
#include "pure/checkpoint.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct note_signer *signer(void)
{
	static struct note_signer signer;
	static const char key[] = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
	if (signer.public.id == 0)
		assert(note_signer_parse(&signer, key) == 0);
	return &signer;
}

/* Nothing that we have not signed opens, but for what the key's documentation publishes. */
static void open_what_is_sent(const char *data, size_t size)
{
	static const char published[] = "If you think cryptography is the answer to your problem,\n"
					"then you don't know what your problem is.\n";
	size_t length = SIZE_MAX;
	enum note_result result = note_open(data, size, &signer()->public, 1, &length);
	assert((result == NOTE_OK) == (length != SIZE_MAX));
	if (result == NOTE_OK)
		assert(length == strlen(published) && memcmp(data, published, length) == 0);
	struct checkpoint checkpoint;
	assert(checkpoint_open(data, size, &signer()->public, 1, &checkpoint) != NOTE_OK);
}

/* What is behind the signature of a log that lies: what is read there says the same when it is written again. */
static void read_what_is_signed(const char *data, size_t size)
{
	char *text = mem_strndup(data, size);
	char *note = note_sign(text, signer(), 1);
	if (note == NULL) {
		mem_free(text);
		return;
	}
	size_t length;
	assert(note_open(note, strlen(note), &signer()->public, 1, &length) == NOTE_OK);
	assert(length == strlen(text));

	struct checkpoint read, again;
	memset(&read, 0, sizeof read);
	if (checkpoint_open(note, strlen(note), &signer()->public, 1, &read) == NOTE_OK) {
		char *written = checkpoint_sign(&read, signer(), 1);
		assert(checkpoint_open(written, strlen(written), &signer()->public, 1, &again) == NOTE_OK);
		assert(read.size == again.size && strcmp(read.origin, again.origin) == 0 &&
			memcmp(&read.root, &again.root, sizeof read.root) == 0);
		size_t head = strlen(written) - strlen(strstr(written, "\n\n"));
		assert(head < length && memcmp(written, text, head) == 0);
		mem_free(written);
	}
	mem_free(note);
	mem_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	open_what_is_sent((const char *)data, size);
	read_what_is_signed((const char *)data, size);
	return 0;
}
