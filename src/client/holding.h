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

/* A disclosure whose use is restricted (GDPR art. 18): what is held of it is kept, beyond its time too, and not used.
 */
struct restricted {
	char disclosure_id[IDENTIFIER_MAX + 1];
	uint64_t index; /* of the entry that told it */
	bool lifted;
	struct restricted *next;
};

/* Zeroed: empty. */
struct holding {
	struct held *first;
	size_t count;
	struct restricted *restricted;
};

/*
 * Takes the arena over. A delivery of the same release of the same disclosure is replaced: the new one repeats or
 * corrects it. Its times hold for the whole disclosure, which may have been moved since.
 */
void holding_put(struct holding *holding, struct arena *arena, Needtoknow__V1__Delivery *delivery);

bool holding_has(const struct holding *holding, const char *delivery_id);

/* It is restricted from the entry of that index on, or that is lifted. False: that was known already. */
bool holding_restrict(struct holding *holding, const char *disclosure_id, bool lifted, uint64_t index);
/* The entry that told that it is restricted; NULL: it is not. */
const uint64_t *holding_restricted(const struct holding *holding, const char *disclosure_id);

/* Wipes all that a disclosure delivered. How many there were. */
size_t holding_drop(struct holding *holding, const char *disclosure_id);
/* The same of one that was withdrawn, whether or not it was restricted. */
size_t holding_withdraw(struct holding *holding, const char *disclosure_id);

/* When the next disclosure that is not restricted expires; INT64_MAX: none does. */
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
