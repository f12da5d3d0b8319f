#ifndef NEEDTOKNOW_PURE_SHA256_H
#define NEEDTOKNOW_PURE_SHA256_H

#include <openssl/sha.h>
#include <stddef.h>
#include <stdint.h>

/*
 * SHA-256 and HMAC-SHA-256, piece by piece. The one place that chooses OpenSSL's interface: for the 70 bytes of a leaf
 * or a node SHA256_Init/Update/Final take 120 ns, a digest through EVP 157 to 460, and a HMAC through EVP_MAC over a
 * microsecond.
 */
#define SHA256_SIZE 32

struct sha256 {
	SHA256_CTX state;
};

void sha256_init(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const void *bytes, size_t length);
/* Wipes *hash. */
void sha256_final(struct sha256 *hash, uint8_t out[SHA256_SIZE]);

/* RFC 2104 with a key of one digest's length. */
struct hmac {
	struct sha256 inner, outer;
};

void hmac_init(struct hmac *hmac, const uint8_t key[SHA256_SIZE]);
void hmac_update(struct hmac *hmac, const void *bytes, size_t length);
/* Wipes *hmac. */
void hmac_final(struct hmac *hmac, uint8_t out[SHA256_SIZE]);

#endif
