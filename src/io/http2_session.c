#include "io/http2_session.h"

#include "base/memory.h"
#include "io/http2_stream.h"

#include <assert.h>
#include <string.h>

/* The peer's requests may run ahead of us by this much on a connection: we take them as they come. */
#define CONNECTION_WINDOW (256 * 1024)
#define CONTINUATIONS_MAX 8
#define SETTINGS_MAX 32

/* Tells the PING behind the first GOAWAY from those that keep the connection alive. */
static const uint8_t goaway_ping[8] = "goaway";

/* What nghttp2 tells. Nothing is sent from here; a return value other than 0 breaks the connection. */

static struct server_stream *stream_of(nghttp2_session *nghttp2, int32_t id)
{
	return nghttp2_session_get_stream_user_data(nghttp2, id);
}

static void count_control(struct http2_session *session)
{
	struct http2_host *host = session->host;
	if (server_meter_count(&session->control, loop_now(host->loop), host->limits.max_control_frames))
		http2_session_calm(session);
}

/* Some clients (gRPC's in Go) measure the path with a PING for what we send: one for each of our sendings is no flood.
 */
static bool session_forgives_ping(struct http2_session *session)
{
	bool forgives = session->sent_data;
	session->sent_data = false;
	return forgives;
}

static int on_begin_frame(nghttp2_session *nghttp2, const nghttp2_frame_hd *header, void *context)
{
	(void)nghttp2;
	switch (header->type) {
	case NGHTTP2_DATA:
		if (header->length > 0 || (header->flags & NGHTTP2_FLAG_END_STREAM))
			return 0;
		break;
	case NGHTTP2_HEADERS:
	case NGHTTP2_WINDOW_UPDATE:
		return 0;
	case NGHTTP2_SETTINGS:
		if (header->flags & NGHTTP2_FLAG_ACK)
			return 0;
		break;
	case NGHTTP2_PING:
		if (header->flags & NGHTTP2_FLAG_ACK || session_forgives_ping(context))
			return 0;
		break;
	default:
		break;
	}
	count_control(context);
	return 0;
}

static int on_begin_headers(nghttp2_session *nghttp2, const nghttp2_frame *frame, void *context)
{
	struct http2_session *session = context;
	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	struct server_stream *stream = stream_open(session, frame->hd.stream_id);
	return nghttp2_session_set_stream_user_data(nghttp2, frame->hd.stream_id, stream);
}

static int on_header(nghttp2_session *nghttp2, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
	const uint8_t *value, size_t value_length, uint8_t flags, void *context)
{
	struct server_stream *stream = stream_of(nghttp2, frame->hd.stream_id);
	(void)flags;
	(void)context;
	if (!stream || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	http2_request_header(&stream->request, name, name_length, value, value_length);
	/* Told politely only if it is not beyond all bounds. */
	return stream->request.header_bytes / 4 > stream->session->host->limits.max_header_bytes
		? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
		: 0;
}

static int on_data(
	nghttp2_session *nghttp2, uint8_t flags, int32_t id, const uint8_t *bytes, size_t length, void *context)
{
	struct server_stream *stream = stream_of(nghttp2, id);
	(void)flags;
	(void)context;
	if (stream)
		stream_data(stream, bytes, length);
	/* What a stream may keep is bounded where it is kept, so that the peer's credit need not wait for it. */
	int rc = nghttp2_session_consume(nghttp2, id, length);
	return rc == NGHTTP2_ERR_NOMEM ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static void on_window_changed(struct http2_session *session, int32_t id)
{
	struct server_stream *stream = id > 0 ? stream_of(session->nghttp2, id) : NULL;
	if (stream && stream->credit_asked)
		stream_notice_writable(stream);
	else if (id == 0)
		session->credit_grew = true;
}

static int on_frame(nghttp2_session *nghttp2, const nghttp2_frame *frame, void *context)
{
	struct http2_session *session = context;
	struct server_stream *stream;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
	case NGHTTP2_DATA:
		stream = stream_of(nghttp2, frame->hd.stream_id);
		if (!stream)
			break;
		if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
			stream_headers_done(stream);
		if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
			stream_half_close(stream);
		break;
	case NGHTTP2_WINDOW_UPDATE:
		on_window_changed(session, frame->hd.stream_id);
		break;
	case NGHTTP2_SETTINGS:
		if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
			session->credit_grew = true;
		break;
	case NGHTTP2_PING:
		/* Our PING behind the first GOAWAY has been there and back: whatever the peer sent before it saw that
		 * is here. */
		if ((frame->hd.flags & NGHTTP2_FLAG_ACK) && session->draining &&
			memcmp(frame->ping.opaque_data, goaway_ping, sizeof goaway_ping) == 0)
			http2_session_drain_now(session);
		break;
	default:
		break;
	}
	return 0;
}

static int on_frame_sent(nghttp2_session *nghttp2, const nghttp2_frame *frame, void *context)
{
	struct http2_session *session = context;
	/* Answered before all of the request came: the rest is of no use (RFC 9113 section 8.1). */
	if (frame->hd.type == NGHTTP2_HEADERS && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
		nghttp2_session_get_stream_remote_close(nghttp2, frame->hd.stream_id) == 0)
		nghttp2_submit_rst_stream(nghttp2, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
	/* A peer can make us reset streams without end; what we cancel ourselves is not its doing. */
	if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_CANCEL)
		count_control(session);
	return 0;
}

static int on_frame_not_sent(nghttp2_session *nghttp2, const nghttp2_frame *frame, int error, void *context)
{
	(void)context;
	(void)error;
	struct server_stream *stream =
		frame->hd.type == NGHTTP2_HEADERS ? stream_of(nghttp2, frame->hd.stream_id) : NULL;
	if (stream)
		stream_reset(stream, NGHTTP2_INTERNAL_ERROR);
	return 0;
}

static int on_stream_closed(nghttp2_session *nghttp2, int32_t id, uint32_t error_code, void *context)
{
	struct server_stream *stream = stream_of(nghttp2, id);
	(void)error_code;
	(void)context;
	if (stream)
		stream_close(stream);
	return 0;
}

static ssize_t on_send(nghttp2_session *nghttp2, const uint8_t *bytes, size_t length, int flags, void *context)
{
	struct http2_session *session = context;
	size_t room = session->out_size - session->out_length;
	(void)nghttp2;
	(void)flags;
	if (room == 0)
		return NGHTTP2_ERR_WOULDBLOCK;
	if (length > room)
		length = room;
	memcpy(session->out + session->out_length, bytes, length);
	session->out_length += length;
	return (ssize_t)length;
}

/* The host. */

int http2_host_init(struct http2_host *host)
{
	if (nghttp2_session_callbacks_new(&host->callbacks) != 0 || nghttp2_option_new(&host->option) != 0)
		return -1;
	nghttp2_session_callbacks *callbacks = host->callbacks;
	nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_closed);
	nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
	nghttp2_session_callbacks_set_send_data_callback(callbacks, stream_send_data);

	nghttp2_option_set_no_auto_window_update(host->option, 1);
	nghttp2_option_set_no_closed_streams(host->option, 1);
	nghttp2_option_set_max_outbound_ack(host->option, host->limits.max_control_frames);
	nghttp2_option_set_max_settings(host->option, SETTINGS_MAX);
	nghttp2_option_set_max_continuations(host->option, CONTINUATIONS_MAX);
	return 0;
}

void http2_host_release(struct http2_host *host)
{
	stream_spares_free(host);
	nghttp2_session_callbacks_del(host->callbacks);
	nghttp2_option_del(host->option);
}

/* A session's life. */

static int session_greet(struct http2_session *session)
{
	const struct server_limits *limits = &session->host->limits;
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->max_streams },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits->max_header_bytes },
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
	};
	if (nghttp2_submit_settings(
		    session->nghttp2, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof *settings) != 0)
		return -1;
	return nghttp2_session_set_local_window_size(session->nghttp2, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
}

struct http2_session *http2_session_new(
	struct http2_host *host, const struct identity *caller, void (*wake)(void *context), void *context)
{
	struct http2_session *session = mem_calloc(1, sizeof *session);
	int64_t now = loop_now(host->loop);
	session->host = host;
	session->caller = caller;
	session->wake = wake;
	session->context = context;
	session->ready_end = &session->ready;
	session->heard_at = session->idle_since = session->progress_at = now;
	session->due = now; /* the first sweep finds out */
	nghttp2_mem allocator = http2_memory_allocator(&session->memory);
	if (nghttp2_session_server_new3(&session->nghttp2, host->callbacks, session, host->option, &allocator) != 0 ||
		session_greet(session) != 0) {
		http2_session_free(session);
		return NULL;
	}
	return session;
}

void http2_session_free(struct http2_session *session)
{
	if (!session)
		return;
	/* nghttp2 does not tell of streams that are open when it ends. */
	nghttp2_session_del(session->nghttp2);
	session->nghttp2 = NULL;
	http2_memory_release(&session->memory);
	for (struct server_stream *stream = session->ready, *next; stream; stream = next) {
		next = stream->next_ready;
		stream->ready = false;
		stream_free_if_unused(stream);
	}
	while (session->streams)
		stream_close(session->streams);
	http2_session_settle(session);
	http2_record_clear(&session->record);
	mem_free(session);
}

int http2_session_receive(struct http2_session *session, const uint8_t *bytes, size_t length)
{
	session->heard_at = loop_now(session->host->loop);
	session->pinged_at = 0;
	ssize_t taken = nghttp2_session_mem_recv(session->nghttp2, bytes, length);
	session->wake(session->context);
	return taken < 0 ? -1 : 0;
}

static void session_submit_ready(struct http2_session *session)
{
	while (session->ready) {
		struct server_stream *stream = session->ready;
		session->ready = stream->next_ready;
		if (!session->ready)
			session->ready_end = &session->ready;
		stream->ready = false;
		if (stream->open)
			stream_submit(stream);
		else
			stream_free_if_unused(stream);
	}
}

int http2_session_fill(struct http2_session *session, uint8_t *record, size_t size, size_t *length)
{
	assert(!session->record_waits && !session->record.first);
	session->out = record;
	session->out_size = size;
	session->out_length = 0;
	session_submit_ready(session);
	int rc = nghttp2_session_send(session->nghttp2);
	*length = session->out_length;
	session->out = NULL;
	return rc;
}

void http2_session_record_left(struct http2_session *session)
{
	int64_t now = loop_now(session->host->loop);
	if (session->record_waits) {
		/* Whoever asked for credit while the socket was blocked was told that there is none; and the peer was
		 * not heard. */
		session->credit_grew = true;
		session->heard_at = now;
		session->pinged_at = 0;
	}
	session->record_waits = false;
	session->progress_at = now;
	http2_record_clear(&session->record);
}

void http2_session_record_waits(struct http2_session *session)
{
	session->record_waits = true;
	http2_session_expect_progress(session);
}

bool http2_session_settle(struct http2_session *session)
{
	bool told = false;
	if (session->credit_grew) {
		session->credit_grew = false;
		for (struct server_stream *stream = session->streams; stream; stream = stream->next)
			if (stream->credit_asked)
				stream_notice_writable(stream);
	}
	while (session->notices) {
		struct server_stream *stream = session->notices;
		session->notices = stream->next_notice;
		told |= stream_tell(stream);
	}
	return told;
}

bool http2_session_finished(const struct http2_session *session)
{
	return !session->record_waits && nghttp2_session_want_read(session->nghttp2) == 0 &&
		nghttp2_session_want_write(session->nghttp2) == 0;
}

/* Its end, in peace or not. */

static const struct status shutting_down = { .code = GRPC_UNAVAILABLE,
	.message = "the server is shutting down: connect again" };

void http2_session_calm(struct http2_session *session)
{
	session->host->counters.limit_closed++;
	nghttp2_session_terminate_session(session->nghttp2, NGHTTP2_ENHANCE_YOUR_CALM);
	session->wake(session->context);
}

static void end_endless(struct http2_session *session)
{
	for (struct server_stream *stream = session->streams; stream; stream = stream->next)
		if (stream->kind == SERVER_METHOD_ENDLESS && !stream->ended)
			stream_take_back(stream, &shutting_down);
}

bool http2_session_is_used(const struct http2_session *session)
{
	return nghttp2_session_get_last_proc_stream_id(session->nghttp2) > 0;
}

void http2_session_drain(struct http2_session *session)
{
	session->draining = true;
	nghttp2_submit_shutdown_notice(session->nghttp2);
	nghttp2_submit_ping(session->nghttp2, NGHTTP2_FLAG_NONE, goaway_ping);
	end_endless(session);
	session->wake(session->context);
}

void http2_session_drain_now(struct http2_session *session)
{
	int32_t last = nghttp2_session_get_last_proc_stream_id(session->nghttp2);
	session->draining = false;
	nghttp2_submit_goaway(session->nghttp2, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
	end_endless(session);
	session->wake(session->context);
}

void http2_session_end(struct http2_session *session)
{
	for (struct server_stream *stream = session->streams; stream; stream = stream->next)
		if (!stream->ended)
			stream_fail(stream, &shutting_down);
	nghttp2_submit_goaway(session->nghttp2, NGHTTP2_FLAG_NONE,
		nghttp2_session_get_last_proc_stream_id(session->nghttp2), NGHTTP2_NO_ERROR, NULL, 0);
	session->wake(session->context);
}

void http2_session_drop(struct http2_message *message)
{
	struct server_stream *stream = message->stream;
	if (message->in_record) {
		/* Encrypted and waiting: neither can it be taken back nor anything be sent in its place. */
		http2_values_remove(message);
		message->session->condemned = true;
		message->session->wake(message->session->context);
	} else if (message->pulled > 0) {
		stream_reset(stream, NGHTTP2_CANCEL);
	} else {
		stream->session->queued -= message->length;
		http2_output_drop(&stream->output, message);
		if (stream->ended)
			stream_wake(stream);
	}
}
