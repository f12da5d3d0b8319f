#ifndef NEEDTOKNOW_PURE_SECRET_H
#define NEEDTOKNOW_PURE_SECRET_H

#include <stddef.h>
#include <stdint.h>

/* Keyed digests. All are HMAC-SHA-256 (RFC 2104) over fields that carry their own lengths, so that no two inputs look
 * alike. */

struct secret_field {
	const void *bytes;
	size_t length;
};

/* HMAC over, for each field, its u32 big-endian length and its bytes. */
void secret_hmac(const uint8_t key[32], const struct secret_field *fields, size_t count, uint8_t out[32]);

/* What stands for a booking in the ledger: HMAC-SHA-256 of the id's bytes alone under the subject's key. */
void booking_ref(const uint8_t subject_key[32], const char *booking_id, uint8_t out[32]);

/* One field of a delivery; the value is not copied. */
struct commitment_field {
	const char *name; /* `source.column` */
	const char *value; /* NULL is SQL's NULL */
	size_t length;
};
/*
 * HMAC under the subject's key over u32 length, delivery_id, then per field in the policy's order u32 length, name, u8
 * is_null, u32 length, value. Lengths are big-endian.
 */
void values_commitment(const uint8_t subject_key[32], const char *delivery_id, const struct commitment_field *fields,
	size_t count, uint8_t out[32]);

/*
 * Page tokens: opaque, bound to a caller and to what is listed (`scope`: any bytes that name both). base64url(position
 * || first 16 bytes of the HMAC of scope and position). `position` is at most 256 bytes.
 */
#define PAGE_TOKEN_MAX 384
int page_token_make(const uint8_t key[32], const void *scope, size_t scope_length, const void *position,
	size_t position_length, char out[PAGE_TOKEN_MAX]);
/* 0 and the position (at most `size` bytes) or -1: not made for this scope, or not made by us. */
int page_token_open(const uint8_t key[32], const void *scope, size_t scope_length, const char *token, void *position,
	size_t size, size_t *position_length);

#endif
