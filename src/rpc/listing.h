#ifndef NEEDTOKNOW_RPC_LISTING_H
#define NEEDTOKNOW_RPC_LISTING_H

#include "service/batch.h"
#include "service/disclosure.h"

/* A page of disclosures, newest first: by booking, subject or recipient. For the booking system, and for a recipient of
 * its own. */
struct listing {
	struct disclosure *all;
	size_t count, size; /* one more is read than the page holds, to know whether another follows */
	int32_t page_size;
	int64_t now;
	char scope[160]; /* what is listed; a page token is bound to it */
	size_t scope_length;
};

enum listing_by {
	LISTING_BY_BOOKING,
	LISTING_BY_SUBJECT,
	LISTING_BY_RECIPIENT,
	LISTING_BY_RECIPIENT_ACTIVE
};

/* Checks the page's size and token and asks. STEP_NEXT, or answered and STEP_DONE; call->state is the listing. */
enum step_result listing_ask(
	struct call *call, enum listing_by by, const char *id, int32_t page_size, const char *page_token);
/* The page's messages and the token of the next page ("" on the last). NULL when the call has failed. */
Needtoknow__V1__Disclosure **listing_messages(struct call *call, size_t *count, char **next_page_token);

#endif
