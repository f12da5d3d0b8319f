#include "pure/delivery_id.h"

#include <stdio.h>
#include <string.h>

void delivery_id_format(const struct delivery_key *key, char out[DELIVERY_ID_MAX])
{
	char uuid[UUID_TEXT_LENGTH + 1];
	uuid_format(key->disclosure, uuid);
	snprintf(out, DELIVERY_ID_MAX, "%s-%u-%u", uuid, (unsigned)(uint16_t)key->release,
		(unsigned)(uint16_t)key->serial);
}

/* `-` and a decimal number up to INT16_MAX without leading zeros; the rest of the text, or NULL. */
static const char *parse_part(const char *text, int16_t *out)
{
	int value = 0, digits = 0;
	if (*text++ != '-')
		return NULL;
	if (text[0] == '0' && text[1] >= '0' && text[1] <= '9')
		return NULL;
	for (; *text >= '0' && *text <= '9'; text++, digits++) {
		value = value * 10 + (*text - '0');
		if (value > INT16_MAX)
			return NULL;
	}
	*out = (int16_t)value;
	return digits ? text : NULL;
}

int delivery_id_parse(const char *text, struct delivery_key *out)
{
	struct delivery_key key;
	if (strnlen(text, UUID_TEXT_LENGTH) < UUID_TEXT_LENGTH || uuid_parse(text, UUID_TEXT_LENGTH, key.disclosure))
		return -1;
	text = parse_part(text + UUID_TEXT_LENGTH, &key.release);
	if (text)
		text = parse_part(text, &key.serial);
	if (!text || *text)
		return -1;
	*out = key;
	return 0;
}
