#include "service/ending.h"

#include "service/batch.h"
#include "service/queue.h"
#include "service/service.h"

#include <string.h>

int ending_read(struct call *call, const PGresult *result, int row, int column, struct ending *out)
{
	struct disclosure *disclosure = &out->disclosure;
	memset(out, 0, sizeof *out);
	if (row_bytes(result, row, column, disclosure->id, sizeof disclosure->id))
		return -1;
	disclosure->booking_id = row_text(result, row, column + 1, call);
	disclosure->recipient_id = row_text(result, row, column + 2, call);
	disclosure->service = row_text(result, row, column + 3, call);
	disclosure->policy_number = (int)row_int(result, row, column + 4);
	disclosure->starts_at = row_time(result, row, column + 5);
	disclosure->ends_at = row_time(result, row, column + 6);
	disclosure->expires_at = row_time(result, row, column + 7);
	disclosure->created_at = row_time(result, row, column + 8);
	subject_read(result, row, column + 9, &out->subject);
	out->devices = row_text(result, row, column + 11, call);
	disclosure->subject_id = row_text(result, row, column + 12, call);
	return 0;
}

void ending_keys(struct call *call, const struct disclosure *disclosure)
{
	struct delivery_key key;
	memset(&key, 0, sizeof key);
	memcpy(key.disclosure, disclosure->id, sizeof key.disclosure);
	call_key(call, KEY_DISCLOSURE, disclosure->id, sizeof disclosure->id, KEY_EXCLUSIVE);
	const struct policy_service *service = disclosure_service(call, disclosure);
	int16_t releases = service ? (int16_t)service->release_count : POLICY_RELEASES_MAX;
	for (key.release = 0; key.release < releases; key.release++)
		call_key(call, KEY_RELEASE, &key, offsetof(struct delivery_key, serial), KEY_SHARED);
}

bool ending_next_device(const char **devices, char out[static IDENTITY_NAME_MAX + 1])
{
	const char *device = *devices;
	if (!device || !*device)
		return false;
	size_t length = strcspn(device, "\n");
	size_t fits = length < IDENTITY_NAME_MAX ? length : IDENTITY_NAME_MAX;
	memcpy(out, device, fits);
	out[fits] = '\0';
	*devices = device + length + (device[length] ? 1 : 0);
	return true;
}

static void order_deletion(struct call *call, struct departure *departure, const struct ending *ending,
	const char *device, int64_t delete_within)
{
	const struct disclosure *disclosure = &ending->disclosure;
	int64_t now = departure_now(departure);
	struct entry_draft draft;
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_WITHDRAWN);
	entry_disclosure(&draft, call, disclosure, &ending->subject);
	draft.entry.device = (char *)device;
	draft.entry.reason = ending->reason;
	struct recorded recorded = departure_entry(departure, &draft.entry);
	departure_write(departure, WRITE_WITHDRAWAL,
		(struct cell[]){ cell_bytes(disclosure->id, 16), cell_text(device), cell_text(disclosure->recipient_id),
			cell_number(ending->cause), cell_number(now), cell_number(now + delete_within),
			cell_number((int64_t)recorded.index),
			cell_bytes(recorded.leaf.bytes, sizeof recorded.leaf.bytes) });
}

static void order_deletions(struct call *call, struct departure *departure, const struct ending *ending)
{
	const struct policy_service *service = disclosure_service(call, &ending->disclosure);
	const char *devices = ending->devices;
	char device[IDENTITY_NAME_MAX + 1];
	while (ending_next_device(&devices, device))
		order_deletion(call, departure, ending, device, service ? service->delete_within : 0);
}

/* Nothing of it is due any more. Where its policy is not known neither are the places of its rows: they are looked for.
 */
static void end_due(
	struct departure *departure, const struct disclosure *disclosure, const struct policy_service *service)
{
	if (!service)
		departure_write(departure, WRITE_DUE_LOST,
			(struct cell[]){ cell_text(disclosure->recipient_id), cell_bytes(disclosure->id, 16) });
	for (size_t i = 0; service && i < service->release_count; i++)
		departure_write(departure, WRITE_DUE_ENDED,
			(struct cell[]){ cell_text(disclosure->recipient_id),
				cell_number(disclosure_due_at(disclosure, &service->releases[i])),
				cell_bytes(disclosure->id, 16), cell_number((int64_t)i) });
}

void ending_board(struct call *call, struct departure *departure, struct ending *ending)
{
	const struct disclosure *disclosure = &ending->disclosure;
	const struct policy_service *service = disclosure_service(call, disclosure);
	struct entry_draft draft;

	entry_begin(&draft, call, ending->kind);
	entry_disclosure(&draft, call, disclosure, &ending->subject);
	draft.entry.reason = ending->reason;
	ending->recorded = departure_entry(departure, &draft.entry);
	departure_write(departure, WRITE_DISCLOSURE_END,
		(struct cell[]){ cell_bytes(disclosure->id, 16), cell_number(ending->state),
			cell_number((int64_t)ending->recorded.index) });
	order_deletions(call, departure, ending);
	/* Also when its devices were told before: what one of them left is open for the others. */
	departure_write(departure, WRITE_SENT_CLOSED, (struct cell[]){ cell_bytes(disclosure->id, 16) });
	end_due(departure, disclosure, service);
}

static void tell_devices(struct queues *queues, const struct ending *ending)
{
	const char *devices = ending->devices;
	char device[IDENTITY_NAME_MAX + 1];
	while (ending_next_device(&devices, device))
		queue_withdrawn(queues, ending->disclosure.recipient_id, device);
}

void ending_committed(struct call *call, const struct ending *ending)
{
	struct queues *queues = service_queues(call->service);
	queue_drop(queues, ending->disclosure.id);
	queue_ended(queues, ending->disclosure.recipient_id, ending->disclosure.id);
	tell_devices(queues, ending);
}

void ending_board_devices(struct call *call, struct departure *departure, const struct ending *ending)
{
	const char *devices = ending->devices;
	char device[IDENTITY_NAME_MAX + 1];
	order_deletions(call, departure, ending);
	while (ending_next_device(&devices, device))
		departure_write(departure, WRITE_SENT_LEFT,
			(struct cell[]){ cell_bytes(ending->disclosure.id, 16), cell_text(device),
				cell_number(departure_now(departure)) });
}

void ending_devices_committed(struct call *call, const struct ending *ending)
{
	struct queues *queues = service_queues(call->service);
	tell_devices(queues, ending);
	queue_poke(queues, ending->disclosure.recipient_id);
}
