#ifndef NEEDTOKNOW_IO_CONNECTION_H
#define NEEDTOKNOW_IO_CONNECTION_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Bytes over TLS over one non-blocking socket. Knows neither events nor HTTP/2. Each function does what can be done at
 * once and says what it waits for.
 */

#define CONNECTION_RECORD_MAX 16384 /* of plaintext: RFC 8446 section 5.1 */

enum connection_result {
	CONNECTION_DONE,
	CONNECTION_WANTS_READ,
	CONNECTION_WANTS_WRITE,
	CONNECTION_GONE, /* the peer has left, or what it sent is not what TLS allows */
};

/* In its owner's storage. */
struct connection {
	int fd;
	SSL *ssl;
	size_t waiting; /* bytes of the record that OpenSSL has and the socket does not; 0: none */
	uint8_t *kept; /* they themselves, while they are not encrypted yet */
};

/* Takes over `fd`. 0, or -1 without memory (then `fd` is still the caller's). */
int connection_accept(struct connection *connection, int fd, SSL_CTX *tls);
/* Closes the socket at once. */
void connection_close(struct connection *connection);

enum connection_result connection_handshake(struct connection *connection);

/* DONE: *length bytes, at least one. `size` should be a record's. */
enum connection_result connection_read(struct connection *connection, uint8_t *out, size_t size, size_t *length);
/* Bytes that were decrypted and not yet read: the socket will not say that they are there. */
int connection_has_pending(const struct connection *connection);

/*
 * One record of 1 to CONNECTION_RECORD_MAX bytes. DONE: the socket has all of it. Else, but for GONE, it goes on with
 * connection_write_on() when the socket is writable or the peer has said more; the caller's bytes are not needed any
 * more.
 */
enum connection_result connection_write(struct connection *connection, const uint8_t *bytes, size_t length);
enum connection_result connection_write_on(struct connection *connection);

/* close_notify, and no more bytes from us; the peer may still be sending. */
void connection_shutdown(struct connection *connection);
/* After it: throws away what the peer sends, undecrypted. GONE when it has closed too, else WANTS_READ. */
enum connection_result connection_linger(struct connection *connection);

#endif
