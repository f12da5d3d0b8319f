/* Who is let in, and what the operator is told when the files are wrong. */
#include "io/tls.h"

#include "transport_scene.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define DAY (24L * 3600)
#define BOOKING "URI:spiffe://maison-claire.example/booking/desk"

static int begin(void **state)
{
	*state = scene_new();
	return 0;
}

static int end(void **state)
{
	scene_free(*state);
	return 0;
}

static void issue(struct scene *scene, const char *name, const struct leaf *leaf)
{
	char path[128];
	authority_issue(scene->authority, leaf, scene_path(scene, name, path));
}

/* Handshakes. */

static struct peer *peer_with(struct scene *scene, const char *certificate)
{
	return peer_new(scene, &(struct peer_options){ .certificate = certificate });
}

static void assert_let_in(struct scene *scene, const char *certificate)
{
	struct peer *peer = peer_with(scene, certificate);
	struct response *response = peer_send(peer, "/test/Echo", "x");
	scene_until(scene, response->closed);
	assert_string_equal(response->grpc_status, "0");
}

/* A TLS 1.3 client is done before the server has looked at its certificate: it learns of the refusal when it reads. */
static void assert_refused(struct scene *scene, const struct peer_options *options)
{
	uint64_t failed = server_counters(scene->server)->handshakes_failed;
	struct peer *peer = peer_new(scene, options);
	peer_send(peer, "/test/Echo", "x");
	scene_until(scene, peer->gone);
	assert_int_equal(peer->responses[0].length, 0);
	assert_int_equal(server_counters(scene->server)->handshakes_failed, failed + 1);
	assert_int_equal(scene->seen_count, 0);
}

static void lets_in_a_certificate_of_ours(void **state)
{
	scene_serve(*state, NULL);
	assert_let_in(*state, "booking");
}

static void refuses_no_certificate(void **state)
{
	scene_serve(*state, NULL);
	assert_refused(*state, &(struct peer_options){ 0 });
}

static void refuses_a_certificate_of_another_authority(void **state)
{
	struct scene *scene = *state;
	struct authority *other = authority_new("authority");
	char path[128];
	authority_issue(
		other, &(struct leaf){ BOOKING, "clientAuth", -DAY, DAY, 7 }, scene_path(scene, "foreign", path));
	authority_free(other);
	scene_serve(scene, NULL);
	assert_refused(scene, &(struct peer_options){ .certificate = "foreign" });
}

static void refuses_an_expired_certificate(void **state)
{
	struct scene *scene = *state;
	issue(scene, "expired", &(struct leaf){ BOOKING, "clientAuth", -2 * DAY, -60, 7 });
	scene_serve(scene, NULL);
	assert_refused(scene, &(struct peer_options){ .certificate = "expired" });
}

static void refuses_a_certificate_of_tomorrow(void **state)
{
	struct scene *scene = *state;
	issue(scene, "early", &(struct leaf){ BOOKING, "clientAuth", DAY, 2 * DAY, 7 });
	scene_serve(scene, NULL);
	assert_refused(scene, &(struct peer_options){ .certificate = "early" });
}

static void refuses_a_certificate_for_servers(void **state)
{
	struct scene *scene = *state;
	issue(scene, "purpose", &(struct leaf){ BOOKING, "serverAuth", -DAY, DAY, 7 });
	scene_serve(scene, NULL);
	assert_refused(scene, &(struct peer_options){ .certificate = "purpose" });
}

static void refuses_older_tls(void **state)
{
	scene_serve(*state, NULL);
	assert_refused(*state, &(struct peer_options){ .certificate = "booking", .tls12 = true });
}

static void refuses_what_does_not_ask_for_h2(void **state)
{
	scene_serve(*state, NULL);
	assert_refused(*state, &(struct peer_options){ .certificate = "booking", .no_alpn = true });
}

static void answers_who_is_nobody(void **state)
{
	static const char *const names[] = { NULL, "DNS:desk.maison-claire.example",
		"URI:spiffe://elsewhere.example/booking/desk", "URI:spiffe://maison-claire.example/boss/desk",
		"URI:spiffe://maison-claire.example/booking",
		BOOKING ",URI:spiffe://maison-claire.example/auditor/dpo" };
	struct scene *scene = *state;
	scene_serve(scene, NULL);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		issue(scene, "nobody", &(struct leaf){ names[i], "clientAuth", -DAY, DAY, 7 });
		struct response *response = peer_send(peer_with(scene, "nobody"), "/test/Echo", "x");
		scene_until(scene, response->closed);
		assert_string_equal(response->status, "200");
		assert_string_equal(response->grpc_status, "16");
		assert_non_null(strstr(response->grpc_message, "spiffe://maison-claire.example/<role>/<name>"));
		assert_true(response->details);
	}
	assert_int_equal(scene->seen_count, 0);
	issue(scene, "somebody",
		&(struct leaf){ BOOKING ",DNS:desk.maison-claire.example", "clientAuth", -DAY, DAY, 8 });
	assert_let_in(scene, "somebody");
}

/* Files. */

struct paths {
	char certificate[128], key[128], ca[128], crl[128];
};

static struct tls_files files_of(struct scene *scene, const char *name, struct paths *paths)
{
	char file[64];
	snprintf(file, sizeof file, "%s.crt", name);
	scene_path(scene, file, paths->certificate);
	snprintf(file, sizeof file, "%s.key", name);
	scene_path(scene, file, paths->key);
	return (struct tls_files){ paths->certificate, paths->key, scene_path(scene, "ca.crt", paths->ca), NULL };
}

static void assert_refuses_files(const struct tls_files *files, const char *why)
{
	char error[512] = "";
	assert_null(tls_server_new(files, error, sizeof error));
	print_message("  %s\n", error);
	assert_non_null(strstr(error, why));
	assert_null(strchr(error, '\n'));
}

static void says_which_file_is_missing(void **state)
{
	struct paths paths;
	struct tls_files files = files_of(*state, "server", &paths), missing = files;
	missing.certificate = "/nowhere/server.crt";
	assert_refuses_files(&missing, "certificate /nowhere/server.crt: No such file");
	missing = files;
	missing.key = "/nowhere/server.key";
	assert_refuses_files(&missing, "key /nowhere/server.key: No such file");
	missing = files;
	missing.ca = "/nowhere/ca.crt";
	assert_refuses_files(&missing, "CA /nowhere/ca.crt: No such file");
	missing.ca = NULL;
	assert_refuses_files(&missing, "no CA is configured");
	missing = files;
	missing.crl = "/nowhere/crl";
	assert_refuses_files(&missing, "CRL /nowhere/crl: No such file");
	missing.crl = "";
	assert_refuses_files(&missing, "no CRL is configured");
}

static void says_which_file_is_not_what_it_should_be(void **state)
{
	struct scene *scene = *state;
	struct paths paths;
	struct tls_files files = files_of(scene, "server", &paths), wrong = files;
	char other[128];
	wrong.certificate = files.key;
	assert_refuses_files(&wrong, "certificate ");
	wrong = files;
	wrong.ca = files.key;
	assert_refuses_files(&wrong, "CA ");
	wrong = files;
	wrong.key = scene_path(scene, "booking.key", other);
	assert_refuses_files(&wrong, "is not the key of the certificate");
	wrong.key = scene->directory;
	assert_refuses_files(&wrong, "key ");
	wrong = files;
	wrong.crl = files.ca;
	assert_refuses_files(&wrong, "holds no revocation list");
}

static void refuses_own_certificates_that_would_fail_everybody(void **state)
{
	struct scene *scene = *state;
	struct paths paths;
	issue(scene, "own", &(struct leaf){ "DNS:localhost", "serverAuth", -2 * DAY, -60, 7 });
	struct tls_files files = files_of(scene, "own", &paths);
	assert_refuses_files(&files, "has expired");
	issue(scene, "own", &(struct leaf){ "DNS:localhost", "serverAuth", DAY, 2 * DAY, 7 });
	assert_refuses_files(&files, "is not valid yet");
	issue(scene, "own", &(struct leaf){ "DNS:localhost", "clientAuth", -DAY, DAY, 7 });
	assert_refuses_files(&files, "serverAuth");

	char error[512] = "";
	issue(scene, "own", &(struct leaf){ "DNS:localhost", "serverAuth", -DAY, DAY, 7 });
	assert_null(tls_client_new(&files, error, sizeof error));
	assert_non_null(strstr(error, "clientAuth"));
}

static void refuses_a_key_that_others_can_read(void **state)
{
	struct paths paths;
	struct tls_files files = files_of(*state, "server", &paths);
	char error[512] = "";
	static const mode_t refused[] = { 0604, 0660, 0666, 0644, 0620 };
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		chmod(files.key, refused[i]);
		assert_refuses_files(&files, "can be read or written by others");
	}
	/* Root's may be read by a group; anybody else's may not. */
	chmod(files.key, 0640);
	if (geteuid() == 0) {
		SSL_CTX *tls = tls_server_new(&files, error, sizeof error);
		assert_string_equal(error, "");
		SSL_CTX_free(tls);
		assert_int_equal(chown(files.key, 65534, (gid_t)-1), 0);
		assert_refuses_files(&files, "belongs to neither this user nor root");
	} else {
		assert_refuses_files(&files, "can be read or written by others");
	}
}

static void tells_when_its_certificate_expires(void **state)
{
	struct scene *scene = *state;
	struct paths paths;
	char error[512] = "";
	const struct tls_files files = files_of(scene, "booking", &paths);
	SSL_CTX *tls = tls_client_new(&files, error, sizeof error);
	assert_string_equal(error, "");
	assert_in_range(tls_certificate_expiry(tls) - time(NULL), DAY - 60, DAY);
	SSL_CTX_free(tls);
}

/* Revocation, which takes effect for new connections with server_set_tls(). */
static void refuses_a_revoked_certificate(void **state)
{
	struct scene *scene = *state;
	struct paths paths;
	char error[512] = "";
	struct tls_files files = files_of(scene, "server", &paths);
	issue(scene, "lost", &(struct leaf){ BOOKING, "clientAuth", -DAY, DAY, 4711 });
	scene_serve(scene, NULL);
	assert_let_in(scene, "lost");
	struct peer *present = scene->peers;

	authority_revoke(scene->authority, 4711, DAY, scene_path(scene, "crl.pem", paths.crl));
	files.crl = paths.crl;
	SSL_CTX *tls = tls_server_new(&files, error, sizeof error);
	assert_string_equal(error, "");
	server_set_tls(scene->server, tls);
	SSL_CTX_free(tls);
	scene->seen_count = 0;
	assert_refused(scene, &(struct peer_options){ .certificate = "lost" });
	assert_let_in(scene, "booking");
	assert_false(present->gone);

	authority_revoke(scene->authority, 4711, -60, paths.crl);
	assert_refuses_files(&files, "is out of date");
}

#define tls_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		tls_test(lets_in_a_certificate_of_ours),
		tls_test(refuses_no_certificate),
		tls_test(refuses_a_certificate_of_another_authority),
		tls_test(refuses_an_expired_certificate),
		tls_test(refuses_a_certificate_of_tomorrow),
		tls_test(refuses_a_certificate_for_servers),
		tls_test(refuses_older_tls),
		tls_test(refuses_what_does_not_ask_for_h2),
		tls_test(answers_who_is_nobody),
		tls_test(says_which_file_is_missing),
		tls_test(says_which_file_is_not_what_it_should_be),
		tls_test(refuses_own_certificates_that_would_fail_everybody),
		tls_test(refuses_a_key_that_others_can_read),
		tls_test(tells_when_its_certificate_expires),
		tls_test(refuses_a_revoked_certificate),
	};
	signal(SIGPIPE, SIG_IGN);
	/* Before OpenSSL is used for anything else; so that the tests run with the wiping allocator, as the daemon
	 * does. */
	if (tls_wipe_on_free() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
