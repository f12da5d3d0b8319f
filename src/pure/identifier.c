#include "pure/identifier.h"

/* RFC 3629 section 4. */
size_t utf8_next(const uint8_t *bytes, size_t length, uint32_t *point)
{
	/* By lead byte: how long, and the least code point that may be written so. */
	static const struct {
		uint8_t mask, lead, length;
		uint32_t least;
	} forms[] = {
		{ 0x80, 0x00, 1, 0 },
		{ 0xe0, 0xc0, 2, 0x80 },
		{ 0xf0, 0xe0, 3, 0x800 },
		{ 0xf8, 0xf0, 4, 0x10000 },
	};
	size_t form = 0;
	while (form < 4 && (bytes[0] & forms[form].mask) != forms[form].lead)
		form++;
	if (form == 4 || length < forms[form].length)
		return 0;

	uint32_t value = bytes[0] & (uint8_t)~forms[form].mask;
	for (size_t i = 1; i < forms[form].length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (bytes[i] & 0x3f);
	}
	if (value < forms[form].least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*point = value;
	return forms[form].length;
}

bool utf8_valid(const void *bytes, size_t length)
{
	const uint8_t *at = bytes;
	while (length > 0) {
		uint32_t point;
		size_t step = utf8_next(at, length, &point);
		if (step == 0)
			return false;
		at += step;
		length -= step;
	}
	return true;
}

bool utf8_is_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point <= 0x9f);
}

bool identifier_valid(const char *text, size_t length)
{
	if (length == 0 || length > IDENTIFIER_MAX)
		return false;
	const uint8_t *at = (const uint8_t *)text;
	while (length > 0) {
		uint32_t point;
		size_t step = utf8_next(at, length, &point);
		if (step == 0 || utf8_is_control(point))
			return false;
		at += step;
		length -= step;
	}
	return true;
}

/* Where the hyphens stand. */
static bool is_hyphen_place(size_t place)
{
	return place == 8 || place == 13 || place == 18 || place == 23;
}

void uuid_format(const unsigned char uuid[16], char out[UUID_TEXT_LENGTH + 1])
{
	static const char digits[] = "0123456789abcdef";
	size_t nibble = 0;
	for (size_t i = 0; i < UUID_TEXT_LENGTH; i++) {
		if (is_hyphen_place(i)) {
			out[i] = '-';
			continue;
		}
		unsigned char byte = uuid[nibble / 2];
		out[i] = digits[nibble % 2 == 0 ? byte >> 4 : byte & 15];
		nibble++;
	}
	out[UUID_TEXT_LENGTH] = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int uuid_parse(const char *text, size_t length, unsigned char out[16])
{
	if (length != UUID_TEXT_LENGTH)
		return -1;
	unsigned char uuid[16] = { 0 };
	size_t nibble = 0;
	for (size_t i = 0; i < UUID_TEXT_LENGTH; i++) {
		if (is_hyphen_place(i)) {
			if (text[i] != '-')
				return -1;
			continue;
		}
		int digit = hex_digit(text[i]);
		if (digit < 0)
			return -1;
		uuid[nibble / 2] = (unsigned char)(uuid[nibble / 2] << 4 | digit);
		nibble++;
	}
	for (size_t i = 0; i < sizeof uuid; i++)
		out[i] = uuid[i];
	return 0;
}
