#ifndef NEEDTOKNOW_PURE_IDENTIFIER_H
#define NEEDTOKNOW_PURE_IDENTIFIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Subject, booking, recipient, service, request and device ids: 1 to 128 bytes of UTF-8 without control characters. */
#define IDENTIFIER_MAX 128

bool identifier_valid(const char *text, size_t length);

/* RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF. NUL is valid UTF-8 here; ask for it elsewhere. */
bool utf8_valid(const void *bytes, size_t length);
/* The length of the character at the front of `length` > 0 bytes and its code point; 0 (and *point untouched) when it
 * is not valid. */
size_t utf8_next(const uint8_t *bytes, size_t length, uint32_t *point);
/* Unicode's general category Cc. */
bool utf8_is_control(uint32_t point);

/* 36 characters, 8-4-4-4-12 lower-case hexadecimal digits. */
#define UUID_TEXT_LENGTH 36
void uuid_format(const unsigned char uuid[16], char out[UUID_TEXT_LENGTH + 1]);
/* 0, or -1: only the exact form above is taken. */
int uuid_parse(const char *text, size_t length, unsigned char out[16]);

#endif
