#include "service/restriction.h"

#include "base/buffer.h"
#include "pure/identifier.h"
#include "pure/time.h"
#include "service/batch.h"
#include "service/ending.h"
#include "service/queue.h"
#include "service/service.h"
#include "service/sweeper.h"
#include "service/train.h"
#include "sql.h"

#include <needtoknow/v1/rights.pb-c.h>

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Disclosures of one train. */
#define PAGE 128
#define LIST_MAX ((size_t)1 << 20)

struct tell {
	struct telling *telling; /* NULL: nobody waits for it */
	uint8_t request_key[16];
	const char *subject_id;
	bool lifted;
	int64_t above; /* the entry that shared the last disclosure of the page before */
	/* In when the page is read. */
	bool in_force, open; /* the restriction; the request */
	size_t count;
	struct ending *page; /* what of it is to be told of: its disclosures, subjects and devices */
	int64_t *shared; /* the entries that shared them */
};

/* ---- ask: the next page ---- */

static void page_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct tell *tell = target;
	tell->in_force = row_bool(result, row, 1);
	tell->open = row_bool(result, row, 2);
	if (tell->count == PAGE || row_is_null(result, row, 3))
		return;
	tell->shared[tell->count] = row_int(result, row, 3);
	if (!ending_read(call, result, row, 4, &tell->page[tell->count]))
		tell->count++;
}

static const struct read_kind restriction_to_tell = {
	.statement = &sql_restriction_to_tell,
	.from = READ_STATE,
	.types = { PG_TEXT, PG_BOOL, PG_UUID, PG_INT8, PG_INT4 },
	.row = page_row,
};

static enum step_result tell_ask(struct call *call)
{
	struct tell *tell = call->state;
	call_disregard(call);
	tell->count = 0;
	call_key(call, KEY_SUBJECT, tell->subject_id, strlen(tell->subject_id), KEY_EXCLUSIVE);
	batch_read(call, &restriction_to_tell, tell,
		(struct cell[]){ cell_text(tell->subject_id), cell_number(tell->lifted),
			cell_bytes(tell->request_key, sizeof tell->request_key), cell_number(tell->above),
			cell_number(PAGE) });
	return STEP_NEXT;
}

/* What ends meanwhile is read again: who is ordered to delete it is not told to keep it. */
static enum step_result tell_gather(struct call *call)
{
	const struct tell *tell = call->state;
	if (call->awaited)
		return STEP_WAIT;
	for (size_t i = 0; i < tell->count; i++)
		call_key(call, KEY_DISCLOSURE, tell->page[i].disclosure.id, 16, KEY_SHARED);
	return STEP_NEXT;
}

/* ---- commit ---- */

static enum step_result tell_commit(struct call *call)
{
	return train_board(call);
}

/* Lists of what the request did, as repeat_board() has them. */
struct done {
	struct buffer ids, indices;
};

static void add(struct buffer *buffer, const char *text)
{
	int failed = buffer->length ? buffer_append(buffer, " ", 1) : 0;
	failed |= buffer_append(buffer, text, strlen(text));
	assert(!failed);
	(void)failed;
}

static void tell_device(
	struct call *call, struct departure *departure, const struct ending *one, const char *device, struct done *done)
{
	const struct tell *tell = call->state;
	const struct disclosure *disclosure = &one->disclosure;
	struct entry_draft draft;
	char index[24];
	entry_begin(&draft, call,
		tell->lifted ? NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_RESTRICTION_LIFTED
			     : NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_RESTRICTION_RAISED);
	entry_disclosure(&draft, call, disclosure, &one->subject);
	draft.entry.device = (char *)device;
	struct recorded recorded = departure_entry(departure, &draft.entry);
	departure_write(departure, WRITE_ENTRY_REFERENCE,
		(struct cell[]){ cell_number((int64_t)recorded.index), cell_bytes(disclosure->id, 16), cell_text(NULL),
			cell_text(NULL), cell_text(NULL), cell_text(NULL) });
	departure_write(departure, WRITE_RESTRICTION_NOTICE,
		(struct cell[]){ cell_bytes(disclosure->id, 16), cell_text(device), cell_text(disclosure->recipient_id),
			cell_number(tell->lifted), cell_number(recorded.at), cell_number((int64_t)recorded.index),
			cell_bytes(recorded.leaf.bytes, sizeof recorded.leaf.bytes) });
	snprintf(index, sizeof index, "%" PRIu64, recorded.index);
	add(&done->indices, index);
}

static void tell_devices(struct call *call, struct departure *departure, const struct ending *one, struct done *done)
{
	const char *devices = one->devices;
	char device[IDENTITY_NAME_MAX + 1], id[UUID_TEXT_LENGTH + 1];
	uuid_format(one->disclosure.id, id);
	add(&done->ids, id);
	while (ending_next_device(&devices, device))
		tell_device(call, departure, one, device, done);
}

static bool is_last(const struct tell *tell)
{
	/* Restricted again, or lifted, meanwhile: whoever did that tells. */
	return tell->count < PAGE || tell->in_force == tell->lifted;
}

static enum boarding tell_board(struct call *call, struct departure *departure)
{
	const struct tell *tell = call->state;
	struct cell key = cell_bytes(tell->request_key, sizeof tell->request_key);
	struct done done;
	/* A request that is repeated, and was answered: everybody was told. */
	if (!tell->open)
		return BOARD_NOTHING;
	buffer_init(&done.ids, LIST_MAX);
	buffer_init(&done.indices, LIST_MAX);
	for (size_t i = 0; tell->in_force != tell->lifted && i < tell->count; i++)
		tell_devices(call, departure, &tell->page[i], &done);
	if (done.ids.length)
		departure_write(departure, WRITE_REQUEST_MORE,
			(struct cell[]){ key, cell_bytes(done.ids.data, done.ids.length),
				cell_bytes(done.indices.length ? (const void *)done.indices.data : "",
					done.indices.length) });
	buffer_release(&done.ids);
	buffer_release(&done.indices);
	if (is_last(tell))
		departure_write(departure, WRITE_RIGHTS_REQUEST_STATE,
			(struct cell[]){ key,
				cell_number(NEEDTOKNOW__V1__RIGHTS_REQUEST_STATE__RIGHTS_REQUEST_STATE_ANSWERED),
				cell_number(departure_now(departure)) });
	return BOARDED;
}

/* ---- committed: the devices are told, and what was held goes on ---- */

static void told(struct call *call, const struct tell *tell, const struct ending *one)
{
	struct queues *queues = service_queues(call->service);
	const char *recipient_id = one->disclosure.recipient_id, *devices = one->devices;
	char device[IDENTITY_NAME_MAX + 1];
	/* What has not left this process yet does not leave it any more; it is sent again when that is allowed. */
	if (!tell->lifted) {
		queue_drop(queues, one->disclosure.id);
		queue_ended(queues, recipient_id, one->disclosure.id);
	}
	while (ending_next_device(&devices, device))
		queue_withdrawn(queues, recipient_id, device);
	if (tell->lifted)
		queue_moved(queues, recipient_id);
}

static enum step_result tell_done(struct call *call)
{
	struct tell *tell = call->state;
	bool whole = !tell->open || is_last(tell);
	for (size_t i = 0; tell->open && tell->in_force != tell->lifted && i < tell->count; i++)
		told(call, tell, &tell->page[i]);
	if (whole && tell->lifted) /* what has expired meanwhile ends */
		sweeper_wake(service_sweeper(call->service));
	if (whole && tell->telling)
		tell->telling->complete = true;
	tell->above = tell->count && !whole ? tell->shared[tell->count - 1] : -1;
	return STEP_DONE;
}

static void tell_page(struct service *service, const struct tell *from);

static void tell_release(struct call *call)
{
	const struct tell *tell = call->state;
	struct telling *telling = tell->telling;
	if (call->boarding == CALL_COMMITTED && !call->failed && tell->above >= 0) {
		tell_page(call->service, tell);
		return;
	}
	if (!telling)
		return;
	telling->running = false;
	telling->call = NULL;
	telling->done(telling->context);
}

static const struct method tell_method = {
	.steps = { tell_ask, tell_gather, tell_commit, tell_done },
	.board = tell_board,
	.train_class = TRAIN_CONTROL,
	.release = tell_release,
};

static void tell_page(struct service *service, const struct tell *from)
{
	struct call *call = call_new_own(service, &tell_method);
	struct tell *tell = call_alloc(call, sizeof *tell);
	*tell = *from;
	tell->subject_id = arena_strdup(call->arena, from->subject_id);
	tell->page = call_alloc(call, PAGE * sizeof *tell->page);
	tell->shared = call_alloc(call, PAGE * sizeof *tell->shared);
	call->state = tell;
	if (tell->telling)
		tell->telling->call = call;
	call_run(call);
}

void telling_start(struct telling *telling, struct service *service, const uint8_t request_key[16],
	const char *subject_id, bool lifted, void (*done)(void *context), void *context)
{
	struct tell tell = { .telling = telling, .subject_id = subject_id, .lifted = lifted, .above = -1 };
	assert(!telling->running);
	memcpy(tell.request_key, request_key, sizeof tell.request_key);
	*telling = (struct telling){ .running = true, .done = done, .context = context };
	tell_page(service, &tell);
}

void telling_forget(struct telling *telling)
{
	if (!telling->running)
		return;
	struct tell *tell = telling->call->state;
	tell->telling = NULL;
	telling->running = false;
}
