#ifndef NEEDTOKNOW_IO_TLS_H
#define NEEDTOKNOW_IO_TLS_H

#include "pure/identity.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * TLS 1.3 only, ALPN h2, both sides with certificates (RFC 8446, RFC 9113 section 9.2). Made once at start and again at
 * reload: a new context serves new connections, the old one lives (counted) until its last connection is gone.
 */
struct tls_files {
	const char *certificate; /* PEM chain, leaf first */
	/*
	 * PEM without a password. Refused when others than its owner can read it; root's may be readable by a group, as
	 * with PostgreSQL's ssl_key_file, so that a system's certificate group works.
	 */
	const char *key;
	const char *ca; /* PEM: whose certificates are accepted from the other side */
	const char *crl; /* PEM: revoked certificates; NULL for none */
};

/* NULL, and in `error` one line for the operator: which file, what is wrong with it, what to do. There is no plain
 * mode. */
SSL_CTX *tls_server_new(const struct tls_files *files, char *error, size_t error_size);
/* The client's side; the server's name is checked on each connection with SSL_set1_host() or an IP address. */
SSL_CTX *tls_client_new(const struct tls_files *files, char *error, size_t error_size);

/* Seconds since the epoch at which the context's own certificate expires. */
int64_t tls_certificate_expiry(SSL_CTX *context);

/* After a handshake: was ALPN h2 agreed on? (A peer that offers no ALPN at all is not refused by the handshake.) */
bool tls_is_h2(const SSL *ssl);

/* Who the other side's certificate is: its single URI subject alternative name. 0, or -1 when that is none of
 * identity_parse(). */
int tls_peer_identity(const SSL *ssl, const char *trust_domain, struct identity *out);

/* The handshake is over, and nobody asks for the other side's public key any more: 2 KB that a connection which waits
 * need not hold. The rest of its certificate stays. */
void tls_forget_peer_key(SSL *ssl);

/* Has OpenSSL wipe all that it frees (CRYPTO_set_mem_functions). To be called before any other use of OpenSSL. 0 or -1.
 */
int tls_wipe_on_free(void);

#endif
