#include "rpc/listing.h"

#include "rpc/request.h"
#include "sql.h"

#include <stdio.h>
#include <string.h>

static void listing_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct listing *listing = target;
	if (listing->count < listing->size)
		disclosure_read(call, result, row, &listing->all[listing->count++], &listing->now);
}

static const struct read_kind kinds[] = {
	[LISTING_BY_BOOKING] = { .statement = &sql_disclosures_by_booking,
		.from = READ_LISTING,
		.types = { PG_TEXT, PG_INT8, PG_INT4 },
		.row = listing_row },
	[LISTING_BY_SUBJECT] = { .statement = &sql_disclosures_by_subject,
		.from = READ_LISTING,
		.types = { PG_TEXT, PG_INT8, PG_INT4 },
		.row = listing_row },
	[LISTING_BY_RECIPIENT] = { .statement = &sql_disclosures_by_recipient,
		.from = READ_LISTING,
		.types = { PG_TEXT, PG_INT8, PG_INT4 },
		.row = listing_row },
	[LISTING_BY_RECIPIENT_ACTIVE] = { .statement = &sql_disclosures_active,
		.from = READ_LISTING,
		.types = { PG_TEXT, PG_INT8, PG_INT4 },
		.row = listing_row },
};

enum step_result listing_ask(
	struct call *call, enum listing_by by, const char *id, int32_t page_size, const char *page_token)
{
	struct listing *listing = call_alloc(call, sizeof *listing);
	int64_t below = INT64_MAX;
	bool found;
	if (!listing)
		return STEP_NEXT;
	listing->scope_length = (size_t)snprintf(listing->scope, sizeof listing->scope, "%d %s", (int)by, id);
	if (!request_page_size(call, page_size, &listing->page_size) ||
		!request_page_token(
			call, page_token, listing->scope, listing->scope_length, &below, sizeof below, &found))
		return STEP_DONE;
	listing->size = (size_t)listing->page_size + 1;
	listing->all = call_alloc(call, listing->size * sizeof *listing->all);
	if (!listing->all)
		return STEP_NEXT;
	call->state = listing;
	batch_read(call, &kinds[by], listing,
		(struct cell[]){ cell_text(id), cell_number(below), cell_number(listing->page_size + 1) });
	return STEP_NEXT;
}

Needtoknow__V1__Disclosure **listing_messages(struct call *call, size_t *count, char **next_page_token)
{
	const struct listing *listing = call->state;
	bool more = listing->count > (size_t)listing->page_size;
	size_t shown = more ? (size_t)listing->page_size : listing->count;
	Needtoknow__V1__Disclosure **messages = call_alloc(call, (shown + 1) * sizeof *messages);
	for (size_t i = 0; messages && i < shown; i++)
		messages[i] = disclosure_message(call, &listing->all[i], listing->now);
	*count = shown;
	*next_page_token = "";
	if (more) {
		int64_t position = (int64_t)listing->all[shown - 1].shared_index;
		*next_page_token =
			reply_page_token(call, listing->scope, listing->scope_length, &position, sizeof position);
	}
	return call->failed ? NULL : messages;
}
