#include "client/session.h"

#include "base/memory.h"

#include <assert.h>
#include <nghttp2/nghttp2.h>
#include <string.h>

/*
 * Windows are large: a server sends personal data only when the credit covers a whole delivery (at most 1 MiB), and
 * nghttp2 gives credit back when half of a window is used.
 */
#define STREAM_WINDOW (4 * 1024 * 1024)
#define CONNECTION_WINDOW (16 * 1024 * 1024)
#define HEADER_LIST_MAX 16384
/* Until the server's SETTINGS tell its limit. */
#define STREAMS_BEFORE_SETTINGS 100

struct client_session {
	struct client_session_handler handler;
	nghttp2_session *http2;
	char *authority;
	struct call_list calls;
	bool settings_seen;
	bool draining;
};

static struct channel_call *stream_call(nghttp2_session *http2, int32_t stream)
{
	return nghttp2_session_get_stream_user_data(http2, stream);
}

static int on_header(nghttp2_session *http2, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
	const uint8_t *value, size_t value_length, uint8_t flags, void *user)
{
	struct channel_call *call = stream_call(http2, frame->hd.stream_id);

	(void)flags;
	(void)user;
	if (call == NULL)
		return 0;
	/* Its stream is reset by nghttp2, which closes it: call_outcome() knows the verdict. */
	return call_header(call, (const char *)name, name_length, (const char *)value, value_length) == 0
		? 0
		: NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_data(
	nghttp2_session *http2, uint8_t flags, int32_t stream, const uint8_t *bytes, size_t length, void *user)
{
	struct channel_call *call = stream_call(http2, stream);

	(void)flags;
	(void)user;
	if (call != NULL && call_data(call, bytes, length) != 0)
		nghttp2_submit_rst_stream(http2, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
	return 0;
}

static int on_frame(nghttp2_session *http2, const nghttp2_frame *frame, void *user)
{
	struct client_session *session = user;

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
	case NGHTTP2_DATA: {
		struct channel_call *call = stream_call(http2, frame->hd.stream_id);
		if (call == NULL || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
			break;
		call->ended = true;
		/* An answer before the whole request was sent: it closes the stream for us too. */
		if (call->sent < call->frame_length)
			nghttp2_submit_rst_stream(http2, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
		break;
	}
	case NGHTTP2_SETTINGS:
		session->settings_seen = true;
		break;
	case NGHTTP2_GOAWAY:
		session->draining = true;
		break;
	default:
		break;
	}
	return 0;
}

static int on_stream_close(nghttp2_session *http2, int32_t stream, uint32_t error, void *user)
{
	struct client_session *session = user;
	struct channel_call *call = stream_call(http2, stream);

	if (call == NULL)
		return 0;
	nghttp2_session_set_stream_user_data(http2, stream, NULL);
	call_list_remove(&session->calls, call);
	session->handler.on_call_closed(session->handler.context, call, error);
	return 0;
}

static int on_frame_not_send(nghttp2_session *http2, const nghttp2_frame *frame, int error, void *user)
{
	(void)error;
	(void)user;
	if (frame->hd.type == NGHTTP2_HEADERS) {
		struct channel_call *call = stream_call(http2, frame->hd.stream_id);
		if (call != NULL)
			call->unsent = true;
	}
	return 0;
}

/* nghttp2's memory is wiped like ours. */
static void *wiping_malloc(size_t size, void *user)
{
	(void)user;
	return mem_try_alloc(size);
}

static void *wiping_calloc(size_t count, size_t size, void *user)
{
	(void)user;
	if (size != 0 && count > SIZE_MAX / size)
		return NULL;
	void *memory = mem_try_alloc(count * size);
	if (memory != NULL)
		memset(memory, 0, count * size);
	return memory;
}

static void *wiping_realloc(void *memory, size_t size, void *user)
{
	(void)user;
	return mem_try_realloc(memory, size);
}

static void wiping_free(void *memory, void *user)
{
	(void)user;
	mem_free(memory);
}

static nghttp2_session *http2_new(struct client_session *session)
{
	nghttp2_mem memory = { NULL, wiping_malloc, wiping_free, wiping_calloc, wiping_realloc };
	nghttp2_session_callbacks *callbacks;
	nghttp2_session *http2 = NULL;

	if (nghttp2_session_callbacks_new(&callbacks) != 0)
		return NULL;
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
	if (nghttp2_session_client_new3(&http2, callbacks, session, NULL, &memory) != 0)
		http2 = NULL;
	nghttp2_session_callbacks_del(callbacks);
	return http2;
}

struct client_session *client_session_new(const char *authority, const struct client_session_handler *handler)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_MAX },
	};
	struct client_session *session = mem_calloc(1, sizeof *session);

	session->handler = *handler;
	session->authority = mem_strdup(authority);
	session->http2 = http2_new(session);
	if (session->http2 == NULL ||
		nghttp2_submit_settings(
			session->http2, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof settings[0]) != 0 ||
		nghttp2_session_set_local_window_size(session->http2, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW) != 0) {
		client_session_free(session);
		return NULL;
	}
	return session;
}

void client_session_free(struct client_session *session)
{
	if (session == NULL)
		return;
	if (session->http2 != NULL)
		nghttp2_session_del(session->http2);
	mem_free(session->authority);
	mem_free(session);
}

int client_session_receive(struct client_session *session, const uint8_t *bytes, size_t length, const char **error)
{
	ssize_t taken = nghttp2_session_mem_recv(session->http2, bytes, length);

	if (taken >= 0)
		return 0;
	*error = nghttp2_strerror((int)taken);
	return -1;
}

int client_session_send(struct client_session *session, struct buffer *out, size_t enough, const char **error)
{
	while (out->length < enough) {
		const uint8_t *bytes;
		ssize_t length = nghttp2_session_mem_send(session->http2, &bytes);
		if (length < 0 || (length > 0 && buffer_append(out, bytes, (size_t)length) != 0)) {
			*error = length < 0 ? nghttp2_strerror((int)length)
					    : "a frame is larger than the output's buffer";
			return -1;
		}
		if (length == 0)
			break;
	}
	return 0;
}

size_t client_session_room(const struct client_session *session)
{
	uint32_t limit = STREAMS_BEFORE_SETTINGS;

	if (session->draining || nghttp2_session_check_request_allowed(session->http2) == 0)
		return 0;
	if (session->settings_seen)
		limit = nghttp2_session_get_remote_settings(session->http2, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	return session->calls.count < limit ? limit - session->calls.count : 0;
}

bool client_session_heard(const struct client_session *session)
{
	return session->settings_seen;
}

bool client_session_draining(const struct client_session *session)
{
	return session->draining;
}

bool client_session_finished(const struct client_session *session)
{
	return nghttp2_session_want_read(session->http2) == 0 && nghttp2_session_want_write(session->http2) == 0;
}

const struct call_list *client_session_calls(const struct client_session *session)
{
	return &session->calls;
}

/* Request bytes for a DATA frame; the last of them end the stream. */
static ssize_t read_request(nghttp2_session *http2, int32_t stream, uint8_t *out, size_t size, uint32_t *flags,
	nghttp2_data_source *source, void *user)
{
	struct channel_call *call = source->ptr;
	size_t length = call->frame_length - call->sent;

	(void)http2;
	(void)stream;
	(void)user;
	if (length > size)
		length = size;
	memcpy(out, call->frame + call->sent, length);
	call->sent += length;
	if (call->sent == call->frame_length)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)length;
}

static nghttp2_nv header(const char *name, const char *value)
{
	nghttp2_nv nv = {
		.name = (uint8_t *)(uintptr_t)name, /* nghttp2 takes no const, and writes nothing */
		.value = (uint8_t *)(uintptr_t)value,
		.namelen = strlen(name),
		.valuelen = strlen(value),
		.flags = NGHTTP2_NV_FLAG_NO_COPY_NAME,
	};
	return nv;
}

int client_session_submit(struct client_session *session, struct channel_call *call, int64_t now)
{
	char timeout[CALL_TIMEOUT_TEXT];
	nghttp2_data_provider provider = { .source = { .ptr = call }, .read_callback = read_request };
	nghttp2_nv headers[8] = {
		header(":method", "POST"),
		header(":scheme", "https"),
		header(":path", call->path),
		header(":authority", session->authority),
		header("te", "trailers"),
		header("content-type", "application/grpc"),
		header("user-agent", "needtoknow-c/" NEEDTOKNOW_VERSION),
	};
	size_t count = 7;

	if (client_session_room(session) == 0)
		return -1;
	if (call->deadline != INT64_MAX) {
		call_timeout_format(call->deadline - now, timeout);
		headers[count++] = header("grpc-timeout", timeout);
	}
	int32_t stream = nghttp2_submit_request(session->http2, NULL, headers, count, &provider, call);
	if (stream < 0) {
		/* Every number of a stream has been used, or GOAWAY was said. */
		session->draining = true;
		return -1;
	}
	call->stream = stream;
	call_list_append(&session->calls, call);
	return 0;
}

void client_session_reset(struct client_session *session, struct channel_call *call)
{
	nghttp2_submit_rst_stream(session->http2, NGHTTP2_FLAG_NONE, call->stream, NGHTTP2_CANCEL);
}

struct channel_call *client_session_abandon(struct client_session *session)
{
	struct channel_call *call = session->calls.first;

	if (call != NULL)
		call_list_remove(&session->calls, call);
	return call;
}

void client_session_ping(struct client_session *session)
{
	nghttp2_submit_ping(session->http2, NGHTTP2_FLAG_NONE, NULL);
}

void client_session_goodbye(struct client_session *session)
{
	session->draining = true;
	nghttp2_session_terminate_session(session->http2, NGHTTP2_NO_ERROR);
}
