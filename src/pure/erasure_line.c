#include "pure/erasure_line.h"

#include "pure/base64.h"
#include "pure/secret.h"
#include "pure/time.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define VERSION 1
#define KEY_LENGTH 16
#define HEAD_LENGTH (1 + KEY_LENGTH + 8)
#define PLAIN_MAX (HEAD_LENGTH + ERASURE_SUBJECT_MAX)
#define NONCE_LENGTH 12
#define TAG_LENGTH 16
#define SEALED_MAX (NONCE_LENGTH + PLAIN_MAX + TAG_LENGTH)

_Static_assert(TIME_TEXT_MAX + BASE64_LENGTH(SEALED_MAX) + 3 <= ERASURE_LINE_MAX, "a line has room");

static void derive(const uint8_t secret[32], const char *use, const char *time, const uint8_t *plain, size_t length,
	uint8_t out[32])
{
	struct secret_field fields[] = { { use, strlen(use) }, { time, strlen(time) }, { plain, length } };
	secret_hmac(secret, fields, 3, out);
}

/* Both ways. `text` is what was, or is to be, encrypted. 0, or -1: the tag is not that of the text. */
static int run_cipher(const uint8_t secret[32], const char *time, const uint8_t nonce[NONCE_LENGTH], const uint8_t *in,
	size_t length, uint8_t *out, uint8_t tag[TAG_LENGTH], int encrypt)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t key[32], rest[16];
	int made = 0, status = -1;
	derive(secret, "key", "", NULL, 0, key);
	if (context && EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce, encrypt) == 1 &&
		(encrypt || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_LENGTH, tag) == 1) &&
		EVP_CipherUpdate(context, NULL, &made, (const uint8_t *)time, (int)strlen(time)) == 1 &&
		EVP_CipherUpdate(context, out, &made, in, (int)length) == 1 &&
		EVP_CipherFinal_ex(context, rest, &made) == 1 &&
		(!encrypt || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_LENGTH, tag) == 1))
		status = 0;
	EVP_CIPHER_CTX_free(context);
	OPENSSL_cleanse(key, sizeof key);
	return status;
}

static void put_u64(uint8_t *out, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)(value >> (56 - 8 * i));
}

static uint64_t get_u64(const uint8_t *in)
{
	uint64_t value = 0;
	for (int i = 0; i < 8; i++)
		value = value << 8 | in[i];
	return value;
}

void erasure_line_format(const uint8_t secret[32], const struct erasure_line *line, char out[ERASURE_LINE_MAX])
{
	uint8_t plain[PLAIN_MAX], sealed[SEALED_MAX], nonce[32];
	char time[TIME_TEXT_MAX], text[BASE64_LENGTH(SEALED_MAX) + 1];
	size_t subject = strlen(line->subject_id), length = HEAD_LENGTH + subject;
	assert(subject <= ERASURE_SUBJECT_MAX);
	time_format(line->recorded_at, time);
	plain[0] = VERSION;
	memcpy(plain + 1, line->request_key, KEY_LENGTH);
	put_u64(plain + 1 + KEY_LENGTH, (uint64_t)line->forget_after);
	memcpy(plain + HEAD_LENGTH, line->subject_id, subject);
	derive(secret, "nonce", time, plain, length, nonce);
	memcpy(sealed, nonce, NONCE_LENGTH);
	int status = run_cipher(
		secret, time, sealed, plain, length, sealed + NONCE_LENGTH, sealed + NONCE_LENGTH + length, 1);
	assert(status == 0);
	(void)status;
	base64_encode(sealed, NONCE_LENGTH + length + TAG_LENGTH, text);
	snprintf(out, ERASURE_LINE_MAX, "%s %s\n", time, text);
	OPENSSL_cleanse(plain, sizeof plain);
}

int erasure_line_parse(const uint8_t secret[32], const char *text, size_t length, struct erasure_line *out)
{
	uint8_t plain[PLAIN_MAX], sealed[SEALED_MAX];
	char time[TIME_TEXT_MAX];
	size_t sealed_length, clock = 0;
	struct erasure_line line = { 0 };
	while (clock < length && text[clock] != ' ')
		clock++;
	if (clock == length || clock >= sizeof time)
		return -1;
	memcpy(time, text, clock);
	time[clock] = '\0';
	if (time_parse(time, &line.recorded_at) ||
		base64_decode(text + clock + 1, length - clock - 1, sealed, sizeof sealed, &sealed_length) ||
		sealed_length <= NONCE_LENGTH + HEAD_LENGTH + TAG_LENGTH)
		return -1;
	size_t plain_length = sealed_length - NONCE_LENGTH - TAG_LENGTH;
	if (run_cipher(secret, time, sealed, sealed + NONCE_LENGTH, plain_length, plain,
		    sealed + NONCE_LENGTH + plain_length, 0) ||
		plain[0] != VERSION || memchr(plain + HEAD_LENGTH, '\0', plain_length - HEAD_LENGTH))
		return -1;
	memcpy(line.request_key, plain + 1, KEY_LENGTH);
	line.forget_after = (int64_t)get_u64(plain + 1 + KEY_LENGTH);
	memcpy(line.subject_id, plain + HEAD_LENGTH, plain_length - HEAD_LENGTH);
	OPENSSL_cleanse(plain, sizeof plain);
	*out = line;
	return 0;
}
