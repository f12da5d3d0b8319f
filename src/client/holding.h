#ifndef NEEDTOKNOW_CLIENT_HOLDING_H
#define NEEDTOKNOW_CLIENT_HOLDING_H

#include "base/arena.h"
#include "pure/identifier.h"

#include <needtoknow/v1/delivery.pb-c.h>

/*
 * The deliveries that a receiving app holds in memory, each in an arena of its own, in order of arrival. Whatever
 * leaves is wiped. A device holds tens, so looking through all of them is quick.
 */
struct held {
	struct arena *arena;
	Needtoknow__V1__Delivery *delivery; /* in the arena */
	int64_t expires_at; /* microseconds since 1970, the server's clock; INT64_MAX: never */
	struct held *next;
};

/* Zeroed: empty. */
struct holding {
	struct held *first;
	size_t count;
};

/*
 * Takes the arena over. A delivery of the same release of the same disclosure is replaced: the new one repeats or
 * corrects it. Its times hold for the whole disclosure, which may have been moved since.
 */
void holding_put(struct holding *holding, struct arena *arena, Needtoknow__V1__Delivery *delivery);

bool holding_has(const struct holding *holding, const char *delivery_id);

/* Wipes all that a disclosure delivered. How many there were. */
size_t holding_drop(struct holding *holding, const char *disclosure_id);

/* When the next disclosure expires; INT64_MAX: none does. */
int64_t holding_next_expiry(const struct holding *holding);

/* Which disclosure has expired at `now`, if any. */
struct expired {
	char disclosure_id[IDENTIFIER_MAX + 1];
	char booking_id[IDENTIFIER_MAX + 1];
	size_t count; /* deliveries that were wiped */
};
/* Wipes one expired disclosure and says which; false: none has. */
bool holding_expire(struct holding *holding, int64_t now, struct expired *out);

void holding_release(struct holding *holding);

#endif
