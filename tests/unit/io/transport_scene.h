#ifndef NEEDTOKNOW_TESTS_TRANSPORT_SCENE_H
#define NEEDTOKNOW_TESTS_TRANSPORT_SCENE_H

#include "certificates.h"
#include "io/server.h"

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A server and peers that speak HTTP/2 to it over TLS on loopback, all in one thread: scene_until() and peer_until()
 * run the loop and the peers in turns until something has come true, or fail the test after some seconds.
 */

#define SCENE_STREAMS 256
#define SCENE_TEXT 1024

/* What the server's handler saw and holds of a stream. By the order in which on_request came. */
struct seen {
	struct server_stream *stream; /* NULL: closed */
	char path[256];
	unsigned requests, half_closes, writables, closes;
	size_t length; /* of the last request */
	int64_t deadline;
};

struct scene {
	char directory[64];
	struct authority *authority;
	struct loop *loop;
	struct server *server;
	int listener;
	uint16_t port;
	struct loop_timer pause;
	struct seen seen[SCENE_STREAMS];
	size_t seen_count;
	struct peer *peers;
	struct server_limits limits;
};

/* Certificates, and no server yet. */
struct scene *scene_new(void);
/* `limits` may be NULL. */
void scene_serve(struct scene *scene, const struct server_limits *limits);
/* Frees the server alone. */
void scene_stop_serving(struct scene *scene);
void scene_free(struct scene *scene);
const char *scene_path(const struct scene *scene, const char *name, char out[128]);

/* One round of everything. */
void scene_turn(struct scene *scene);
/* Whatever comes in `milliseconds`. */
void scene_wait(struct scene *scene, int milliseconds);
#define scene_until(scene, condition)                                                                                  \
	do {                                                                                                           \
		for (int turns_ = 0; !(condition); turns_++) {                                                         \
			if (turns_ > 5000)                                                                             \
				fail_msg("never came true: %s", #condition);                                           \
			scene_turn(scene);                                                                             \
		}                                                                                                      \
	} while (0)

/* The paths of the handler: /test/Unary, /test/Endless and /test/Bidi do nothing by themselves; /test/Echo answers. */

struct response {
	int32_t id;
	char status[8]; /* HTTP's */
	char grpc_status[8];
	char grpc_message[SCENE_TEXT];
	char accept_encoding[32];
	bool details, closed;
	uint32_t error_code; /* of the stream's end */
	size_t length; /* of data */
	uint8_t *data;
	bool ended; /* END_STREAM was seen */
	void *body; /* of the request */
};

struct peer {
	struct scene *scene;
	struct peer *next;
	int fd;
	SSL_CTX *tls;
	SSL *ssl;
	nghttp2_session *http2;
	bool connected, gone; /* TLS is up; the connection has ended */
	bool deaf; /* does not read its socket */
	bool mute; /* sends nothing by itself */
	unsigned goaways;
	uint32_t goaway_error;
	int32_t goaway_last;
	unsigned pings; /* acknowledged */
	struct response responses[SCENE_STREAMS];
	size_t response_count;
};

struct peer_options {
	const char *certificate; /* name in the scene's directory; NULL: none */
	bool no_alpn, tls12;
	bool own_window; /* no WINDOW_UPDATE by itself */
	bool raw; /* no HTTP/2 by itself */
	uint32_t window; /* of a stream; 0: the default */
	int receive_buffer; /* of the socket; 0: the default */
	bool no_wait; /* connected or gone is the caller's to wait for */
};

/* Connects, and waits until TLS is up or has failed. NULL options: the certificate `booking`. */
struct peer *peer_new(struct scene *scene, const struct peer_options *options);
void peer_free(struct peer *peer);

struct call {
	const char *path;
	const void *body; /* of DATA, gRPC prefix and all; NULL: none, and HEADERS end the stream */
	size_t length;
	const char *content_type; /* NULL: application/grpc */
	const char *verb; /* NULL: POST */
	const char *timeout; /* NULL: none */
	const char *padding; /* one more header's value */
	bool stays_open; /* the stream is not ended */
};
struct response *peer_call(struct peer *peer, const struct call *call);
/* One message with its prefix. */
struct response *peer_send(struct peer *peer, const char *path, const char *message);

/* Bytes as they are, in place of HTTP/2. False: the connection has ended. */
bool peer_write(struct peer *peer, const void *bytes, size_t length);
/* An HTTP/2 frame. */
bool peer_frame(struct peer *peer, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t length);
void peer_preface(struct peer *peer);

#endif
