#include "client/given.h"

#include "base/memory.h"
#include "pure/time.h"

#include <stdio.h>
#include <string.h>

#define GIVEN_MAX 1280 /* of which 1,024 may be unacknowledged */
#define DELIVERY_ID_MAX 64
#define TIMES 4

struct given_one {
	char delivery_id[DELIVERY_ID_MAX + 1];
	int64_t times[TIMES]; /* microseconds since 1970 */
};

static void read_times(const Needtoknow__V1__Delivery *delivery, int64_t times[TIMES])
{
	const Google__Protobuf__Timestamp *stamps[TIMES] = { delivery->starts_at, delivery->ends_at,
		delivery->expires_at, delivery->delete_by };

	for (size_t i = 0; i < TIMES; i++) {
		if (time_from_timestamp(stamps[i], &times[i]) != 0)
			times[i] = TIME_NONE;
	}
}

static struct given_one *find(const struct given *given, const char *delivery_id)
{
	for (size_t i = 0; given->ones != NULL && i < GIVEN_MAX; i++) {
		if (strcmp(given->ones[i].delivery_id, delivery_id) == 0)
			return &given->ones[i];
	}
	return NULL;
}

bool given_has(const struct given *given, const Needtoknow__V1__Delivery *delivery)
{
	const struct given_one *one = find(given, delivery->delivery_id);
	int64_t times[TIMES];

	read_times(delivery, times);
	return one != NULL && memcmp(one->times, times, sizeof times) == 0;
}

void given_note(struct given *given, const Needtoknow__V1__Delivery *delivery)
{
	if (strlen(delivery->delivery_id) > DELIVERY_ID_MAX)
		return; /* not one of ours: its repeats are given again */
	struct given_one *one = find(given, delivery->delivery_id);

	if (given->ones == NULL)
		given->ones = mem_calloc(GIVEN_MAX, sizeof *given->ones);
	if (one == NULL)
		one = &given->ones[given->next++ % GIVEN_MAX];
	snprintf(one->delivery_id, sizeof one->delivery_id, "%s", delivery->delivery_id);
	read_times(delivery, one->times);
}

void given_release(struct given *given)
{
	mem_free(given->ones);
	*given = (struct given){ 0 };
}
