#ifndef NEEDTOKNOW_SERVICE_LEDGER_ROOM_H
#define NEEDTOKNOW_SERVICE_LEDGER_ROOM_H

#include <stdint.h>

/*
 * Watches the room that the ledger's partitions have left: a ledger that has outgrown them cannot be written, and then
 * nothing is delivered. `needtoknowd maintain` makes room; the daemon may not. Asked once a minute, said once an hour.
 */
struct ledger_room;
struct service;

struct ledger_room_counters {
	uint64_t is_short; /* 1: less than one whole partition is left beyond the one that is being written */
};

struct ledger_room *ledger_room_new(struct service *service);
/* NULL is allowed. */
void ledger_room_free(struct ledger_room *room);
const struct ledger_room_counters *ledger_room_counters(const struct ledger_room *room);

#endif
