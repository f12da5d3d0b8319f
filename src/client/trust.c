#include "client/trust.h"

#include "client/status.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

SSL *trust_ssl_new(SSL_CTX *tls, const char *server_name)
{
	SSL *ssl = SSL_new(tls);
	unsigned char address[16];
	int named;

	if (ssl == NULL)
		return NULL;
	if (inet_pton(AF_INET, server_name, address) == 1 || inet_pton(AF_INET6, server_name, address) == 1)
		named = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), server_name);
	else /* SNI takes no address (RFC 6066 section 3) */
		named = SSL_set1_host(ssl, server_name) == 1 && SSL_set_tlsext_host_name(ssl, server_name) == 1;
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	SSL_set_mode(
		ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	if (named != 1) {
		SSL_free(ssl);
		return NULL;
	}
	return ssl;
}

/* The alert that the server sent, RFC 8446 section 6; -1: none. */
static int received_alert(void)
{
	unsigned long error = ERR_peek_last_error();
	int reason = ERR_GET_REASON(error);

	if (ERR_GET_LIB(error) != ERR_LIB_SSL || reason < SSL_AD_REASON_OFFSET)
		return -1;
	return reason - SSL_AD_REASON_OFFSET;
}

bool trust_verdict(const SSL *ssl, const char *peer, const char *server_name, struct needtoknow_status *status)
{
	long verified = SSL_get_verify_result(ssl);

	if (verified != X509_V_OK) {
		bool name = verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH;
		client_status_set(status, NEEDTOKNOW_UNAUTHENTICATED, NEEDTOKNOW_REASON_SERVER_NOT_TRUSTED,
			"the certificate of %s is not trusted: %s%s%s", peer, X509_verify_cert_error_string(verified),
			name ? ", it should name " : "", name ? server_name : "");
		return true;
	}
	switch (received_alert()) {
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_REVOKED:
	case SSL_AD_CERTIFICATE_EXPIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_UNKNOWN_CA:
	case SSL_AD_ACCESS_DENIED:
	case SSL_AD_CERTIFICATE_REQUIRED:
		client_status_set(status, NEEDTOKNOW_UNAUTHENTICATED, NEEDTOKNOW_REASON_CLIENT_NOT_TRUSTED,
			"%s refuses our certificate: %s", peer, SSL_alert_desc_string_long(received_alert()));
		return true;
	default:
		return false;
	}
}

const char *trust_describe(const SSL *ssl, int result, int system_error)
{
	int reason = SSL_get_error(ssl, result);
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	if (reason == SSL_ERROR_SSL && text != NULL)
		return text;
	if (reason == SSL_ERROR_SYSCALL && system_error != 0)
		return strerror(system_error);
	return "the server closed it";
}
