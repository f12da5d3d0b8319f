#include "rpc/entries.h"
#include "rpc/methods.h"
#include "rpc/request.h"
#include "service/service.h"

#include <string.h>

/*
 * AuditService.ListEntries, a page at a time. A page that finds little gives what it has, and a token to go on from,
 * after so many readings.
 */
#define READINGS_MAX 64
/* Bytes of a page beyond this end it early. */
#define PAGE_BYTES_MAX ((size_t)1 << 20)
#define ENTRY_BYTES_MAX (2 * (size_t)UINT16_MAX + ENTRIES_OVERHEAD_MAX)

struct list {
	struct audited audited; /* first */
	struct entry_filter filter;
	struct entries entries;
	int32_t page_size;
	struct {
		int64_t next; /* where the next page begins */
		int64_t asked_at; /* when it was last recorded that this listing is being read */
	} position;
	struct buffer page; /* the response, as it grows */
	int32_t count;
};

static bool is_full(const struct list *list)
{
	return list->count == list->page_size || list->page.length > PAGE_BYTES_MAX;
}

static bool list_take(struct call *call, struct entries *entries, const struct found_entry *entry)
{
	struct list *list = entries->target;
	(void)call;
	if (is_full(list) || entries_append(&list->page, entry, true))
		return false;
	list->count++;
	return true;
}

static enum step_result list_decode(struct call *call)
{
	const Needtoknow__V1__ListEntriesRequest *request = (const Needtoknow__V1__ListEntriesRequest *)call->request;
	struct list *list = call_alloc(call, sizeof *list);
	bool found;
	if (!list)
		return STEP_NEXT;
	buffer_init(&list->page, PAGE_BYTES_MAX + ENTRY_BYTES_MAX);
	call->state = list;
	if (!request_page_size(call, request->page_size, &list->page_size) ||
		!entry_filter_decode(call, request->filter, request->newest_first, &list->filter, &list->audited) ||
		!request_page_token(call, request->page_token, list->filter.scope, sizeof list->filter.scope,
			&list->position, sizeof list->position, &found))
		return STEP_DONE;
	audited_begin_page(call, &list->audited, found, &list->position.asked_at);
	entries_begin(call, &list->entries, &list->filter, request->newest_first, (size_t)list->page_size);
	list->entries.take = list_take;
	list->entries.target = list;
	if (found)
		list->entries.next = list->position.next;
	return STEP_NEXT;
}

static enum step_result list_read(struct call *call)
{
	struct list *list = call->state;
	if (call->awaited)
		return STEP_WAIT;
	if (!entries_more(&list->entries) || is_full(list) || list->entries.readings >= READINGS_MAX)
		return STEP_NEXT;
	entries_ask(call, &list->entries);
	return STEP_WAIT;
}

/* Field 2 of the response. */
static int append_token(struct buffer *page, const char *token)
{
	size_t length = strlen(token); /* PAGE_TOKEN_MAX: its length takes two bytes */
	const uint8_t head[] = { 2 << 3 | 2, (uint8_t)(length | 0x80), (uint8_t)(length >> 7) };
	if (!length)
		return 0;
	return buffer_append(page, head, sizeof head) || buffer_append(page, token, length) ? -1 : 0;
}

static enum step_result list_reply(struct call *call)
{
	struct list *list = call->state;
	const char *token = "";
	list->position.next = list->entries.next;
	if (!list->entries.end)
		token = reply_page_token(
			call, list->filter.scope, sizeof list->filter.scope, &list->position, sizeof list->position);
	if (append_token(&list->page, token))
		call_fail(call, GRPC_RESOURCE_EXHAUSTED, "PAGE_TOO_LARGE", "the page is too large; ask for less");
	return call->failed ? STEP_NEXT : call_reply_bytes(call, list->page.data, list->page.length);
}

static void list_release(struct call *call)
{
	struct list *list = call->state;
	if (list)
		buffer_release(&list->page);
}

const struct method audit_list_entries = {
	.path = "/needtoknow.v1.AuditService/ListEntries",
	.role = ROLE_AUDITOR,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__list_entries_request__descriptor,
	.steps = { list_decode, audited_ask, audited_commit, list_read, list_reply },
	.again = 1,
	.board = audited_board,
	.train_class = TRAIN_SHARE,
	.release = list_release,
};
