#ifndef NEEDTOKNOW_BENCH_LOAD_H
#define NEEDTOKNOW_BENCH_LOAD_H

#include "base/arena.h"
#include "client/channel.h"
#include "latency.h"
#include "pure/delivery_id.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What all phases of a run share: who we are to the server, and the bookings of the phase. Everything runs on one loop,
 * which runs only while a phase does.
 */
#define LOAD_RECIPIENTS_MAX 64

struct load_options {
	const char *address;
	const char *ca;
	const char *certificates; /* a directory: NAME.crt and NAME.key of `booking` and of each recipient */
	const char *recipients[LOAD_RECIPIENTS_MAX];
	size_t recipient_count;
	const char *service;
	const char *run; /* a word in every request id: runs against one database do not repeat each other's */
	uint64_t clients; /* of the company: bookings B000001 to this number */
	uint32_t connections; /* of the booking system */
	uint32_t in_flight; /* shares, on all connections together */
	uint32_t streams; /* of recipients; 0: as many as the backlog needs at `window` each */
	uint32_t window; /* max_unacknowledged */
	uint32_t batch; /* acknowledgements in a call */
	uint32_t acknowledging; /* calls of Acknowledge in flight, a stream */
	uint32_t timeout; /* seconds that a phase may take */
};

/* One share and what became of it. Times are latency_clock()'s; 0: not yet. */
struct load_booking {
	int64_t started, received;
	char delivery_id[DELIVERY_ID_MAX];
	uint64_t ledger_index;
	uint8_t leaf_hash[32];
	bool acknowledged;
};

struct load {
	struct load_options options;
	struct loop *loop;
	uint64_t first; /* the first of this phase's bookings, from 0; it wraps at options.clients */
	uint64_t shared; /* shares ever asked for: numbers request ids */
	struct load_booking *bookings;
	uint32_t count; /* of them */
	int64_t starts_at, ends_at; /* the window of every share, microseconds since 1970 */
	char failure[512]; /* why the phase cannot go on; "" */
};

/* Ends the phase: the first reason stays. */
void load_fail(struct load *load, const char *what, const struct needtoknow_status *status);

/* A channel as the holder of CERTIFICATES/name.crt; NULL after load_fail(). */
struct channel *load_channel(struct load *load, const char *name);

/* Has channels connect, and runs the loop until each has answered a health check: handshakes are no part of a phase. */
void load_connect(struct load *load, struct channel *const *channels, size_t count);

/* Runs the loop until loop_stop(), load_fail() or the timeout. False: the phase has failed. */
bool load_run(struct load *load);

/* Starts a call; packs the request. */
struct channel_call *load_call(struct channel *channel, const char *path, const ProtobufCMessage *request,
	channel_on_message *on_message, channel_done *done, void *context);

/* Which of the phase's bookings `B000017` is; -1: none. */
int64_t load_index(const struct load *load, const char *booking_id);

#endif
