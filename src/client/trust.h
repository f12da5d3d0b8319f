#ifndef NEEDTOKNOW_CLIENT_TRUST_H
#define NEEDTOKNOW_CLIENT_TRUST_H

#include <needtoknow/status.h>

#include <openssl/ssl.h>
#include <stdbool.h>

/* Whether two sides of a TLS connection trust each other, and why not, in words that tell whoever runs the client what
 * to do. */

/* A connection that checks the server's name (or IP address, RFC 6125) against its certificate. NULL when OpenSSL
 * refuses. */
SSL *trust_ssl_new(SSL_CTX *tls, const char *server_name);

/*
 * After a failed SSL_connect(), SSL_read() or SSL_write(), before its error queue is cleared: was it a matter of trust?
 * Then true, and *status is SERVER_NOT_TRUSTED or CLIENT_NOT_TRUSTED.
 */
bool trust_verdict(const SSL *ssl, const char *peer, const char *server_name, struct needtoknow_status *status);

/* Else: what happened, in one phrase. `system_error` is errno of that time. Good until the next call. */
const char *trust_describe(const SSL *ssl, int result, int system_error);

#endif
