#ifndef NEEDTOKNOW_PURE_DELIVERY_ID_H
#define NEEDTOKNOW_PURE_DELIVERY_ID_H

#include "pure/identifier.h"

#include <stddef.h>
#include <stdint.h>

/*
 * A delivery's id names its disclosure, its release's place in the policy and how many ids that release had before, so
 * that an acknowledgement finds its rows without an index of its own. To everybody else it is opaque:
 * `<disclosure_id>-<release>-<serial>`.
 */
struct delivery_key {
	uint8_t disclosure[16];
	int16_t release; /* from 0 */
	int16_t serial; /* from 0 */
};

#define DELIVERY_ID_MAX (UUID_TEXT_LENGTH + 1 + 5 + 1 + 5 + 1)

void delivery_id_format(const struct delivery_key *key, char out[DELIVERY_ID_MAX]);
/* 0, or -1 when it is not one of ours; leading zeros and signs are not. */
int delivery_id_parse(const char *text, struct delivery_key *out);

#endif
