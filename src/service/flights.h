#ifndef NEEDTOKNOW_SERVICE_FLIGHTS_H
#define NEEDTOKNOW_SERVICE_FLIGHTS_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

struct call;

/* One release of a disclosure on its way to a recipient, or held until a time. */
struct flight {
	uint8_t disclosure[16];
	int16_t release;
	int64_t due_at;
	bool asking; /* its values are being read */
	struct call *waiting; /* the delivery, until an earlier release of its disclosure has boarded */
	int64_t held_until; /* loop time; 0: on its way; INT64_MAX: until the stream can be written to */
	struct flight *next_landed;
	/* The collection's own. */
	struct flight *prev, *next; /* of all */
	struct flight *sibling; /* another release of the same disclosure */
	UT_hash_handle hh; /* of a disclosure's first */
};

/*
 * What a queue has under way, by disclosure: at most one flight of each release. Most disclosures have one; what the
 * others of its disclosure do is asked of every flight, and must cost nothing where there is none. All zero is empty;
 * the flights are owned, until they are removed.
 */
struct flights {
	struct flight *all; /* in no order; a loop over `next` may remove the one that it is at */
	struct flight *firsts;
};

/* NULL: it is not on its way. */
struct flight *flights_find(const struct flights *flights, const uint8_t disclosure[16], int16_t release);
/* That it is not in yet is the caller's to know. */
struct flight *flights_add(struct flights *flights, const uint8_t disclosure[16], int16_t release);
/* Frees it. */
void flights_remove(struct flights *flights, struct flight *flight);
/* Another release of its disclosure is on its way too. */
bool flights_has_others(const struct flights *flights, const struct flight *flight);

#endif
