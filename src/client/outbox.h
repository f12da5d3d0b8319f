#ifndef NEEDTOKNOW_CLIENT_OUTBOX_H
#define NEEDTOKNOW_CLIENT_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a receiver owes needtoknow until it was answered OK: acknowledgements, or confirmations of deletion. One batch
 * is on its way at a time; what comes meanwhile goes with the next.
 */
struct outbox_item {
	char *id; /* of a delivery, or of a disclosure */
	char *ground; /* of data that is retained; NULL: deleted */
	int64_t until; /* seconds since 1970 */
	struct outbox_item *next;
};

/* Zeroed: empty. */
struct outbox {
	struct outbox_item *first, *last;
	size_t count;
	size_t sent; /* the first so many are on their way */
};

/* Copies the texts. One that waits in it already is not added again; one that is on its way is: it may have been
 * answered before what it is owed for now was sent. */
void outbox_add(struct outbox *outbox, const char *id, const char *ground, int64_t until);
bool outbox_has(const struct outbox *outbox, const char *id);

/* Marks the first `limit` or fewer as sent: how many. None may be on its way. */
size_t outbox_send(struct outbox *outbox, size_t limit);
/* They were answered: takes one of them out, for the caller to outbox_item_free(). NULL: no more. */
struct outbox_item *outbox_settle(struct outbox *outbox);
/* They were not: they will be sent again, each once. */
void outbox_return(struct outbox *outbox);

void outbox_item_free(struct outbox_item *item);
void outbox_release(struct outbox *outbox);

#endif
