#include "pure/tlog_proof.h"

#include "base/memory.h"
#include "pure/base64.h"
#include "pure/text_line.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char first_line[] = "c2sp.org/tlog-proof@v1";
static const char index_prefix[] = "index ";
static const char extra_prefix[] = "extra ";

#define HASH_LENGTH BASE64_LENGTH(MERKLE_HASH_SIZE)

char *tlog_proof_text(const struct tlog_proof *proof)
{
	assert(proof->count <= MERKLE_PROOF_MAX);
	size_t room = sizeof first_line + sizeof index_prefix + 21 + proof->count * (HASH_LENGTH + 1) + 1 +
		proof->note_length + 1;
	char *text = mem_alloc(room);
	char *at = text + snprintf(text, room, "%s\n%s%" PRIu64 "\n", first_line, index_prefix, proof->index);
	for (size_t i = 0; i < proof->count; i++) {
		base64_encode(proof->hashes[i].bytes, MERKLE_HASH_SIZE, at);
		at += HASH_LENGTH;
		*at++ = '\n';
	}
	*at++ = '\n';
	if (proof->note_length > 0)
		memcpy(at, proof->note, proof->note_length);
	at[proof->note_length] = '\0';
	return text;
}

static bool starts_with(struct text_line line, const char *prefix)
{
	size_t length = strlen(prefix);
	return line.length >= length && memcmp(line.text, prefix, length) == 0;
}

/* Hashes up to the empty line, *at past it. 0 or -1. */
static int parse_hashes(const char **at, const char *end, struct tlog_proof *out)
{
	struct text_line line;
	while (text_line_next(at, end, &line) == 0) {
		if (line.length == 0)
			return 0;
		size_t length;
		if (out->count == MERKLE_PROOF_MAX ||
			base64_decode(
				line.text, line.length, out->hashes[out->count].bytes, MERKLE_HASH_SIZE, &length) < 0 ||
			length != MERKLE_HASH_SIZE)
			return -1;
		out->count++;
	}
	return -1;
}

int tlog_proof_parse(const char *text, size_t length, struct tlog_proof *out)
{
	const char *at = text, *end = text + length;
	struct text_line line;
	if (text_line_next(&at, end, &line) < 0 || line.length != strlen(first_line) || !starts_with(line, first_line))
		return -1;
	if (text_line_next(&at, end, &line) < 0)
		return -1;
	if (starts_with(line, extra_prefix) && text_line_next(&at, end, &line) < 0)
		return -1;

	struct tlog_proof proof = { 0 };
	size_t prefix = strlen(index_prefix);
	if (!starts_with(line, index_prefix) ||
		text_decimal(line.text + prefix, line.length - prefix, &proof.index) < 0)
		return -1;
	if (parse_hashes(&at, end, &proof) < 0 || at == end)
		return -1;
	proof.note = at;
	proof.note_length = (size_t)(end - at);
	*out = proof;
	return 0;
}
