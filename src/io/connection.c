#include "io/connection.h"

#include "base/memory.h"

#include <assert.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int connection_accept(struct connection *connection, int fd, SSL_CTX *tls)
{
	SSL *ssl = SSL_new(tls);
	if (!ssl || SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		ERR_clear_error();
		return -1;
	}
	SSL_set_accept_state(ssl);
	*connection = (struct connection){ .fd = fd, .ssl = ssl };
	return 0;
}

void connection_close(struct connection *connection)
{
	mem_free(connection->kept);
	SSL_free(connection->ssl);
	close(connection->fd);
	*connection = (struct connection){ .fd = -1 };
}

/* OpenSSL's queue of errors is the thread's, not the connection's: it is empty before each call and after. */
static enum connection_result result_of(const struct connection *connection, int rc)
{
	if (rc > 0)
		return CONNECTION_DONE;
	int error = SSL_get_error(connection->ssl, rc);
	ERR_clear_error();
	switch (error) {
	case SSL_ERROR_WANT_READ:
		return CONNECTION_WANTS_READ;
	case SSL_ERROR_WANT_WRITE:
		return CONNECTION_WANTS_WRITE;
	default:
		return CONNECTION_GONE;
	}
}

enum connection_result connection_handshake(struct connection *connection)
{
	ERR_clear_error();
	return result_of(connection, SSL_do_handshake(connection->ssl));
}

enum connection_result connection_read(struct connection *connection, uint8_t *out, size_t size, size_t *length)
{
	ERR_clear_error();
	return result_of(connection, SSL_read_ex(connection->ssl, out, size, length));
}

int connection_has_pending(const struct connection *connection)
{
	return SSL_has_pending(connection->ssl);
}

static enum connection_result write_record(struct connection *connection, const uint8_t *bytes, size_t length)
{
	size_t written = 0;
	ERR_clear_error();
	enum connection_result result = result_of(connection, SSL_write_ex(connection->ssl, bytes, length, &written));
	/* One record is written as a whole or not at all. */
	assert(result != CONNECTION_DONE || written == length);
	connection->waiting = result == CONNECTION_WANTS_WRITE || result == CONNECTION_WANTS_READ ? length : 0;
	return result;
}

enum connection_result connection_write(struct connection *connection, const uint8_t *bytes, size_t length)
{
	assert(connection->waiting == 0 && length > 0 && length <= CONNECTION_RECORD_MAX);
	enum connection_result result = write_record(connection, bytes, length);
	/* A KeyUpdate of the peer's, if only half of it has come, and our answer to it go first: ours is not encrypted
	 * yet. */
	if (connection->waiting > 0 && SSL_in_init(connection->ssl)) {
		connection->kept = mem_alloc(length);
		memcpy(connection->kept, bytes, length);
	}
	return result;
}

enum connection_result connection_write_on(struct connection *connection)
{
	/*
	 * Of a record that is encrypted OpenSSL wants to hear the length again and does not look at the bytes
	 * (SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER). So no plaintext is kept while a peer does not read.
	 */
	static const uint8_t nothing[CONNECTION_RECORD_MAX];
	const uint8_t *bytes = connection->kept ? connection->kept : nothing;
	enum connection_result result = write_record(connection, bytes, connection->waiting);
	if (!SSL_in_init(connection->ssl)) {
		mem_free(connection->kept);
		connection->kept = NULL;
	}
	return result;
}

void connection_shutdown(struct connection *connection)
{
	ERR_clear_error();
	/* Within a record that is cut off, an alert would be noise. */
	if (connection->waiting == 0 && SSL_is_init_finished(connection->ssl))
		SSL_shutdown(connection->ssl);
	ERR_clear_error();
	shutdown(connection->fd, SHUT_WR);
}

enum connection_result connection_linger(struct connection *connection)
{
	uint8_t dust[4096];
	for (int i = 0; i < 16; i++) {
		ssize_t length = recv(connection->fd, dust, sizeof dust, MSG_DONTWAIT);
		if (length == 0)
			return CONNECTION_GONE;
		if (length < 0)
			return CONNECTION_WANTS_READ;
	}
	return CONNECTION_WANTS_READ;
}
