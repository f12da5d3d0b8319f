#include "io/http2_session.h"
#include "io/http2_stream.h"

#define MILLISECOND INT64_C(1000)

/* What time brings to a session: its streams' deadlines, dying values, a peer that does not read, is silent, or wants
 * nothing. */

static int64_t after(int64_t since, uint32_t milliseconds)
{
	return since + milliseconds * MILLISECOND;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static bool output_waits(const struct http2_session *session)
{
	return session->queued > 0 || session->record_waits;
}

static int64_t record_due(const struct http2_session *session)
{
	int64_t due = INT64_MAX;
	for (const struct http2_message *message = session->record.first; message; message = message->next_in_record)
		due = earlier(due, message->die_at);
	return due;
}

/* A peer that says nothing may be gone without our knowing: asked when streams wait for it, given up when it does not
 * answer. */
static int64_t keepalive_due(const struct http2_session *session)
{
	const struct server_limits *limits = &session->host->limits;
	/* While the socket is blocked nobody is heard; write_due() sees to that. */
	if (session->stream_count == 0 || session->record_waits)
		return INT64_MAX;
	return after(session->pinged_at > 0 ? session->pinged_at : session->heard_at, limits->keepalive_ms);
}

static int64_t idle_due(const struct http2_session *session)
{
	if (session->stream_count > 0)
		return INT64_MAX;
	return after(session->idle_since, session->host->limits.idle_timeout_ms);
}

static int64_t write_due(const struct http2_session *session)
{
	return output_waits(session) ? after(session->progress_at, session->host->limits.write_timeout_ms) : INT64_MAX;
}

static void session_sweep_idle(struct http2_session *session, int64_t now)
{
	/* Once: the peer has as long again to close what it does not use. */
	session->idle_since = now;
	nghttp2_session_terminate_session(session->nghttp2, NGHTTP2_NO_ERROR);
	session->wake(session->context);
}

static bool session_sweep_keepalive(struct http2_session *session, int64_t now)
{
	if (session->pinged_at > 0)
		return false;
	session->pinged_at = now;
	nghttp2_submit_ping(session->nghttp2, NGHTTP2_FLAG_NONE, NULL);
	session->wake(session->context);
	return true;
}

static bool session_sweep(struct http2_session *session, int64_t now)
{
	for (struct server_stream *stream = session->streams; stream; stream = stream->next)
		stream_sweep(stream, now);
	if (record_due(session) <= now)
		return false;
	if (write_due(session) <= now) {
		session->host->counters.limit_closed++;
		return false;
	}
	if (idle_due(session) <= now)
		session_sweep_idle(session, now);
	if (keepalive_due(session) <= now)
		return session_sweep_keepalive(session, now);
	return true;
}

static int64_t session_due(const struct http2_session *session)
{
	int64_t due = earlier(record_due(session), write_due(session));
	due = earlier(due, earlier(keepalive_due(session), idle_due(session)));
	for (const struct server_stream *stream = session->streams; stream; stream = stream->next)
		due = earlier(due, stream_due(stream));
	return due;
}

bool http2_session_sweep(struct http2_session *session, int64_t now)
{
	bool keep = session_sweep(session, now);
	session->due = session_due(session);
	return keep;
}

int64_t http2_session_due(const struct http2_session *session)
{
	return session->due;
}

void http2_session_expect(struct http2_session *session, int64_t at)
{
	session->due = earlier(session->due, at);
}

void http2_session_expect_progress(struct http2_session *session)
{
	session->progress_at = loop_now(session->host->loop);
	http2_session_expect(session, after(session->progress_at, session->host->limits.write_timeout_ms));
}
