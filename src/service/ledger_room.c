#include "service/ledger_room.h"

#include "base/log.h"
#include "base/memory.h"
#include "pure/retention.h"
#include "pure/time.h"
#include "service/batch.h"
#include "service/service.h"
#include "sql.h"

#include <inttypes.h>

#define TICK TIME_SECOND /* until there is an answer */
#define INTERVAL (60 * TIME_SECOND)
#define WARNING_INTERVAL (3600 * TIME_SECOND)

struct ledger_room {
	struct service *service;
	struct loop_timer timer;
	int64_t warned_at; /* loop time; 0: never */
	struct ledger_room_counters counters;
};

static void judge(struct ledger_room *room, uint64_t size, uint64_t end)
{
	int64_t now = loop_now(service_loop(room->service));
	room->counters.is_short = partitions_are_short(size, end);
	if (!room->counters.is_short)
		room->warned_at = 0;
	else if (!room->warned_at || now - room->warned_at >= WARNING_INTERVAL) {
		log_warning("ledger",
			"%" PRIu64 " entries more and the ledger cannot be written, since it has no partition for "
			"them: run `needtoknowd maintain`",
			end > size ? end - size : 0);
		room->warned_at = now;
	}
}

static void answered(void *context, const struct database_outcome *outcome)
{
	struct ledger_room *room = context;
	if (outcome->result != DATABASE_OK || PQntuples(outcome->results[0]) != 1)
		return; /* asked again in a moment */
	loop_timer_set(&room->timer, INTERVAL);
	judge(room, (uint64_t)row_int(outcome->results[0], 0, 0), (uint64_t)row_int(outcome->results[0], 0, 1));
}

static void ask(void *context)
{
	struct ledger_room *room = context;
	struct database *state = service_database_state(room->service);
	loop_timer_set(&room->timer, TICK);
	if (service_state(room->service) != SERVICE_SERVING || !database_up(state))
		return;
	database_open(state);
	database_add(state, &sql_ledger_room, NULL);
	database_send(state, answered, room);
}

struct ledger_room *ledger_room_new(struct service *service)
{
	struct ledger_room *room = mem_calloc(1, sizeof *room);
	room->service = service;
	loop_timer_init(&room->timer, service_loop(service), ask, room);
	loop_timer_set(&room->timer, TICK);
	return room;
}

void ledger_room_free(struct ledger_room *room)
{
	if (!room)
		return;
	loop_timer_release(&room->timer);
	mem_free(room);
}

const struct ledger_room_counters *ledger_room_counters(const struct ledger_room *room)
{
	return &room->counters;
}
