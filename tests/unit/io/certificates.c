#include "certificates.h"

#include "base/memory.h"

#include <assert.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

#define DAY (24L * 3600)

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	assert(extension);
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
}

static X509 *certificate_new(const char *name, EVP_PKEY *key, long serial, long from, long until)
{
	X509 *certificate = X509_new();
	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
	X509_gmtime_adj(X509_getm_notBefore(certificate), from);
	X509_gmtime_adj(X509_getm_notAfter(certificate), until);
	X509_set_pubkey(certificate, key);
	X509_NAME_add_entry_by_txt(
		X509_get_subject_name(certificate), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	return certificate;
}

struct authority *authority_new(const char *name)
{
	struct authority *authority = mem_calloc(1, sizeof *authority);
	authority->key = EVP_EC_gen("P-256");
	authority->certificate = certificate_new(name, authority->key, 1, -DAY, DAY);
	X509_set_issuer_name(authority->certificate, X509_get_subject_name(authority->certificate));
	add_extension(authority->certificate, authority->certificate, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(authority->certificate, authority->certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
	X509_sign(authority->certificate, authority->key, EVP_sha256());
	return authority;
}

void authority_free(struct authority *authority)
{
	X509_free(authority->certificate);
	EVP_PKEY_free(authority->key);
	mem_free(authority);
}

static BIO *open_file(const char *path, const char *suffix)
{
	char name[512];
	snprintf(name, sizeof name, "%s%s", path, suffix);
	unlink(name);
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert(fd >= 0);
	return BIO_new_fd(fd, BIO_CLOSE);
}

static void write_certificate(X509 *certificate, const char *path, const char *suffix)
{
	BIO *bio = open_file(path, suffix);
	PEM_write_bio_X509(bio, certificate);
	BIO_free(bio);
}

void authority_write(const struct authority *authority, const char *path)
{
	write_certificate(authority->certificate, path, "");
}

void authority_issue(const struct authority *authority, const struct leaf *leaf, const char *path)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = certificate_new("leaf", key, leaf->serial, leaf->from, leaf->until);
	X509_set_issuer_name(certificate, X509_get_subject_name(authority->certificate));
	add_extension(certificate, authority->certificate, NID_basic_constraints, "CA:FALSE");
	if (leaf->subject_alt_name)
		add_extension(certificate, authority->certificate, NID_subject_alt_name, leaf->subject_alt_name);
	if (leaf->usage)
		add_extension(certificate, authority->certificate, NID_ext_key_usage, leaf->usage);
	X509_sign(certificate, authority->key, EVP_sha256());
	write_certificate(certificate, path, ".crt");
	BIO *bio = open_file(path, ".key");
	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	BIO_free(bio);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

void authority_revoke(const struct authority *authority, long serial, long until, const char *path)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *last = X509_gmtime_adj(NULL, -2 * DAY), *next = X509_gmtime_adj(NULL, until);
	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(authority->certificate));
	X509_CRL_set1_lastUpdate(crl, last);
	X509_CRL_set1_nextUpdate(crl, next);
	X509_REVOKED *revoked = X509_REVOKED_new();
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	ASN1_INTEGER_set(number, serial);
	X509_REVOKED_set_serialNumber(revoked, number);
	X509_REVOKED_set_revocationDate(revoked, last);
	X509_CRL_add0_revoked(crl, revoked);
	X509_CRL_sign(crl, authority->key, EVP_sha256());
	BIO *bio = open_file(path, "");
	PEM_write_bio_X509_CRL(bio, crl);
	BIO_free(bio);
	ASN1_INTEGER_free(number);
	ASN1_TIME_free(last);
	ASN1_TIME_free(next);
	X509_CRL_free(crl);
}
