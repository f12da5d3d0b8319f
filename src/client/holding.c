#include "client/holding.h"

#include "base/memory.h"
#include "pure/time.h"

#include <stdio.h>
#include <string.h>

static void free_held(struct held *held)
{
	arena_free(held->arena);
	mem_free(held);
}

static void set_time(Google__Protobuf__Timestamp *time, const Google__Protobuf__Timestamp *latest)
{
	if (time == NULL || latest == NULL)
		return;
	time->seconds = latest->seconds;
	time->nanos = latest->nanos;
}

/* What another release of the same disclosure has told since. */
static void take_times(struct held *held, const struct held *latest)
{
	held->expires_at = latest->expires_at;
	set_time(held->delivery->starts_at, latest->delivery->starts_at);
	set_time(held->delivery->ends_at, latest->delivery->ends_at);
	set_time(held->delivery->expires_at, latest->delivery->expires_at);
	set_time(held->delivery->delete_by, latest->delivery->delete_by);
}

void holding_put(struct holding *holding, struct arena *arena, Needtoknow__V1__Delivery *delivery)
{
	struct held *new = mem_calloc(1, sizeof *new);
	struct held **link = &holding->first;

	new->arena = arena;
	new->delivery = delivery;
	if (time_from_timestamp(delivery->expires_at, &new->expires_at) != 0 || new->expires_at == TIME_NONE)
		new->expires_at = INT64_MAX;
	while (*link != NULL) {
		struct held *held = *link;
		bool same = strcmp(held->delivery->disclosure_id, delivery->disclosure_id) == 0;
		if (same && strcmp(held->delivery->release, delivery->release) == 0) {
			*link = held->next;
			free_held(held);
			holding->count--;
			continue;
		}
		if (same)
			take_times(held, new);
		link = &held->next;
	}
	*link = new;
	holding->count++;
}

bool holding_has(const struct holding *holding, const char *delivery_id)
{
	for (const struct held *held = holding->first; held != NULL; held = held->next) {
		if (strcmp(held->delivery->delivery_id, delivery_id) == 0)
			return true;
	}
	return false;
}

static struct restricted **find_restricted(struct holding *holding, const char *disclosure_id)
{
	struct restricted **link = &holding->restricted;

	while (*link != NULL && strcmp((*link)->disclosure_id, disclosure_id) != 0)
		link = &(*link)->next;
	return link;
}

static void forget_restricted(struct holding *holding, const char *disclosure_id)
{
	struct restricted **link = find_restricted(holding, disclosure_id), *gone = *link;

	if (gone == NULL)
		return;
	*link = gone->next;
	mem_free(gone);
}

bool holding_restrict(struct holding *holding, const char *disclosure_id, bool lifted, uint64_t index)
{
	struct restricted *known = *find_restricted(holding, disclosure_id);

	if (known != NULL && index <= known->index)
		return false;
	if (known == NULL) {
		known = mem_calloc(1, sizeof *known);
		snprintf(known->disclosure_id, sizeof known->disclosure_id, "%s", disclosure_id);
		known->next = holding->restricted;
		holding->restricted = known;
	}
	known->index = index;
	known->lifted = lifted;
	return true;
}

const uint64_t *holding_restricted(const struct holding *holding, const char *disclosure_id)
{
	for (const struct restricted *each = holding->restricted; each != NULL; each = each->next) {
		if (strcmp(each->disclosure_id, disclosure_id) == 0)
			return each->lifted ? NULL : &each->index;
	}
	return NULL;
}

size_t holding_drop(struct holding *holding, const char *disclosure_id)
{
	struct held **link = &holding->first;
	size_t count = 0;

	while (*link != NULL) {
		struct held *held = *link;
		if (strcmp(held->delivery->disclosure_id, disclosure_id) != 0) {
			link = &held->next;
			continue;
		}
		*link = held->next;
		free_held(held);
		count++;
	}
	holding->count -= count;
	return count;
}

size_t holding_withdraw(struct holding *holding, const char *disclosure_id)
{
	forget_restricted(holding, disclosure_id);
	return holding_drop(holding, disclosure_id);
}

int64_t holding_next_expiry(const struct holding *holding)
{
	int64_t next = INT64_MAX;

	for (const struct held *held = holding->first; held != NULL; held = held->next) {
		if (held->expires_at < next && holding_restricted(holding, held->delivery->disclosure_id) == NULL)
			next = held->expires_at;
	}
	return next;
}

bool holding_expire(struct holding *holding, int64_t now, struct expired *out)
{
	for (const struct held *held = holding->first; held != NULL; held = held->next) {
		if (held->expires_at > now || holding_restricted(holding, held->delivery->disclosure_id) != NULL)
			continue;
		snprintf(out->disclosure_id, sizeof out->disclosure_id, "%s", held->delivery->disclosure_id);
		snprintf(out->booking_id, sizeof out->booking_id, "%s", held->delivery->booking_id);
		out->count = holding_drop(holding, out->disclosure_id);
		return out->count > 0;
	}
	return false;
}

void holding_release(struct holding *holding)
{
	while (holding->restricted != NULL)
		forget_restricted(holding, holding->restricted->disclosure_id);
	while (holding->first != NULL) {
		struct held *held = holding->first;
		holding->first = held->next;
		free_held(held);
	}
	holding->count = 0;
}
