#ifndef NEEDTOKNOW_CLIENT_SESSION_H
#define NEEDTOKNOW_CLIENT_SESSION_H

#include "base/buffer.h"
#include "client/call.h"

/*
 * The HTTP/2 of a client's connection, without I/O: bytes from the server go in, bytes for it come out, calls are put
 * on it and end (RFC 9113; gRPC over it: grpc/doc/PROTOCOL-HTTP2.md).
 */
struct client_session;

struct client_session_handler {
	/* The stream is closed. Comes from within client_session_receive() and client_session_send(). */
	void (*on_call_closed)(void *context, struct channel_call *call, uint32_t http2_error);
	void *context;
};

/* `authority` is copied. Queues the preface, SETTINGS and the connection's window. NULL when memory is gone. */
struct client_session *client_session_new(const char *authority, const struct client_session_handler *handler);
/* Calls on it are not told. NULL is allowed. */
void client_session_free(struct client_session *session);

/* 0, or -1 when the server broke the protocol and *error says how; then the connection is to be closed. */
int client_session_receive(struct client_session *session, const uint8_t *bytes, size_t length, const char **error);
/* Appends what is to be sent, until `out` holds `enough` bytes or there is no more. 0, or -1 as above. */
int client_session_send(struct client_session *session, struct buffer *out, size_t enough, const char **error);

/* How many more calls it takes now. */
size_t client_session_room(const struct client_session *session);
/* The server's SETTINGS have come. */
bool client_session_heard(const struct client_session *session);
bool client_session_draining(const struct client_session *session);
/* Both sides have nothing to say any more. */
bool client_session_finished(const struct client_session *session);
const struct call_list *client_session_calls(const struct client_session *session);

/* `now` is by the clock of call->deadline. 0, or -1 when it takes no more. */
int client_session_submit(struct client_session *session, struct channel_call *call, int64_t now);
void client_session_reset(struct client_session *session, struct channel_call *call);
struct channel_call *client_session_abandon(struct client_session *session);

void client_session_ping(struct client_session *session);
/* GOAWAY, before the connection is closed. */
void client_session_goodbye(struct client_session *session);

#endif
