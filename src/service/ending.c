#include "service/ending.h"

#include "service/queue.h"
#include "service/service.h"

#include <string.h>

/* The next device of the list: its length in *length; NULL at the end. */
static const char *next_device(const char **devices, size_t *length)
{
	const char *device = *devices;
	if (!device || !*device)
		return NULL;
	*length = strcspn(device, "\n");
	*devices = device + *length + (device[*length] ? 1 : 0);
	return device;
}

static void order_deletion(struct call *call, struct departure *departure, const struct ending *ending,
	const char *device, int64_t delete_within)
{
	const struct disclosure *disclosure = ending->disclosure;
	int64_t now = departure_now(departure);
	struct entry_draft draft;
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_WITHDRAWN);
	entry_disclosure(&draft, call, disclosure, ending->subject);
	draft.entry.device = (char *)device;
	draft.entry.reason = ending->reason;
	struct recorded recorded = departure_entry(departure, &draft.entry);
	departure_write(departure, WRITE_WITHDRAWAL,
		(struct cell[]){ cell_bytes(disclosure->id, 16), cell_text(device), cell_text(disclosure->recipient_id),
			cell_number(ending->cause), cell_number(now), cell_number(now + delete_within),
			cell_number((int64_t)recorded.index),
			cell_bytes(recorded.leaf.bytes, sizeof recorded.leaf.bytes) });
}

void ending_board(struct call *call, struct departure *departure, struct ending *ending)
{
	const struct disclosure *disclosure = ending->disclosure;
	const struct rule *rule = disclosure_rule(call, disclosure);
	struct entry_draft draft;
	const char *devices = ending->devices, *device;
	size_t length;

	entry_begin(&draft, call, ending->kind);
	entry_disclosure(&draft, call, disclosure, ending->subject);
	draft.entry.reason = ending->reason;
	ending->recorded = departure_entry(departure, &draft.entry);
	departure_write(departure, WRITE_DISCLOSURE_END,
		(struct cell[]){ cell_bytes(disclosure->id, 16), cell_number(ending->state),
			cell_number((int64_t)ending->recorded.index) });
	while ((device = next_device(&devices, &length))) {
		char name[IDENTITY_NAME_MAX + 1];
		memcpy(name, device, length < sizeof name ? length : sizeof name - 1);
		name[length < sizeof name ? length : sizeof name - 1] = '\0';
		order_deletion(call, departure, ending, name, rule ? rule->service->delete_within : 0);
	}
	if (ending->devices)
		departure_write(departure, WRITE_SENT_CLOSED, (struct cell[]){ cell_bytes(disclosure->id, 16) });
	for (size_t i = 0; rule && i < rule->service->release_count; i++)
		departure_write(departure, WRITE_DUE_ENDED,
			(struct cell[]){ cell_text(disclosure->recipient_id),
				cell_number(disclosure_due_at(disclosure, &rule->service->releases[i])),
				cell_bytes(disclosure->id, 16), cell_number((int64_t)i) });
}

void ending_committed(struct call *call, const struct ending *ending)
{
	struct queues *queues = service_queues(call->service);
	const char *devices = ending->devices, *device;
	size_t length;
	queue_drop(queues, ending->disclosure->id);
	queue_ended(queues, ending->disclosure->recipient_id, ending->disclosure->id);
	while ((device = next_device(&devices, &length))) {
		char name[IDENTITY_NAME_MAX + 1];
		memcpy(name, device, length < sizeof name ? length : sizeof name - 1);
		name[length < sizeof name ? length : sizeof name - 1] = '\0';
		queue_withdrawn(queues, ending->disclosure->recipient_id, name);
	}
}
