#ifndef NEEDTOKNOW_IO_SERVER_CONNECTION_H
#define NEEDTOKNOW_IO_SERVER_CONNECTION_H

#include "io/connection.h"
#include "io/http2_session.h"

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * One accepted connection: its socket's events, its timer, and the pumping of bytes between TLS and HTTP/2. Output is
 * pulled from HTTP/2 a record at a time, and no more before the socket has taken that: what may still be dropped is
 * never far ahead.
 */
struct server_connection;

/* What the connections of a server share; the server owns it. */
struct server_connections {
	struct http2_host host;
	SSL_CTX *tls;
	struct server_connection *all;
	struct server_connection *dirty; /* have something to flush or to be told of, at the end of this turn */
	struct server_connection *later; /* used up what a turn allows: go on in the next one */
	struct event resume; /* of those */
	uint32_t handshakes; /* steps of them that this turn still allows */
	/* One record at a time is decrypted or about to be encrypted, whoever's it is; wiped after each use. */
	uint8_t input[CONNECTION_RECORD_MAX];
	uint8_t output[CONNECTION_RECORD_MAX];
};

/* host.loop, host.limits, host.handler and tls are set by the caller. 0 or -1. */
int server_connections_init(struct server_connections *connections);
/* Closes them all. */
void server_connections_release(struct server_connections *connections);

/* Takes over an accepted, non-blocking socket; on failure it is closed. */
void server_connection_new(struct server_connections *connections, int fd);

/* Flushes what is dirty and tells what there is to tell: the SERVER phase's work. True when there was anything to tell.
 */
bool server_connections_flush(struct server_connections *connections);

/* The first GOAWAY. Not to who has just come and asked for nothing yet: a client takes that for an outage. */
void server_connections_drain(struct server_connections *connections);
/* To be repeated: the second GOAWAY, for those that did not show that they have seen the first; the first, for those
 * that still ask for nothing; and who is not open yet is closed. */
void server_connections_drain_on(struct server_connections *connections);
/* What is left ends with UNAVAILABLE and is closed. */
void server_connections_end(struct server_connections *connections);
void server_connections_close_recipient(
	struct server_connections *connections, const char *recipient_id, const char *device);

#endif
