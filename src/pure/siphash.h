#ifndef NEEDTOKNOW_PURE_SIPHASH_H
#define NEEDTOKNOW_PURE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* SipHash-2-4 (Aumasson, Bernstein, 2012): a fast keyed hash whose collisions cannot be made without the key. */
uint64_t siphash(const uint8_t key[16], const void *bytes, size_t length);

#endif
