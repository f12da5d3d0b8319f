#ifndef NEEDTOKNOW_TESTS_CERTIFICATES_H
#define NEEDTOKNOW_TESTS_CERTIFICATES_H

#include <openssl/x509.h>

/* Certificates for tests, made on the spot. Whatever fails ends the test program. */
struct authority {
	X509 *certificate;
	EVP_PKEY *key;
};

struct authority *authority_new(const char *name);
void authority_free(struct authority *authority);
/* Its certificate, in PEM. */
void authority_write(const struct authority *authority, const char *path);

struct leaf {
	const char *subject_alt_name; /* as in openssl.cnf; NULL: none */
	const char *usage; /* extended key usage; NULL: none */
	long from, until; /* seconds from now */
	long serial;
};

/* `<path>.crt` and `<path>.key` (mode 0600). */
void authority_issue(const struct authority *authority, const struct leaf *leaf, const char *path);
/* A revocation list with one serial number in it, good until `until` seconds from now. */
void authority_revoke(const struct authority *authority, long serial, long until, const char *path);

#endif
