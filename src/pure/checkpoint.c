#include "pure/checkpoint.h"

#include "pure/base64.h"
#include "pure/text_line.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

char *checkpoint_sign(const struct checkpoint *checkpoint, const struct note_signer *signers, size_t count)
{
	if (checkpoint->origin[0] == '\0' || strchr(checkpoint->origin, '\n') != NULL)
		return NULL;
	char root[BASE64_LENGTH(MERKLE_HASH_SIZE) + 1];
	base64_encode(checkpoint->root.bytes, MERKLE_HASH_SIZE, root);
	char text[sizeof checkpoint->origin + 20 + sizeof root + 3];
	snprintf(text, sizeof text, "%s\n%" PRIu64 "\n%s\n", checkpoint->origin, checkpoint->size, root);
	return note_sign(text, signers, count);
}

/* The text of a note, every line of which ends with a line feed. 0 or -1. */
static int parse_text(const char *text, size_t length, struct checkpoint *out)
{
	const char *at = text, *end = text + length;
	struct text_line origin, size, root, extension;
	if (text_line_next(&at, end, &origin) < 0 || text_line_next(&at, end, &size) < 0 ||
		text_line_next(&at, end, &root) < 0)
		return -1;
	while (text_line_next(&at, end, &extension) == 0) {
		if (extension.length == 0)
			return -1;
	}
	if (origin.length == 0 || origin.length > NOTE_KEY_NAME_MAX)
		return -1;
	memcpy(out->origin, origin.text, origin.length);
	out->origin[origin.length] = '\0';
	size_t root_length;
	if (text_decimal(size.text, size.length, &out->size) < 0 || out->size > INT64_MAX ||
		base64_decode(root.text, root.length, out->root.bytes, MERKLE_HASH_SIZE, &root_length) < 0)
		return -1;
	return root_length == MERKLE_HASH_SIZE ? 0 : -1;
}

enum note_result checkpoint_open(
	const char *note, size_t length, const struct note_verifier *verifiers, size_t count, struct checkpoint *out)
{
	assert(count <= NOTE_KEYS_MAX);
	struct note_verifier log[NOTE_KEYS_MAX];
	size_t log_count = 0;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(verifiers[i].name, verifiers[0].name) == 0)
			log[log_count++] = verifiers[i];
	}
	size_t text_length;
	enum note_result result = note_open(note, length, log, log_count, &text_length);
	if (result != NOTE_OK)
		return result;
	struct checkpoint checkpoint = { 0 };
	if (parse_text(note, text_length, &checkpoint) < 0)
		return NOTE_MALFORMED;
	if (strcmp(checkpoint.origin, log[0].name) != 0)
		return NOTE_UNKNOWN_KEY;
	*out = checkpoint;
	return NOTE_OK;
}

int checkpoint_read(const char *note, size_t length, struct checkpoint *out)
{
	/* The signatures stand behind the only empty line that a checkpoint may have. */
	const char *end = memmem(note, length, "\n\n", 2);
	struct checkpoint checkpoint = { 0 };
	if (end == NULL || parse_text(note, (size_t)(end + 1 - note), &checkpoint) < 0)
		return -1;
	*out = checkpoint;
	return 0;
}
