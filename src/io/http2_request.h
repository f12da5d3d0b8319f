#ifndef NEEDTOKNOW_IO_HTTP2_REQUEST_H
#define NEEDTOKNOW_IO_HTTP2_REQUEST_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The request half of a stream: the header fields that gRPC needs (PROTOCOL-HTTP2.md, "Requests") and the message as it
 * comes in. */

#define HTTP2_PATH_MAX 255 /* no method's path is as long; a longer one is unknown */

enum http2_content {
	HTTP2_CONTENT_FOREIGN, /* not gRPC: HTTP 415 */
	HTTP2_CONTENT_CODEC, /* gRPC, but not with protobuf: UNIMPLEMENTED */
	HTTP2_CONTENT_PROTOBUF,
};

struct http2_request {
	char path[HTTP2_PATH_MAX + 1]; /* "" when there is none or it is too long */
	bool is_post;
	bool bad_timeout;
	enum http2_content content;
	uint32_t header_bytes; /* RFC 9113 section 6.5.2 */
	int64_t timeout; /* microseconds; INT64_MAX: none */
	struct buffer input; /* a message that is not all here, or waits for the half-close */
};

void http2_request_init(struct http2_request *request, uint32_t max_message_bytes);
/* Ready for the next one; keeps a small block of input. */
void http2_request_clear(struct http2_request *request);
void http2_request_release(struct http2_request *request);

/* One header field. */
void http2_request_header(struct http2_request *request, const uint8_t *name, size_t name_length, const uint8_t *value,
	size_t value_length);

#endif
