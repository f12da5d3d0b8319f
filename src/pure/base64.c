#include "pure/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *bytes, size_t length, char *out)
{
	const uint8_t *at = bytes;
	for (; length > 0; out += 4) {
		size_t count = length < 3 ? length : 3;
		uint32_t bits = 0;
		for (size_t i = 0; i < 3; i++)
			bits = bits << 8 | (i < count ? at[i] : 0);
		for (size_t i = 0; i < 4; i++)
			out[i] = i <= count ? digits[bits >> (18 - 6 * i) & 63] : '=';
		at += count;
		length -= count;
	}
	*out = '\0';
}

/* -1: not a digit. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(const char *text, size_t length, void *out, size_t size, size_t *out_length)
{
	if (length % 4 != 0)
		return -1;
	size_t padding = 0;
	while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
		padding++;

	uint8_t *bytes = out;
	size_t count = 0;
	uint32_t bits = 0;
	unsigned held = 0;
	for (size_t i = 0; i < length - padding; i++) {
		int value = value_of(text[i]);
		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t)value;
		held += 6;
		if (held < 8)
			continue;
		if (count == size)
			return -1;
		held -= 8;
		bytes[count++] = (uint8_t)(bits >> held);
	}
	if ((bits & ((1u << held) - 1)) != 0)
		return -1;
	*out_length = count;
	return 0;
}
