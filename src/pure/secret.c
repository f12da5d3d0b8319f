#include "pure/secret.h"

#include "pure/sha256.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <string.h>

static void hmac_u32(struct hmac *hmac, size_t value)
{
	assert(value <= UINT32_MAX);
	uint8_t bytes[4];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(value >> (24 - 8 * i));
	hmac_update(hmac, bytes, sizeof bytes);
}

static void hmac_field(struct hmac *hmac, const void *bytes, size_t length)
{
	hmac_u32(hmac, length);
	hmac_update(hmac, bytes, length);
}

void secret_hmac(const uint8_t key[32], const struct secret_field *fields, size_t count, uint8_t out[32])
{
	struct hmac hmac;
	hmac_init(&hmac, key);
	for (size_t i = 0; i < count; i++)
		hmac_field(&hmac, fields[i].bytes, fields[i].length);
	hmac_final(&hmac, out);
}

void booking_ref(const uint8_t subject_key[32], const char *booking_id, uint8_t out[32])
{
	struct hmac hmac;
	hmac_init(&hmac, subject_key);
	hmac_update(&hmac, booking_id, strlen(booking_id));
	hmac_final(&hmac, out);
}

void values_commitment(const uint8_t subject_key[32], const char *delivery_id, const struct commitment_field *fields,
	size_t count, uint8_t out[32])
{
	struct hmac hmac;
	hmac_init(&hmac, subject_key);
	hmac_field(&hmac, delivery_id, strlen(delivery_id));
	for (size_t i = 0; i < count; i++) {
		const struct commitment_field *field = &fields[i];
		const uint8_t is_null = field->value == NULL;
		hmac_field(&hmac, field->name, strlen(field->name));
		hmac_update(&hmac, &is_null, 1);
		hmac_field(&hmac, field->value, is_null ? 0 : field->length);
	}
	hmac_final(&hmac, out);
}

enum {
	POSITION_MAX = 256,
	MAC_LENGTH = 16,
	TOKEN_BYTES_MAX = POSITION_MAX + MAC_LENGTH
};
_Static_assert((TOKEN_BYTES_MAX * 4 + 2) / 3 < PAGE_TOKEN_MAX, "the longest token and its NUL fit");

/* RFC 4648 section 5, without padding. */
static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void base64url_encode(const uint8_t *bytes, size_t length, char *out)
{
	uint32_t bits = 0;
	unsigned held = 0;
	for (size_t i = 0; i < length; i++) {
		bits = bits << 8 | bytes[i];
		for (held += 8; held >= 6; held -= 6)
			*out++ = base64url[bits >> (held - 6) & 63];
	}
	if (held > 0)
		*out++ = base64url[bits << (6 - held) & 63];
	*out = '\0';
}

/* 0, or -1: another character, longer than `size`, or not what base64url_encode() would have written. */
static int base64url_decode(const char *text, uint8_t *out, size_t size, size_t *length)
{
	uint32_t bits = 0;
	unsigned held = 0;
	size_t count = 0;
	for (; *text != '\0'; text++) {
		const char *digit = strchr(base64url, *text);
		if (digit == NULL)
			return -1;
		bits = bits << 6 | (uint32_t)(digit - base64url);
		held += 6;
		if (held < 8)
			continue;
		if (count == size)
			return -1;
		held -= 8;
		out[count++] = (uint8_t)(bits >> held);
	}
	if (held == 6 || (bits & ((1u << held) - 1)) != 0)
		return -1;
	*length = count;
	return 0;
}

static void page_mac(const uint8_t key[32], const void *scope, size_t scope_length, const void *position,
	size_t position_length, uint8_t out[32])
{
	const struct secret_field fields[] = { { scope, scope_length }, { position, position_length } };
	secret_hmac(key, fields, 2, out);
}

int page_token_make(const uint8_t key[32], const void *scope, size_t scope_length, const void *position,
	size_t position_length, char out[PAGE_TOKEN_MAX])
{
	if (position_length > POSITION_MAX)
		return -1;
	uint8_t bytes[TOKEN_BYTES_MAX], mac[32];
	page_mac(key, scope, scope_length, position, position_length, mac);
	if (position_length > 0)
		memcpy(bytes, position, position_length);
	memcpy(bytes + position_length, mac, MAC_LENGTH);
	base64url_encode(bytes, position_length + MAC_LENGTH, out);
	return 0;
}

int page_token_open(const uint8_t key[32], const void *scope, size_t scope_length, const char *token, void *position,
	size_t size, size_t *position_length)
{
	uint8_t bytes[TOKEN_BYTES_MAX], mac[32];
	size_t length;
	if (base64url_decode(token, bytes, sizeof bytes, &length) < 0 || length < MAC_LENGTH)
		return -1;
	length -= MAC_LENGTH;
	page_mac(key, scope, scope_length, bytes, length, mac);
	if (CRYPTO_memcmp(mac, bytes + length, MAC_LENGTH) != 0 || length > size)
		return -1;
	if (length > 0)
		memcpy(position, bytes, length);
	*position_length = length;
	return 0;
}
