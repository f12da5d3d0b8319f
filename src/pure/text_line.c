#include "pure/text_line.h"

#include <string.h>

int text_line_next(const char **at, const char *end, struct text_line *out)
{
	if (*at == end)
		return -1;
	const char *feed = memchr(*at, '\n', (size_t)(end - *at));
	if (feed == NULL)
		return -1;
	*out = (struct text_line){ .text = *at, .length = (size_t)(feed - *at) };
	*at = feed + 1;
	return 0;
}

int text_decimal(const char *text, size_t length, uint64_t *out)
{
	if (length == 0 || (text[0] == '0' && length > 1))
		return -1;
	uint64_t value = 0;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		uint64_t digit = (uint64_t)(text[i] - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return -1;
		value = value * 10 + digit;
	}
	*out = value;
	return 0;
}
