#ifndef NEEDTOKNOW_CLIENT_ENDPOINT_H
#define NEEDTOKNOW_CLIENT_ENDPOINT_H

#include "base/arena.h"
#include "client/channel.h"
#include "io/loop.h"

#include <needtoknow/client.h>

/*
 * What the blocking client and the receiver have in common: a loop of their own, a channel on it made from the public
 * options, and a way to wake it from a signal handler.
 */
struct endpoint {
	struct loop *loop;
	struct channel *channel;
	SSL_CTX *tls;
	int wake_socket; /* an eventfd */
	struct event *wake;
	void (*on_wake)(void *context);
	void *context;
};

/* 0; or -1 and *status: BAD_ADDRESS or BAD_CREDENTIALS. on_wake() is called on the loop after endpoint_wake(). */
int endpoint_init(struct endpoint *endpoint, const struct needtoknow_options *options, void (*on_wake)(void *context),
	void *context, struct needtoknow_status *status);
void endpoint_release(struct endpoint *endpoint);

/* Async-signal-safe. */
void endpoint_wake(struct endpoint *endpoint);

/*
 * A message of the server's, checked for UTF-8 and unpacked; it lives in the arena. NULL and *status BAD_ANSWER when it
 * is not of that type.
 */
const ProtobufCMessage *endpoint_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t length,
	struct arena *arena, struct needtoknow_status *status);

/* Memory that the largest response may need once unpacked. */
#define ENDPOINT_ARENA_MAX (64 * 1024 * 1024)

#endif
