#include "io/http2_request.h"

#include "pure/grpc.h"

#include <string.h>
#include <strings.h>

#define ENTRY_OVERHEAD 32 /* RFC 9113 section 6.5.2 */
#define CHUNK_MAX 16384 /* DATA that comes at once: a TLS record's worth */
#define KEPT_INPUT_MAX 4096 /* a block larger than this is given back */

void http2_request_init(struct http2_request *request, uint32_t max_message_bytes)
{
	/* Input is looked at after each chunk, so that more than one message and one chunk never come together. */
	buffer_init(&request->input, (size_t)GRPC_PREFIX_LENGTH + max_message_bytes + CHUNK_MAX);
	http2_request_clear(request);
}

void http2_request_clear(struct http2_request *request)
{
	request->path[0] = '\0';
	request->is_post = false;
	request->bad_timeout = false;
	request->content = HTTP2_CONTENT_FOREIGN;
	request->header_bytes = 0;
	request->timeout = INT64_MAX;
	if (request->input.capacity > KEPT_INPUT_MAX)
		buffer_release(&request->input);
	else
		buffer_clear(&request->input);
}

void http2_request_release(struct http2_request *request)
{
	buffer_release(&request->input);
}

static void request_path(struct http2_request *request, const char *value, size_t length)
{
	if (length > HTTP2_PATH_MAX)
		return;
	memcpy(request->path, value, length);
	request->path[length] = '\0';
}

static void request_method(struct http2_request *request, const char *value, size_t length)
{
	request->is_post = length == 4 && memcmp(value, "POST", 4) == 0;
}

static void request_content_type(struct http2_request *request, const char *value, size_t length)
{
	static const char grpc[] = "application/grpc", codec[] = "+proto";
	if (grpc_content_type_check(value, length) != 0)
		return;
	const char *rest = value + strlen(grpc);
	size_t left = length - strlen(grpc);
	if (left >= strlen(codec) && strncasecmp(rest, codec, strlen(codec)) == 0) {
		rest += strlen(codec);
		left -= strlen(codec);
	}
	request->content = left == 0 || *rest == ';' ? HTTP2_CONTENT_PROTOBUF : HTTP2_CONTENT_CODEC;
}

static void request_timeout(struct http2_request *request, const char *value, size_t length)
{
	request->bad_timeout = grpc_timeout_parse(value, length, &request->timeout) != 0;
}

static const struct {
	const char *name;
	size_t length;
	void (*take)(struct http2_request *request, const char *value, size_t length);
} fields[] = {
	{ ":path", 5, request_path },
	{ ":method", 7, request_method },
	{ "content-type", 12, request_content_type },
	{ "grpc-timeout", 12, request_timeout },
};

void http2_request_header(struct http2_request *request, const uint8_t *name, size_t name_length, const uint8_t *value,
	size_t value_length)
{
	/* nghttp2 takes no field of 2^16 bytes and few CONTINUATIONs, so that this cannot wrap. */
	request->header_bytes += (uint32_t)(name_length + value_length + ENTRY_OVERHEAD);
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		if (fields[i].length == name_length && memcmp(fields[i].name, name, name_length) == 0) {
			fields[i].take(request, (const char *)value, value_length);
			return;
		}
	}
}
