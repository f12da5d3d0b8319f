/* What becomes of a record that the socket does not take. */
#include "io/connection.h"

#include "io/tls.h"
#include "transport_scene.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* A server's connection whose socket can be made to take nothing, and a client at its other end. */
struct ends {
	struct scene *scene;
	struct connection connection;
	SSL_CTX *server_tls, *client_tls;
	SSL *client;
	int client_fd;
	BIO_METHOD *method;
	bool full;
};

static int write_unless_full(BIO *bio, const char *bytes, int length)
{
	struct ends *ends = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (ends->full) {
		BIO_set_retry_write(bio);
		return -1;
	}
	return (int)write(ends->connection.fd, bytes, (size_t)length);
}

static long control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static SSL_CTX *tls_for(struct ends *ends, const char *name,
	SSL_CTX *(*make)(const struct tls_files *files, char *error, size_t error_size))
{
	char certificate[128], key[128], ca[128], file[64], error[512] = "";
	snprintf(file, sizeof file, "%s.crt", name);
	scene_path(ends->scene, file, certificate);
	snprintf(file, sizeof file, "%s.key", name);
	scene_path(ends->scene, file, key);
	SSL_CTX *tls = make(&(struct tls_files){ certificate, key, scene_path(ends->scene, "ca.crt", ca), NULL }, error,
		sizeof error);
	assert_string_equal(error, "");
	return tls;
}

static void shake_hands(struct ends *ends)
{
	for (int i = 0; i < 10; i++) {
		SSL_do_handshake(ends->client);
		if (connection_handshake(&ends->connection) == CONNECTION_DONE)
			return;
	}
	fail();
}

static int begin(void **state)
{
	static struct ends ends;
	int fds[2];
	memset(&ends, 0, sizeof ends);
	ends.scene = scene_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	ends.server_tls = tls_for(&ends, "server", tls_server_new);
	ends.client_tls = tls_for(&ends, "booking", tls_client_new);
	assert_int_equal(connection_accept(&ends.connection, fds[0], ends.server_tls), 0);
	ends.method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket that can be full");
	BIO_meth_set_write(ends.method, write_unless_full);
	BIO_meth_set_ctrl(ends.method, control);
	BIO *bio = BIO_new(ends.method);
	BIO_set_data(bio, &ends);
	BIO_set_init(bio, 1);
	SSL_set0_wbio(ends.connection.ssl, bio);
	ends.client_fd = fds[1];
	ends.client = SSL_new(ends.client_tls);
	SSL_set_fd(ends.client, fds[1]);
	SSL_set_connect_state(ends.client);
	shake_hands(&ends);
	*state = &ends;
	return 0;
}

static int end(void **state)
{
	struct ends *ends = *state;
	SSL_free(ends->client);
	close(ends->client_fd);
	connection_close(&ends->connection);
	SSL_CTX_free(ends->client_tls);
	SSL_CTX_free(ends->server_tls);
	BIO_meth_free(ends->method);
	scene_free(ends->scene);
	return 0;
}

static void assert_client_reads(struct ends *ends, const char *text)
{
	char bytes[256];
	size_t length = 0;
	assert_int_equal(SSL_read_ex(ends->client, bytes, sizeof bytes, &length), 1);
	assert_int_equal(length, strlen(text));
	assert_memory_equal(bytes, text, length);
}

static enum connection_result write_text(struct ends *ends, const char *text)
{
	char bytes[64];
	size_t length = strlen(text);
	memcpy(bytes, text, length);
	enum connection_result result = connection_write(&ends->connection, (const uint8_t *)bytes, length);
	/* The caller's bytes are not needed any more. */
	memset(bytes, '?', sizeof bytes);
	return result;
}

static void writes_a_record_at_once(void **state)
{
	struct ends *ends = *state;
	assert_int_equal(write_text(ends, "bonjour"), CONNECTION_DONE);
	assert_int_equal(ends->connection.waiting, 0);
	assert_client_reads(ends, "bonjour");
}

static void keeps_nothing_of_an_encrypted_record(void **state)
{
	struct ends *ends = *state;
	ends->full = true;
	assert_int_equal(write_text(ends, "bonjour"), CONNECTION_WANTS_WRITE);
	assert_int_equal(ends->connection.waiting, 7);
	assert_null(ends->connection.kept);
	assert_int_equal(connection_write_on(&ends->connection), CONNECTION_WANTS_WRITE);
	ends->full = false;
	assert_int_equal(connection_write_on(&ends->connection), CONNECTION_DONE);
	assert_client_reads(ends, "bonjour");
}

/* The answer to a KeyUpdate leaves before the record, which is encrypted with the new key. */
static void keeps_a_record_until_its_key_is_there(void **state)
{
	struct ends *ends = *state;
	uint8_t byte;
	size_t length;
	assert_int_equal(SSL_key_update(ends->client, SSL_KEY_UPDATE_REQUESTED), 1);
	assert_int_equal(SSL_do_handshake(ends->client), 1);
	assert_int_equal(connection_read(&ends->connection, &byte, 1, &length), CONNECTION_WANTS_READ);
	ends->full = true;
	assert_int_equal(write_text(ends, "bonjour"), CONNECTION_WANTS_WRITE);
	assert_non_null(ends->connection.kept);
	assert_int_equal(connection_write_on(&ends->connection), CONNECTION_WANTS_WRITE);
	ends->full = false;
	assert_int_equal(connection_write_on(&ends->connection), CONNECTION_DONE);
	assert_null(ends->connection.kept);
	assert_client_reads(ends, "bonjour");
	assert_int_equal(write_text(ends, "au revoir"), CONNECTION_DONE);
	assert_client_reads(ends, "au revoir");
}

static void says_when_the_peer_has_gone(void **state)
{
	struct ends *ends = *state;
	uint8_t byte;
	size_t length;
	assert_int_equal(connection_read(&ends->connection, &byte, 1, &length), CONNECTION_WANTS_READ);
	/* Without close_notify: some do. */
	shutdown(ends->client_fd, SHUT_WR);
	assert_int_equal(connection_read(&ends->connection, &byte, 1, &length), CONNECTION_GONE);
	shutdown(ends->client_fd, SHUT_RD);
	assert_int_equal(write_text(ends, "bonjour"), CONNECTION_GONE);
}

static void lingers_until_the_peer_has_closed(void **state)
{
	struct ends *ends = *state;
	char byte;
	connection_shutdown(&ends->connection);
	/* It was still sending. */
	SSL_write(ends->client, "late", 4);
	assert_int_equal(connection_linger(&ends->connection), CONNECTION_WANTS_READ);
	assert_int_equal(SSL_read(ends->client, &byte, 1), 0);
	assert_int_equal(SSL_get_error(ends->client, 0), SSL_ERROR_ZERO_RETURN);
	shutdown(ends->client_fd, SHUT_WR);
	assert_int_equal(connection_linger(&ends->connection), CONNECTION_GONE);
}

#define connection_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		connection_test(writes_a_record_at_once),
		connection_test(keeps_nothing_of_an_encrypted_record),
		connection_test(keeps_a_record_until_its_key_is_there),
		connection_test(says_when_the_peer_has_gone),
		connection_test(lingers_until_the_peer_has_closed),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
