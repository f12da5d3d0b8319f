#ifndef NEEDTOKNOW_PURE_NOTE_H
#define NEEDTOKNOW_PURE_NOTE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Signed notes with Ed25519, https://c2sp.org/signed-note. Keys are written as Go's golang.org/x/mod/sumdb/note writes
 * them, so that any tool of that family reads them: `name+hash+base64` for verifying, `PRIVATE+KEY+name+hash+base64`
 * for signing.
 */
#define NOTE_KEY_NAME_MAX 255 /* bytes */
#define NOTE_KEY_TEXT_MAX 400 /* either key as text, with its NUL */
#define NOTE_TEXT_MAX 1048576 /* a note that is longer is refused */
#define NOTE_SIGNATURES_MAX 64
#define NOTE_KEYS_MAX 8 /* that one call signs or verifies with */

struct note_verifier {
	char name[NOTE_KEY_NAME_MAX + 1];
	uint32_t id; /* SHA-256(name || 0x0A || 0x01 || key), its first four bytes, big-endian */
	uint8_t key[32];
};

struct note_signer {
	struct note_verifier public;
	uint8_t seed[32]; /* RFC 8032 section 5.1.5; whoever is done with it wipes it */
};

/* A new pair. 0, or -1: not a key name (it must be UTF-8 without spaces, `+` and control characters), or no randomness.
 */
int note_signer_generate(struct note_signer *out, const char *name);

/* Text to keys; a line feed at the end is let pass. 0, or -1: it is not a key, or its hash does not fit. */
int note_verifier_parse(struct note_verifier *out, const char *text);
int note_signer_parse(struct note_signer *out, const char *text);
/* And back, without a line feed. */
void note_verifier_text(const struct note_verifier *verifier, char out[NOTE_KEY_TEXT_MAX]);
void note_signer_text(const struct note_signer *signer, char out[NOTE_KEY_TEXT_MAX]);

/* `text`, which ends with a line feed, and below it a signature of each signer (1 to NOTE_KEYS_MAX). Owned by the
 * caller (mem_free()); NULL: the text cannot be that of a note. */
char *note_sign(const char *text, const struct note_signer *signers, size_t count);

enum note_result {
	NOTE_OK, /* at least one known key has signed, and no signature of a known key is wrong */
	NOTE_MALFORMED,
	NOTE_UNKNOWN_KEY, /* nobody known has signed */
	NOTE_BAD_SIGNATURE, /* a known key's signature does not verify */
};
/* What is wrong with it, for people; "" of NOTE_OK. */
const char *note_result_text(enum note_result result);

/* Verifies with up to NOTE_KEYS_MAX keys; *text_length is that of the signed text at the beginning of `note`, untouched
 * unless NOTE_OK. */
enum note_result note_open(
	const char *note, size_t length, const struct note_verifier *verifiers, size_t count, size_t *text_length);

#endif
