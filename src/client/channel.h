#ifndef NEEDTOKNOW_CLIENT_CHANNEL_H
#define NEEDTOKNOW_CLIENT_CHANNEL_H

#include "io/loop.h"

#include <needtoknow/status.h>

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A gRPC client on a loop: calls go out over one HTTP/2 connection (mutual TLS 1.3), many at a time. The blocking
 * client, the receiver and load generators are built on it.
 *
 * The connection is made when the first call needs it, and again after it was lost, no sooner than a jittered back-off.
 * When it cannot be made, the calls that waited for it end with UNAVAILABLE. A server that says GOAWAY keeps its
 * running calls; new ones, and those that it says it has not touched, go over a new connection.
 *
 * All that one turn of the loop starts leaves as one write (LOOP_PHASE_SERVER). Callbacks may start and cancel calls,
 * this one too; they must not free the channel.
 */
struct channel;
struct channel_call;

struct channel_config {
	const char *address; /* see address.h */
	const char *server_name; /* that the certificate must carry; NULL: the address's host */
	SSL_CTX *tls; /* of tls_client_new(); the channel takes its own reference */
	uint32_t connect_timeout_ms; /* [10000] for TCP and TLS, for each address of the name */
	uint32_t keepalive_ms; /* [30000] a PING to a silent server while calls are open; lost when not answered in as
				  long */
	size_t max_message_bytes; /* [4194304] a response; larger: RESOURCE_EXHAUSTED */
};

/* How a call ended. All of it is good during the callback alone; the message is wiped afterwards. */
struct channel_reply {
	const struct needtoknow_status *status;
	const uint8_t *message; /* of a unary call that ended OK */
	size_t length;
};
typedef void channel_done(void *context, const struct channel_reply *reply);
typedef void channel_on_message(void *context, const uint8_t *message, size_t length);

struct channel_request {
	const char *path; /* `/package.Service/Method`; must live until the call ends */
	const void *message;
	size_t length;
	int64_t timeout; /* microseconds until DEADLINE_EXCEEDED, told to the server; 0: none */
	channel_on_message *on_message; /* of a stream: each message, wiped afterwards. NULL: a unary call */
	channel_done *done; /* exactly once, never from within channel_start(); not after channel_cancel() */
	void *context;
};

/* Copies the config; does not connect. NULL: the address is malformed. */
struct channel *channel_new(struct loop *loop, const struct channel_config *config);
/* Calls on_connected() each time when a new connection stands and the server has spoken. */
void channel_watch(struct channel *channel, void (*on_connected)(void *context), void *context);
/* Open calls end without done() being called. NULL is allowed. */
void channel_free(struct channel *channel);

/* The message is copied. The call is valid until done() returns, or it is cancelled. */
struct channel_call *channel_start(struct channel *channel, const struct channel_request *request);
/* A unary call without a deadline. */
struct channel_call *channel_call(struct channel *channel, const char *path, const void *message, size_t length,
	channel_done *done, void *context);
/* Resets the stream; done() will not be called. */
void channel_cancel(struct channel_call *call);

/* Calls that have not ended. */
size_t channel_open_calls(const struct channel *channel);

#endif
