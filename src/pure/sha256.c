/* The functions below are deprecated since OpenSSL 3.0 and remain in it; sha256.h says what they gain. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "pure/sha256.h"

#include "base/memory.h"

#include <assert.h>

void sha256_init(struct sha256 *hash)
{
	int ok = SHA256_Init(&hash->state);
	assert(ok == 1);
}

void sha256_update(struct sha256 *hash, const void *bytes, size_t length)
{
	int ok = SHA256_Update(&hash->state, bytes, length);
	assert(ok == 1);
}

void sha256_final(struct sha256 *hash, uint8_t out[SHA256_SIZE])
{
	int ok = SHA256_Final(out, &hash->state);
	assert(ok == 1);
	mem_wipe(hash, sizeof *hash);
}

void hmac_init(struct hmac *hmac, const uint8_t key[SHA256_SIZE])
{
	uint8_t inner[SHA256_CBLOCK], outer[SHA256_CBLOCK];
	for (size_t i = 0; i < SHA256_CBLOCK; i++) {
		uint8_t byte = i < SHA256_SIZE ? key[i] : 0;
		inner[i] = byte ^ 0x36;
		outer[i] = byte ^ 0x5c;
	}
	sha256_init(&hmac->inner);
	sha256_update(&hmac->inner, inner, sizeof inner);
	sha256_init(&hmac->outer);
	sha256_update(&hmac->outer, outer, sizeof outer);
	mem_wipe(inner, sizeof inner);
	mem_wipe(outer, sizeof outer);
}

void hmac_update(struct hmac *hmac, const void *bytes, size_t length)
{
	sha256_update(&hmac->inner, bytes, length);
}

void hmac_final(struct hmac *hmac, uint8_t out[SHA256_SIZE])
{
	uint8_t digest[SHA256_SIZE];
	sha256_final(&hmac->inner, digest);
	sha256_update(&hmac->outer, digest, sizeof digest);
	sha256_final(&hmac->outer, out);
	mem_wipe(digest, sizeof digest);
}
