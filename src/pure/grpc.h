#ifndef NEEDTOKNOW_PURE_GRPC_H
#define NEEDTOKNOW_PURE_GRPC_H

#include "base/buffer.h"
#include "pure/status.h"

#include <stddef.h>
#include <stdint.h>

/* gRPC over HTTP/2 without the I/O (grpc/doc/PROTOCOL-HTTP2.md). */

/* Length-prefixed messages: u8 compressed flag, u32 big-endian length, bytes. */
#define GRPC_PREFIX_LENGTH 5

enum grpc_frame_result {
	GRPC_FRAME_NONE, /* not all of it is here yet */
	GRPC_FRAME_MESSAGE, /* one message is at *message, its whole frame is *consumed bytes long */
	GRPC_FRAME_COMPRESSED, /* the flag is set: UNIMPLEMENTED, we announce no encoding but identity */
	GRPC_FRAME_TOO_LARGE, /* longer than `maximum`: RESOURCE_EXHAUSTED */
	GRPC_FRAME_BAD_FLAG, /* neither 0 nor 1: INTERNAL */
};

/* Looks at the front of `bytes`. The message is not copied. */
enum grpc_frame_result grpc_frame_parse(const uint8_t *bytes, size_t length, size_t maximum, const uint8_t **message,
	size_t *message_length, size_t *consumed);

/* Writes the prefix of a message of `length` bytes. */
void grpc_frame_prefix(uint8_t out[GRPC_PREFIX_LENGTH], uint32_t length);

/* `grpc-timeout`: 1 to 8 digits and a unit of H M S m u n. 0 and microseconds, at least 1 and at most INT64_MAX; -1:
 * malformed. */
int grpc_timeout_parse(const char *text, size_t length, int64_t *microseconds);

/*
 * `application/grpc`, or that followed by `+` or `;`: 0. Else -1: HTTP 415. Compared without regard to case.
 * We speak protobuf alone: `application/grpc+json` is answered by UNIMPLEMENTED by the caller if it cares.
 */
int grpc_content_type_check(const char *text, size_t length);

/* Percent-encoding of grpc-message: bytes outside 0x20..0x7E, `%` and a space at either end as %XX. Returns 0, or -1
 * past the buffer's maximum. */
int grpc_message_encode(const char *text, struct buffer *out);

/* The value of grpc-status-details-bin: base64 without padding of google.rpc.Status with one ErrorInfo. 0, -1 past the
 * maximum. */
int grpc_status_details(const struct status *status, struct buffer *out);

#endif
