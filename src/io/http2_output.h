#ifndef NEEDTOKNOW_IO_HTTP2_OUTPUT_H
#define NEEDTOKNOW_IO_HTTP2_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Messages on their way out. A message waits in its stream's queue, is pulled from its front a record at a time, and is
 * wiped when the last of it has left for the socket.
 *
 * Those with values (P3, P4) can also be found by their tag, through the index that all connections of a server share,
 * and stay known while a record with any of their bytes waits for the socket.
 */
struct http2_session;
struct server_stream;

struct http2_message {
	struct http2_message *next; /* in the stream's queue */
	struct http2_message *next_in_record;
	struct http2_message *next_value; /* in the same bucket of the index */
	struct http2_message **value_link; /* what points to this one there; NULL: not in the index */
	struct http2_session *session;
	struct server_stream *stream; /* NULL: no longer in its queue */
	int64_t die_at; /* loop_now(); INT64_MAX: never */
	size_t length; /* prefix and message */
	size_t pulled; /* of it, into records */
	bool values, in_record;
	uint8_t tag[16];
	uint8_t bytes[];
};

#define HTTP2_VALUES_BUCKETS 1024

/* Values that have not wholly left, by tag. All zero is an empty one. */
struct http2_values {
	struct http2_message *buckets[HTTP2_VALUES_BUCKETS];
};

/* A stream's queue. All zero is an empty one. */
struct http2_output {
	struct http2_message *first, *last;
	size_t bytes; /* not yet pulled */
};

/* The values in the one record that is being filled or waits for the socket. All zero is an empty one. */
struct http2_record {
	struct http2_message *first;
};

/* A copy of the message with its gRPC prefix, at the end of the queue. The caller sets session and stream, and indexes
 * values. */
struct http2_message *http2_output_push(struct http2_output *output, const uint8_t *message, size_t length);

/* Copies `length` bytes (at most output->bytes) from the front and notes the values among them in `record`. */
void http2_output_pull(struct http2_output *output, struct http2_record *record, uint8_t *out, size_t length);

/* Unlinks and wipes one that waits, none of whose bytes were pulled. */
void http2_output_drop(struct http2_output *output, struct http2_message *message);

/* Wipes all that waits; what the record holds stays known to it. Returns how many bytes went. */
size_t http2_output_clear(struct http2_output *output);

/* Is the first message out in part? Then the stream cannot go on without the rest of it. */
bool http2_output_torn(const struct http2_output *output);

/* The record has left for the socket, or never will. */
void http2_record_clear(struct http2_record *record);

void http2_values_add(
	struct http2_values *values, struct http2_message *message, const uint8_t tag[16], int64_t die_at);
void http2_values_remove(struct http2_message *message);
/* Those with this tag; NULL: there is none (any more). */
struct http2_message *http2_values_first(const struct http2_values *values, const uint8_t tag[16]);
struct http2_message *http2_values_next(const struct http2_message *message);

#endif
