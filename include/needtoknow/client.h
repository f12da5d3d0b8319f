#ifndef NEEDTOKNOW_CLIENT_H
#define NEEDTOKNOW_CLIENT_H

#include <needtoknow/status.h>

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * libneedtoknow, blocking: one connection to needtoknow, gRPC over HTTP/2 over mutual TLS 1.3. A client is used by one
 * thread at a time; several clients may live side by side. It connects with its first call, and again by itself after
 * the connection was lost.
 */
struct needtoknow_client;
struct needtoknow_method; /* one of <needtoknow/methods.h> */

struct needtoknow_options {
	const char *address; /* `host:port`; `[::1]:8443` for an IPv6 address. Port left out: 8443 */
	const char *ca; /* PEM file: who signs the server's certificate */
	const char *certificate; /* PEM file: ours; its URI subject alternative name says who we are */
	const char *key; /* PEM file; refused when others than its owner can read it */
	const char *server_name; /* that the server's certificate must carry; NULL: the address's host */
	uint32_t connect_timeout_ms; /* 0: 10,000, for each address that the host's name has */
	uint32_t call_timeout_ms; /* of a unary call, connecting included; 0: 30,000. Streams have none */
};

/*
 * Has OpenSSL wipe all that it frees, and protects the process from core dumps. For the first line of main() of a
 * program that receives personal data: OpenSSL takes a memory allocator before its first use alone. 0, or -1 when it is
 * too late for that.
 */
int needtoknow_protect_memory(void);

/* Reads the files and copies the options; does not connect. NULL and *status: BAD_ADDRESS or BAD_CREDENTIALS. */
struct needtoknow_client *needtoknow_client_new(
	const struct needtoknow_options *options, struct needtoknow_status *status);
/* Closes the connection. NULL is allowed. */
void needtoknow_client_free(struct needtoknow_client *client);

/*
 * One request, one response. 0, and *response (when not NULL) belongs to the client: it lives until the client's next
 * call, then it is wiped. Else -1, *status says why, and *response is untouched.
 *
 * UNAVAILABLE with CONNECTION_LOST leaves open whether the call was carried out: repeat it with the same request_id.
 */
int needtoknow_call(struct needtoknow_client *client, const struct needtoknow_method *method,
	const ProtobufCMessage *request, const ProtobufCMessage **response, struct needtoknow_status *status);

/* The same with a path (`/package.Service/Method`) and serialized messages. */
int needtoknow_call_bytes(struct needtoknow_client *client, const char *path, const uint8_t *request, size_t length,
	const uint8_t **response, size_t *response_length, struct needtoknow_status *status);

/*
 * One request, a stream of responses; each is given to on_message() and wiped when it returns. A value other than 0
 * ends the stream. 0 when the server or on_message() ended it, else -1 and *status. on_message() must not use the
 * client, but needtoknow_client_interrupt().
 */
int needtoknow_stream(struct needtoknow_client *client, const struct needtoknow_method *method,
	const ProtobufCMessage *request, int (*on_message)(void *context, const ProtobufCMessage *message),
	void *context, struct needtoknow_status *status);

/*
 * The same with a path and serialized messages, for whoever reads many of them: `bytes` belong to the client, and are
 * wiped when on_message() returns.
 */
int needtoknow_stream_bytes(struct needtoknow_client *client, const char *path, const uint8_t *request, size_t length,
	int (*on_message)(void *context, const uint8_t *bytes, size_t length), void *context,
	struct needtoknow_status *status);

/*
 * Has the call that is running, or else the next one, end with CANCELLED at once. May be called from a signal handler
 * and from another thread.
 */
void needtoknow_client_interrupt(struct needtoknow_client *client);

#ifdef __cplusplus
}
#endif

#endif
