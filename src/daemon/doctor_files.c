#include "daemon/doctor_files.h"

#include "base/memory.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_MAX 512

static void examine_policy(struct doctor *doctor)
{
	const struct configuration *configuration = doctor_configuration(doctor);
	struct doctor_relay relay = { .doctor = doctor, .about = "policy", .warning = DOCTOR_WARNING };
	struct policy *policy =
		check_policy(configuration, &(struct check_report){ .say = doctor_relay, .context = &relay });
	if (!policy) {
		doctor_mend(doctor, "mend that line; needtoknow policy check %s", configuration->policy);
		return;
	}
	doctor_find(doctor, DOCTOR_OK, "policy", "%s: %zu services, %zu sources, %zu fields", configuration->policy,
		policy_service_count(policy), policy_source_count(policy), policy_field_count(policy));
	doctor_take_policy(doctor, policy);
}

/* ---- certificates ---- */

/* `localhost, 127.0.0.1`: what callers may connect to. "" for none. */
static void alternative_names(const X509 *certificate, char *out, size_t size)
{
	size_t length = 0;
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	out[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		BIO *bio = BIO_new(BIO_s_mem());
		char *text = NULL;
		if (!bio)
			break;
		GENERAL_NAME_print(bio, sk_GENERAL_NAME_value(names, i));
		long written = BIO_get_mem_data(bio, &text);
		int added = snprintf(out + length, size - length, "%s%.*s", length ? ", " : "", (int)written, text);
		BIO_free(bio);
		if (added < 0 || (size_t)added >= size - length)
			break;
		length += (size_t)added;
	}
	GENERAL_NAMES_free(names);
}

/* Whole days until its end; less than 0 when it is over. */
static int days_left(const X509 *certificate)
{
	int days = 0, seconds = 0;
	if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)) != 1)
		return -1;
	return days < 0 || seconds < 0 ? -1 : days;
}

static void examine_certificate(
	struct doctor *doctor, const char *path, const X509 *certificate, bool is_leaf, const char *mend)
{
	char names[NAMES_MAX], subject[NAMES_MAX] = "";
	int days = days_left(certificate);
	enum doctor_status status = days < CERTIFICATE_WRONG_DAYS ? DOCTOR_WRONG
		: days < CERTIFICATE_WARNING_DAYS                 ? DOCTOR_WARNING
								  : DOCTOR_OK;
	alternative_names(certificate, names, sizeof names);
	X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof subject);
	if (days < 0)
		doctor_find(doctor, status, "tls", "%s: %s has expired", path, subject);
	else
		doctor_find(doctor, status, "tls", "%s: %s expires in %d day%s%s%s", path, subject, days,
			days == 1 ? "" : "s", is_leaf ? "; for " : "", is_leaf ? names : "");
	if (status != DOCTOR_OK)
		doctor_mend(doctor, "%s", mend);
	if (is_leaf && !*names) {
		doctor_find(doctor, DOCTOR_WRONG, "tls", "%s: %s has no subject alternative name: no caller accepts it",
			path, subject);
		doctor_mend(doctor, "%s", mend);
	}
}

static void examine_certificates(struct doctor *doctor, const char *path, bool is_chain, const char *mend)
{
	BIO *bio = BIO_new_file(path, "r");
	X509 *certificate;
	bool first = true;
	while (bio && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		examine_certificate(doctor, path, certificate, first && is_chain, mend);
		X509_free(certificate);
		first = false;
	}
	BIO_free(bio);
	ERR_clear_error();
}

static void examine_tls(struct doctor *doctor)
{
	char renew[1024], renew_ca[1024];
	const struct configuration *configuration = doctor_configuration(doctor);
	const struct tls_files *files = &configuration->tls;
	struct doctor_relay relay = { .doctor = doctor, .about = "tls", .warning = DOCTOR_WARNING };
	SSL_CTX *tls = check_tls(configuration, &(struct check_report){ .say = doctor_relay, .context = &relay });
	if (tls)
		doctor_find(doctor, DOCTOR_OK, "tls", "%s is the key of %s; %s can be used", files->key,
			files->certificate, files->ca);
	else
		doctor_mend(doctor, "put the right file there; needtoknowd check --offline says when it is");
	SSL_CTX_free(tls);
	snprintf(renew, sizeof renew, "put a new certificate into %s, its key into %s; systemctl reload needtoknowd",
		files->certificate, files->key);
	snprintf(renew_ca, sizeof renew_ca, "add the authority's new certificate to %s; systemctl reload needtoknowd",
		files->ca);
	examine_certificates(doctor, files->certificate, true, renew);
	examine_certificates(doctor, files->ca, false, renew_ca);
}

/* ---- ours ---- */

/* Reading the configuration has read and checked them. */
static void examine_keys(struct doctor *doctor)
{
	const struct configuration *configuration = doctor_configuration(doctor);
	for (size_t i = 0; i < configuration->ledger.signing_key_count; i++) {
		char text[NOTE_KEY_TEXT_MAX];
		note_verifier_text(&configuration->ledger.signing_keys[i].public, text);
		doctor_find(doctor, DOCTOR_OK, "ledger", "checkpoints are signed with the key that %s verifies", text);
	}
}

/* That it is there, and can be written to, reading the configuration has found. */
static void examine_state_dir(struct doctor *doctor)
{
	const char *path = doctor_configuration(doctor)->state_dir;
	struct stat status;
	if (stat(path, &status) != 0) {
		doctor_find(doctor, DOCTOR_UNKNOWN, "state_dir", "%s: %s", path, strerror(errno));
	} else if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		doctor_find(doctor, DOCTOR_WRONG, "state_dir", "%s: others than its owner may write there", path);
		doctor_mend(doctor, "chmod 0700 %s", path);
	} else if (geteuid() == 0 && status.st_uid != 0) {
		doctor_find(doctor, DOCTOR_OK, "state_dir", "%s belongs to user %lu, who must be the daemon's", path,
			(unsigned long)status.st_uid);
	} else {
		doctor_find(doctor, DOCTOR_OK, "state_dir", "%s can be written to", path);
	}
}

void doctor_files(struct doctor *doctor)
{
	doctor_find(doctor, DOCTOR_OK, "configuration", "it is understood, with each file that it names");
	examine_policy(doctor);
	examine_tls(doctor);
	examine_keys(doctor);
	examine_state_dir(doctor);
}
