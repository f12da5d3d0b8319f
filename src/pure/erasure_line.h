#ifndef NEEDTOKNOW_PURE_ERASURE_LINE_H
#define NEEDTOKNOW_PURE_ERASURE_LINE_H

#include <stddef.h>
#include <stdint.h>

/*
 * One erasure (GDPR art. 17) as the erasure list has it, beside the database and its backups: who has the file alone
 * learns how many there were, and when, and nobody's name.
 *
 *	2026-11-23T12:00:00.250Z <base64 of nonce (12 bytes), ciphertext, tag (16 bytes)>
 *
 * AES-256-GCM under keys that are derived from the shared secret; the time is authenticated too. The nonce is an HMAC
 * of what is encrypted, so that none serves twice for different lines. What is encrypted: 1, the request key, when the
 * subject's key may go (8 bytes, big-endian), the subject's id.
 */
#define ERASURE_SUBJECT_MAX 128
#define ERASURE_LINE_MAX 320 /* with line feed and NUL */

struct erasure_line {
	uint8_t request_key[16]; /* of needtoknow.erasure */
	int64_t recorded_at;
	int64_t forget_after;
	char subject_id[ERASURE_SUBJECT_MAX + 1];
};

/* Ends with a line feed. The subject's id must not be longer than its maximum. */
void erasure_line_format(const uint8_t secret[32], const struct erasure_line *line, char out[ERASURE_LINE_MAX]);
/* `length` without the line feed. 0; or -1: it is no such line, was changed, or is of another database. */
int erasure_line_parse(const uint8_t secret[32], const char *text, size_t length, struct erasure_line *out);

#endif
