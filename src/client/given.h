#ifndef NEEDTOKNOW_CLIENT_GIVEN_H
#define NEEDTOKNOW_CLIENT_GIVEN_H

#include <needtoknow/v1/delivery.pb-c.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Which deliveries the app was given last, and with which times, so that a repeat which only crossed with its
 * acknowledgement is told from one that brings something new: that the booking was moved. More of them than may be
 * unacknowledged at once; ids and times alone, no value.
 */
struct given_one;

/* Zeroed: empty. */
struct given {
	struct given_one *ones; /* the latest, in a ring; NULL: none yet */
	size_t next;
};

/* The app has this delivery, with these times. */
bool given_has(const struct given *given, const Needtoknow__V1__Delivery *delivery);
/* It has it now. */
void given_note(struct given *given, const Needtoknow__V1__Delivery *delivery);
void given_release(struct given *given);

#endif
