#include "pure/note.h"

#include "base/memory.h"
#include "pure/base64.h"
#include "pure/identifier.h"
#include "pure/sha256.h"
#include "pure/text_line.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
	KEY_SIZE = 32, /* a seed and a public key alike */
	SIGNATURE_SIZE = 64,
	ID_SIZE = 4,
	ED25519_TYPE = 0x01, /* before the key wherever it is written or hashed */
	ID_DIGITS = 8
};

static const char dash[] = "\xe2\x80\x94 "; /* what a signature's line begins with */
static const char private_prefix[] = "PRIVATE+KEY+";

/* Longest: `— name base64\n`. */
#define SIGNATURE_LINE_MAX (sizeof dash + NOTE_KEY_NAME_MAX + 2 + BASE64_LENGTH(ID_SIZE + SIGNATURE_SIZE))

_Static_assert(
	sizeof private_prefix + NOTE_KEY_NAME_MAX + 2 + ID_DIGITS + BASE64_LENGTH(1 + KEY_SIZE) <= NOTE_KEY_TEXT_MAX,
	"the longest key text fits");

/* Unicode's property White_Space. */
static bool is_space(uint32_t point)
{
	static const struct {
		uint32_t first, last;
	} spaces[] = { { 0x09, 0x0d }, { 0x20, 0x20 }, { 0x85, 0x85 }, { 0xa0, 0xa0 }, { 0x1680, 0x1680 },
		{ 0x2000, 0x200a }, { 0x2028, 0x2029 }, { 0x202f, 0x202f }, { 0x205f, 0x205f }, { 0x3000, 0x3000 } };
	for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
		if (point >= spaces[i].first && point <= spaces[i].last)
			return true;
	}
	return false;
}

/* As the specification has it: not empty, no spaces, no plus. */
static bool name_valid(const char *name, size_t length)
{
	const uint8_t *at = (const uint8_t *)name;
	for (size_t left = length; left > 0;) {
		uint32_t point;
		size_t step = utf8_next(at, left, &point);
		if (step == 0 || is_space(point) || point == '+')
			return false;
		at += step;
		left -= step;
	}
	return length > 0;
}

/* A key of ours has a name that also fits a line of a log. */
static bool key_name_valid(const char *name, size_t length)
{
	if (length > NOTE_KEY_NAME_MAX || !name_valid(name, length))
		return false;
	const uint8_t *at = (const uint8_t *)name;
	for (size_t left = length; left > 0;) {
		uint32_t point;
		size_t step = utf8_next(at, left, &point);
		if (utf8_is_control(point))
			return false;
		at += step;
		left -= step;
	}
	return true;
}

static uint32_t read_u32(const uint8_t bytes[ID_SIZE])
{
	uint32_t value = 0;
	for (size_t i = 0; i < ID_SIZE; i++)
		value = value << 8 | bytes[i];
	return value;
}

static uint32_t key_id(const char *name, const uint8_t key[KEY_SIZE])
{
	struct sha256 hash;
	uint8_t digest[SHA256_SIZE];
	sha256_init(&hash);
	sha256_update(&hash, name, strlen(name));
	sha256_update(&hash, (const uint8_t[]){ '\n', ED25519_TYPE }, 2);
	sha256_update(&hash, key, KEY_SIZE);
	sha256_final(&hash, digest);
	return read_u32(digest);
}

/* The key that belongs to a seed. 0, or -1: no memory. */
static int derive_public(const uint8_t seed[KEY_SIZE], uint8_t out[KEY_SIZE])
{
	size_t length = KEY_SIZE;
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, KEY_SIZE);
	int result = key != NULL && EVP_PKEY_get_raw_public_key(key, out, &length) == 1 ? 0 : -1;
	EVP_PKEY_free(key);
	if (result < 0)
		ERR_clear_error();
	return result;
}

int note_signer_generate(struct note_signer *out, const char *name)
{
	size_t length = strlen(name);
	if (!key_name_valid(name, length))
		return -1;
	struct note_signer signer = { 0 };
	memcpy(signer.public.name, name, length);
	int result = -1;
	if (RAND_priv_bytes(signer.seed, KEY_SIZE) == 1 && derive_public(signer.seed, signer.public.key) == 0) {
		signer.public.id = key_id(name, signer.public.key);
		*out = signer;
		result = 0;
	} else {
		ERR_clear_error();
	}
	mem_wipe(&signer, sizeof signer);
	return result;
}

/* `name+hash+base64`, read as far as that can be without knowing what the base64 holds. 0 or -1. */
static int parse_key(const char *text, char name[NOTE_KEY_NAME_MAX + 1], uint32_t *id, uint8_t key[KEY_SIZE])
{
	const char *plus = strchr(text, '+');
	if (plus == NULL || !key_name_valid(text, (size_t)(plus - text)))
		return -1;
	memcpy(name, text, (size_t)(plus - text));
	name[plus - text] = '\0';

	*id = 0;
	const char *at = plus + 1;
	for (size_t i = 0; i < ID_DIGITS; i++, at++) {
		static const char digits[] = "0123456789abcdef";
		const char *digit = *at == '\0' ? NULL : strchr(digits, *at);
		if (digit == NULL)
			return -1;
		*id = *id << 4 | (uint32_t)(digit - digits);
	}
	if (*at++ != '+')
		return -1;

	size_t length = strlen(at), count;
	if (length > 0 && at[length - 1] == '\n')
		length--;
	uint8_t bytes[1 + KEY_SIZE];
	int result = base64_decode(at, length, bytes, sizeof bytes, &count);
	if (result == 0 && (count != sizeof bytes || bytes[0] != ED25519_TYPE))
		result = -1;
	if (result == 0)
		memcpy(key, bytes + 1, KEY_SIZE);
	mem_wipe(bytes, sizeof bytes);
	return result;
}

int note_verifier_parse(struct note_verifier *out, const char *text)
{
	struct note_verifier verifier = { 0 };
	if (parse_key(text, verifier.name, &verifier.id, verifier.key) < 0 ||
		verifier.id != key_id(verifier.name, verifier.key))
		return -1;
	*out = verifier;
	return 0;
}

int note_signer_parse(struct note_signer *out, const char *text)
{
	struct note_signer signer = { 0 };
	int result = -1;
	if (strncmp(text, private_prefix, strlen(private_prefix)) == 0 &&
		parse_key(text + strlen(private_prefix), signer.public.name, &signer.public.id, signer.seed) == 0 &&
		derive_public(signer.seed, signer.public.key) == 0 &&
		signer.public.id == key_id(signer.public.name, signer.public.key)) {
		*out = signer;
		result = 0;
	}
	mem_wipe(&signer, sizeof signer);
	return result;
}

static void write_key(const char *prefix, const struct note_verifier *verifier, const uint8_t key[KEY_SIZE],
	char out[NOTE_KEY_TEXT_MAX])
{
	uint8_t bytes[1 + KEY_SIZE] = { ED25519_TYPE };
	memcpy(bytes + 1, key, KEY_SIZE);
	int length = snprintf(out, NOTE_KEY_TEXT_MAX, "%s%s+%08x+", prefix, verifier->name, verifier->id);
	base64_encode(bytes, sizeof bytes, out + length);
	mem_wipe(bytes, sizeof bytes);
}

void note_verifier_text(const struct note_verifier *verifier, char out[NOTE_KEY_TEXT_MAX])
{
	write_key("", verifier, verifier->key, out);
}

void note_signer_text(const struct note_signer *signer, char out[NOTE_KEY_TEXT_MAX])
{
	write_key(private_prefix, &signer->public, signer->seed, out);
}

/* UTF-8, no control characters but line feeds, one of which is its end. */
static bool text_valid(const char *text, size_t length)
{
	if (length == 0 || length > NOTE_TEXT_MAX || text[length - 1] != '\n')
		return false;
	for (size_t i = 0; i < length; i++) {
		if ((uint8_t)text[i] < 0x20 && text[i] != '\n')
			return false;
	}
	return utf8_valid(text, length);
}

static void sign(const struct note_signer *signer, const char *text, size_t length, uint8_t out[SIGNATURE_SIZE])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, signer->seed, KEY_SIZE);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t size = SIGNATURE_SIZE;
	bool made = key != NULL && context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
		EVP_DigestSign(context, out, &size, (const unsigned char *)text, length) == 1;
	assert(made && size == SIGNATURE_SIZE); /* nothing fails here but memory */
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
}

static bool verify(const struct note_verifier *verifier, const char *text, size_t length, const uint8_t *signature,
	size_t signature_length)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, verifier->key, KEY_SIZE);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool valid = key != NULL && context != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
		EVP_DigestVerify(context, signature, signature_length, (const unsigned char *)text, length) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	if (!valid)
		ERR_clear_error(); /* whoever asks OpenSSL next must not find this */
	return valid;
}

char *note_sign(const char *text, const struct note_signer *signers, size_t count)
{
	assert(count > 0 && count <= NOTE_KEYS_MAX);
	size_t length = strlen(text);
	if (!text_valid(text, length))
		return NULL;
	size_t room = length + 2 + count * SIGNATURE_LINE_MAX;
	char *note = mem_alloc(room), *end = note + room;
	char *at = note + snprintf(note, room, "%s\n", text);
	for (size_t i = 0; i < count; i++) {
		const struct note_verifier *public = &signers[i].public;
		uint8_t bytes[ID_SIZE + SIGNATURE_SIZE];
		char encoded[BASE64_LENGTH(sizeof bytes) + 1];
		for (size_t j = 0; j < ID_SIZE; j++)
			bytes[j] = (uint8_t)(public->id >> (24 - 8 * j));
		sign(&signers[i], text, length, bytes + ID_SIZE);
		base64_encode(bytes, sizeof bytes, encoded);
		at += snprintf(at, (size_t)(end - at), "%s%s %s\n", dash, public->name, encoded);
	}
	return note;
}

const char *note_result_text(enum note_result result)
{
	static const char *const texts[] = {
		[NOTE_OK] = "",
		[NOTE_MALFORMED] = "it is not a signed note",
		[NOTE_UNKNOWN_KEY] = "it is not signed by a known key",
		[NOTE_BAD_SIGNATURE] = "the signature of a known key is wrong",
	};
	return texts[result];
}

/* One line below the text. */
struct signature {
	const char *name; /* not NUL-terminated */
	size_t name_length;
	uint32_t id;
	const uint8_t *bytes; /* the caller's */
	size_t length;
};

/* `storage` takes the decoded base64, which is shorter than the line. */
static int parse_signature(struct text_line line, uint8_t *storage, struct signature *out)
{
	size_t prefix = strlen(dash);
	if (line.length < prefix || memcmp(line.text, dash, prefix) != 0)
		return -1;
	const char *name = line.text + prefix, *end = line.text + line.length;
	const char *space = memchr(name, ' ', (size_t)(end - name));
	if (space == NULL || !name_valid(name, (size_t)(space - name)))
		return -1;
	size_t count, encoded = (size_t)(end - space) - 1;
	if (base64_decode(space + 1, encoded, storage, encoded, &count) < 0 || count <= ID_SIZE)
		return -1;
	*out = (struct signature){ .name = name,
		.name_length = (size_t)(space - name),
		.id = read_u32(storage),
		.bytes = storage + ID_SIZE,
		.length = count - ID_SIZE };
	return 0;
}

static const struct note_verifier *find_key(
	const struct signature *signature, const struct note_verifier *verifiers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (verifiers[i].id == signature->id && strlen(verifiers[i].name) == signature->name_length &&
			memcmp(verifiers[i].name, signature->name, signature->name_length) == 0)
			return &verifiers[i];
	}
	return NULL;
}

/* Where the text ends and the signatures begin: at the last empty line. 0: there is none. */
static size_t find_split(const char *note, size_t length)
{
	for (size_t i = length - 1; i > 0; i--) {
		if (note[i] == '\n' && note[i - 1] == '\n')
			return i;
	}
	return 0;
}

enum note_result note_open(
	const char *note, size_t length, const struct note_verifier *verifiers, size_t count, size_t *text_length)
{
	assert(count <= NOTE_KEYS_MAX);
	if (!text_valid(note, length))
		return NOTE_MALFORMED;
	size_t split = find_split(note, length);
	const char *at = note + split + 1, *end = note + length;
	if (split == 0 || at == end)
		return NOTE_MALFORMED;

	/* Every line is read before it is said what is wrong with one, so that the answer does not hang on their order.
	 */
	uint8_t *storage = mem_alloc((size_t)(end - at));
	bool some = false, wrong = false;
	size_t signatures = 0;
	enum note_result result = NOTE_MALFORMED;
	struct text_line line;
	while (text_line_next(&at, end, &line) == 0) {
		struct signature signature;
		if (++signatures > NOTE_SIGNATURES_MAX || parse_signature(line, storage, &signature) < 0)
			goto out;
		const struct note_verifier *verifier = find_key(&signature, verifiers, count);
		if (verifier == NULL)
			continue;
		if (verify(verifier, note, split, signature.bytes, signature.length))
			some = true;
		else
			wrong = true;
	}
	result = wrong ? NOTE_BAD_SIGNATURE : some ? NOTE_OK : NOTE_UNKNOWN_KEY;
	if (result == NOTE_OK)
		*text_length = split;
out:
	mem_free(storage);
	return result;
}
