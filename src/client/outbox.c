#include "client/outbox.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

static struct outbox_item *find(struct outbox_item *from, const char *id)
{
	while (from != NULL && strcmp(from->id, id) != 0)
		from = from->next;
	return from;
}

/* The first that is not on its way. */
static struct outbox_item *waiting(const struct outbox *outbox)
{
	struct outbox_item *item = outbox->first;

	for (size_t i = 0; i < outbox->sent; i++)
		item = item->next;
	return item;
}

void outbox_add(struct outbox *outbox, const char *id, const char *ground, int64_t until)
{
	struct outbox_item *item;

	if (find(waiting(outbox), id) != NULL)
		return;
	item = mem_calloc(1, sizeof *item);
	item->id = mem_strdup(id);
	item->ground = ground != NULL ? mem_strdup(ground) : NULL;
	item->until = until;
	if (outbox->last != NULL)
		outbox->last->next = item;
	else
		outbox->first = item;
	outbox->last = item;
	outbox->count++;
}

bool outbox_has(const struct outbox *outbox, const char *id)
{
	return find(outbox->first, id) != NULL;
}

size_t outbox_send(struct outbox *outbox, size_t limit)
{
	assert(outbox->sent == 0);
	outbox->sent = outbox->count < limit ? outbox->count : limit;
	return outbox->sent;
}

struct outbox_item *outbox_settle(struct outbox *outbox)
{
	struct outbox_item *item = outbox->first;

	if (outbox->sent == 0)
		return NULL;
	outbox->first = item->next;
	if (outbox->first == NULL)
		outbox->last = NULL;
	outbox->sent--;
	outbox->count--;
	item->next = NULL;
	return item;
}

void outbox_return(struct outbox *outbox)
{
	struct outbox_item **link = &outbox->first, *last = NULL;

	for (size_t at = 0; *link != NULL; at++) {
		struct outbox_item *item = *link;
		/* Added while it was on its way. */
		if (at >= outbox->sent && find(outbox->first, item->id) != item) {
			*link = item->next;
			outbox->count--;
			outbox_item_free(item);
			continue;
		}
		last = item;
		link = &item->next;
	}
	outbox->last = last;
	outbox->sent = 0;
}

void outbox_item_free(struct outbox_item *item)
{
	if (item == NULL)
		return;
	mem_free(item->id);
	mem_free(item->ground);
	mem_free(item);
}

void outbox_release(struct outbox *outbox)
{
	outbox->sent = outbox->count;
	struct outbox_item *item;
	while ((item = outbox_settle(outbox)) != NULL)
		outbox_item_free(item);
}
