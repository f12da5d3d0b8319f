#ifndef NEEDTOKNOW_PURE_BASE64_H
#define NEEDTOKNOW_PURE_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Base 64 with padding, RFC 4648 section 4. */

/* Characters of `bytes` bytes, without a NUL. */
#define BASE64_LENGTH(bytes) (((bytes) + 2) / 3 * 4)

/* BASE64_LENGTH(length) characters and a NUL. */
void base64_encode(const void *bytes, size_t length, char *out);
/* 0, or -1: not exactly what base64_encode() writes (section 3.5: the bits left over must be zero), or more than `size`
 * bytes; then *out_length is untouched, but not what is at `out`. */
int base64_decode(const char *text, size_t length, void *out, size_t size, size_t *out_length);

#endif
