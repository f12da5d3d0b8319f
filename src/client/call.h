#ifndef NEEDTOKNOW_CLIENT_CALL_H
#define NEEDTOKNOW_CLIENT_CALL_H

#include "base/buffer.h"
#include "client/channel.h"

#include <stdbool.h>

/*
 * One call of a channel: the request's frame, and what has come of the response. No I/O here: wire.c feeds it,
 * channel.c decides when it starts and ends.
 */
struct wire;

struct channel_call {
	/* Of channel.c and wire.c: where it is. */
	struct channel *channel;
	struct wire *wire; /* NULL while it waits for a connection */
	int32_t stream; /* HTTP/2's number of it */
	struct channel_call *previous, *next;
	unsigned refused; /* how often a server has said that it did not touch it */
	bool doomed; /* waited for a connection that was not made */
	int64_t deadline; /* microseconds of CLOCK_MONOTONIC; INT64_MAX: none */
	struct loop_timer timer;

	/* The request. done is NULL once it was called or is not wanted any more. */
	const char *path;
	channel_on_message *on_message;
	channel_done *done;
	void *context;
	size_t sent; /* bytes of `frame` */
	size_t frame_length; /* prefix and message */

	/* The response. */
	bool streaming;
	bool unsent; /* its HEADERS never left */
	bool answered; /* something of a response has come: not to be repeated silently */
	bool ended; /* END_STREAM has come */
	bool is_grpc; /* its content-type is right */
	int http_status; /* 0: none yet */
	int grpc_status; /* -1: none yet */
	size_t header_bytes;
	size_t max_message;
	struct buffer body; /* of a stream: what is not yet a whole message; else all */
	struct needtoknow_status *status; /* message and details; NULL: none */
	bool broken; /* *status is our own verdict, and the rest of the answer does not matter */

	uint8_t frame[];
};

/* A chain of calls; each is in one at most. */
struct call_list {
	struct channel_call *first, *last;
	size_t count;
};
void call_list_append(struct call_list *list, struct channel_call *call);
void call_list_prepend(struct call_list *list, struct channel_call *call);
void call_list_remove(struct call_list *list, struct channel_call *call);

/* Everything is wiped when it is freed. The timer is the channel's business. */
struct channel_call *call_new(const struct channel_request *request, size_t max_message);
void call_free(struct channel_call *call);
/* Forgets that it was ever sent, for another connection. */
void call_rewind(struct channel_call *call);

/* A response header or trailer. 0, or -1 when they have grown too large. */
int call_header(
	struct channel_call *call, const char *name, size_t name_length, const char *value, size_t value_length);

/*
 * Bytes of DATA. A stream's messages are given to on_message(). 0, or -1 when the answer is unacceptable: reset the
 * stream; the verdict is kept for call_outcome().
 */
int call_data(struct channel_call *call, const uint8_t *bytes, size_t length);

/*
 * The stream is closed: how did it end? With OK and a unary call, *message is the response. `http2_error` is of
 * RST_STREAM; it does not matter when END_STREAM had come.
 */
void call_outcome(struct channel_call *call, uint32_t http2_error, struct needtoknow_status *status,
	const uint8_t **message, size_t *length);

/* The server says that it did not touch it: it may be sent again (RFC 9113 section 8.7). */
bool call_refused(uint32_t http2_error);

/* The value of grpc-timeout: at most 8 digits and a unit, rounded up. */
#define CALL_TIMEOUT_TEXT 24
void call_timeout_format(int64_t microseconds, char out[CALL_TIMEOUT_TEXT]);

#endif
