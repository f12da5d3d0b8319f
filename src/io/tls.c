#include "io/tls.h"

#include "base/memory.h"
#include "io/secret_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A chain of providers' and our own intermediate authorities is short; a longer one is somebody's experiment. */
#define CHAIN_DEPTH_MAX 4
#define CHAIN_BYTES_MAX 32768

static const unsigned char alpn_h2[] = { 2, 'h', '2' };

/* Where the one line for the operator goes. */
struct report {
	char *text;
	size_t size;
};

static int report(const struct report *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int report(const struct report *to, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(to->text, to->size, format, arguments);
	va_end(arguments);
	return -1;
}

/* What OpenSSL said first is what was wrong; what follows is who passed it on. */
static const char *reason(void)
{
	unsigned long code = ERR_peek_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;
	if (ERR_GET_LIB(code) == ERR_LIB_SYS)
		text = strerror(ERR_GET_REASON(code));
	return text ? text : "not PEM";
}

static bool readable(const char *what, const char *path, const struct report *error)
{
	if (!path || !*path) {
		report(error, "tls: no %s is configured: there is no plain mode", what);
		return false;
	}
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		report(error, "tls: %s %s: %s", what, path, strerror(errno));
		return false;
	}
	close(fd);
	ERR_clear_error();
	return true;
}

/* A terminal must never be asked for a password by a daemon. */
static int no_password(char *buffer, int size, int writing, void *context)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)context;
	return -1;
}

static int check_key_mode(const char *path, const struct stat *file, const struct report *error)
{
	char fault[300];
	return secret_file_check(file, path, fault, sizeof fault) == 0 ? 0 : report(error, "tls: key %s", fault);
}

static int load_key(SSL_CTX *context, const char *path, const struct report *error)
{
	struct stat file;
	if (!readable("key", path, error))
		return -1;
	BIO *bio = BIO_new_file(path, "r");
	EVP_PKEY *key = NULL;
	int rc = -1;
	FILE *stream = NULL;
	if (!bio || BIO_get_fp(bio, &stream) != 1 || fstat(fileno(stream), &file) != 0) {
		report(error, "tls: key %s: %s", path, strerror(errno));
		goto out;
	}
	if (check_key_mode(path, &file, error) != 0)
		goto out;
	key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	if (!key) {
		report(error, "tls: key %s: %s (a private key in PEM without a password is needed)", path, reason());
		goto out;
	}
	if (SSL_CTX_use_PrivateKey(context, key) != 1) {
		report(error, "tls: key %s is not the key of the certificate: %s", path, reason());
		goto out;
	}
	rc = 0;
out:
	EVP_PKEY_free(key);
	BIO_free(bio);
	return rc;
}

static int load_certificate(SSL_CTX *context, const char *path, int purpose, const struct report *error)
{
	if (!readable("certificate", path, error))
		return -1;
	if (SSL_CTX_use_certificate_chain_file(context, path) != 1)
		return report(error, "tls: certificate %s: %s (a PEM chain, leaf first, is needed)", path, reason());
	X509 *leaf = SSL_CTX_get0_certificate(context);
	if (X509_cmp_current_time(X509_get0_notAfter(leaf)) <= 0)
		return report(error, "tls: certificate %s has expired: renew it", path);
	if (X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0)
		return report(error, "tls: certificate %s is not valid yet: check the clock, or wait", path);
	if (X509_check_purpose(leaf, purpose, 0) != 1)
		return report(error, "tls: certificate %s may not be used as a %s: it needs the extended key usage %s",
			path, purpose == X509_PURPOSE_SSL_SERVER ? "server's" : "client's",
			purpose == X509_PURPOSE_SSL_SERVER ? "serverAuth" : "clientAuth");
	return 0;
}

static int load_ca(SSL_CTX *context, const char *path, const struct report *error)
{
	if (!readable("CA", path, error))
		return -1;
	STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path);
	if (!names || sk_X509_NAME_num(names) == 0 || SSL_CTX_load_verify_file(context, path) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return report(error, "tls: CA %s: %s (certificates in PEM are needed)", path, reason());
	}
	/* Told to clients, so that one with several certificates knows which to show. */
	SSL_CTX_set_client_CA_list(context, names);
	return 0;
}

static int add_crls(X509_STORE *store, const STACK_OF(X509_INFO) * found, const char *path, const struct report *error)
{
	int count = 0;
	for (int i = 0; i < sk_X509_INFO_num(found); i++) {
		X509_CRL *crl = sk_X509_INFO_value(found, i)->crl;
		if (!crl)
			continue;
		const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
		if (next && X509_cmp_current_time(next) <= 0)
			return report(
				error, "tls: CRL %s is out of date, so nobody would be let in: fetch a new one", path);
		if (X509_STORE_add_crl(store, crl) != 1)
			return report(error, "tls: CRL %s: %s", path, reason());
		count++;
	}
	return count > 0 ? 0 : report(error, "tls: CRL %s holds no revocation list in PEM", path);
}

/* The leaf's issuer must have a list; a revoked certificate fails the handshake. */
static int load_crl(SSL_CTX *context, const char *path, const struct report *error)
{
	if (!readable("CRL", path, error))
		return -1;
	BIO *bio = BIO_new_file(path, "r");
	STACK_OF(X509_INFO) *found = bio ? PEM_X509_INFO_read_bio(bio, NULL, no_password, NULL) : NULL;
	BIO_free(bio);
	if (!found)
		return report(error, "tls: CRL %s: %s", path, reason());
	X509_STORE *store = SSL_CTX_get_cert_store(context);
	int rc = add_crls(store, found, path, error);
	sk_X509_INFO_pop_free(found, X509_INFO_free);
	if (rc == 0)
		X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
	return rc;
}

static SSL_CTX *tls_new(
	const SSL_METHOD *method, const struct tls_files *files, int purpose, const struct report *error)
{
	ERR_clear_error();
	SSL_CTX *context = SSL_CTX_new(method);
	if (!context) {
		report(error, "tls: %s", reason());
		return NULL;
	}
	SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
	SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION);
	/* No resumption: each connection has its certificate checked afresh, against the revocations of now. */
	SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(context, 0);
	SSL_CTX_set_mode(context,
		SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_verify_depth(context, CHAIN_DEPTH_MAX);
	SSL_CTX_set_max_cert_list(context, CHAIN_BYTES_MAX);
	if (load_certificate(context, files->certificate, purpose, error) != 0 ||
		load_key(context, files->key, error) != 0 || load_ca(context, files->ca, error) != 0 ||
		(files->crl && load_crl(context, files->crl, error) != 0)) {
		SSL_CTX_free(context);
		context = NULL;
	}
	ERR_clear_error();
	return context;
}

static int select_h2(SSL *ssl, const unsigned char **out, unsigned char *out_length, const unsigned char *in,
	unsigned in_length, void *context)
{
	unsigned char *selected;
	(void)ssl;
	(void)context;
	if (SSL_select_next_proto(&selected, out_length, alpn_h2, sizeof alpn_h2, in, in_length) !=
		OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = selected;
	return SSL_TLSEXT_ERR_OK;
}

SSL_CTX *tls_server_new(const struct tls_files *files, char *error, size_t error_size)
{
	SSL_CTX *context =
		tls_new(TLS_server_method(), files, X509_PURPOSE_SSL_SERVER, &(struct report){ error, error_size });
	if (context)
		SSL_CTX_set_alpn_select_cb(context, select_h2, NULL);
	return context;
}

SSL_CTX *tls_client_new(const struct tls_files *files, char *error, size_t error_size)
{
	SSL_CTX *context =
		tls_new(TLS_client_method(), files, X509_PURPOSE_SSL_CLIENT, &(struct report){ error, error_size });
	if (context)
		SSL_CTX_set_alpn_protos(context, alpn_h2, sizeof alpn_h2);
	return context;
}

int64_t tls_certificate_expiry(SSL_CTX *context)
{
	struct tm when;
	if (ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(context)), &when) != 1)
		return 0;
	return timegm(&when);
}

bool tls_is_h2(const SSL *ssl)
{
	const unsigned char *protocol = NULL;
	unsigned length = 0;
	SSL_get0_alpn_selected(ssl, &protocol, &length);
	return length == 2 && memcmp(protocol, "h2", 2) == 0;
}

int tls_peer_identity(const SSL *ssl, const char *trust_domain, struct identity *out)
{
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	GENERAL_NAMES *names = certificate ? X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL) : NULL;
	const ASN1_IA5STRING *uri = NULL;
	int uris = 0;
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		if (name->type == GEN_URI) {
			uri = name->d.uniformResourceIdentifier;
			uris++;
		}
	}
	int rc = -1;
	if (uris == 1)
		rc = identity_parse(
			(const char *)ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri), trust_domain, out);
	GENERAL_NAMES_free(names);
	return rc;
}

void tls_forget_peer_key(SSL *ssl)
{
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	EVP_PKEY *key = certificate ? X509_get0_pubkey(certificate) : NULL;
	/* Of another type it is an empty one: cheaper than a key in its place. */
	if (key && EVP_PKEY_set_type(key, EVP_PKEY_ED25519) != 1)
		ERR_clear_error();
}

static void *wiping_alloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return mem_try_alloc(size);
}

static void *wiping_realloc(void *block, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	if (size > 0)
		return mem_try_realloc(block, size);
	mem_free(block);
	return NULL;
}

static void wiping_free(void *block, const char *file, int line)
{
	(void)file;
	(void)line;
	mem_free(block);
}

int tls_wipe_on_free(void)
{
	return CRYPTO_set_mem_functions(wiping_alloc, wiping_realloc, wiping_free) == 1 ? 0 : -1;
}
