#include "service/flights.h"

#include "base/memory.h"

#include <string.h>
#include <utlist.h>

static struct flight *first_of(const struct flights *flights, const uint8_t disclosure[16])
{
	struct flight *first;
	HASH_FIND(hh, flights->firsts, disclosure, sizeof first->disclosure, first);
	return first;
}

struct flight *flights_find(const struct flights *flights, const uint8_t disclosure[16], int16_t release)
{
	struct flight *flight = first_of(flights, disclosure);
	while (flight && flight->release != release)
		flight = flight->sibling;
	return flight;
}

struct flight *flights_add(struct flights *flights, const uint8_t disclosure[16], int16_t release)
{
	struct flight *first = first_of(flights, disclosure);
	struct flight *flight = mem_calloc(1, sizeof *flight);
	memcpy(flight->disclosure, disclosure, sizeof flight->disclosure);
	flight->release = release;
	DL_PREPEND(flights->all, flight);
	if (first) {
		flight->sibling = first->sibling;
		first->sibling = flight;
	} else {
		HASH_ADD(hh, flights->firsts, disclosure, sizeof flight->disclosure, flight);
	}
	return flight;
}

void flights_remove(struct flights *flights, struct flight *flight)
{
	struct flight *before = first_of(flights, flight->disclosure);
	if (before == flight) {
		struct flight *heir = flight->sibling;
		HASH_DEL(flights->firsts, flight);
		if (heir)
			HASH_ADD(hh, flights->firsts, disclosure, sizeof heir->disclosure, heir);
	} else {
		while (before->sibling != flight)
			before = before->sibling;
		before->sibling = flight->sibling;
	}
	DL_DELETE(flights->all, flight);
	mem_free(flight);
}

bool flights_has_others(const struct flights *flights, const struct flight *flight)
{
	return flight->sibling || first_of(flights, flight->disclosure) != flight;
}
