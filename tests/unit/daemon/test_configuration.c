#include "daemon/configuration.h"
#include "daemon/key_file.h"
#include "support/check.h"

#include <stdio.h>
#include <sys/stat.h>

/* A directory with every file that a configuration may name. */
static char directory[] = "/tmp/needtoknow-configuration-XXXXXX";

static const char *in_directory(const char *name)
{
	static char path[200];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(in_directory(name), "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static const char *const files[] = { "server.crt", "server.key", "ca.crt", "revoked.pem", "policy.yaml",
	"daemon.yaml" };

#define LEDGER "maison-claire.example/needtoknow"
static const struct {
	const char *file, *name;
} keys[] = { { "ledger.key", LEDGER }, { "next.key", LEDGER }, { "open.key", LEDGER },
	{ "other.key", "other.example" } };

static int make_directory(void **state)
{
	char error[300];
	struct note_signer signer;
	(void)state;
	if (mkdtemp(directory) == NULL || mkdir(in_directory("state"), 0700) != 0)
		return -1;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		write_file(files[i], "");
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (note_signer_generate(&signer, keys[i].name) != 0 ||
			key_file_write(in_directory(keys[i].file), &signer, error, sizeof error) != 0)
			return -1;
	}
	return chmod(in_directory("open.key"), 0644);
}

static int remove_directory(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		unlink(in_directory(files[i]));
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		unlink(in_directory(keys[i].file));
	rmdir(in_directory("state"));
	return rmdir(directory);
}

#define LEAST                                                                                                          \
	"listen: 127.0.0.1:8443\n"                                                                                     \
	"trust_domain: maison-claire.example\n"                                                                        \
	"tls: { certificate: server.crt, key: server.key, client_ca: ca.crt }\n"                                       \
	"database: { state: \"host=a dbname=b\", source: \"postgresql://c/d\" }\n"                                     \
	"policy: policy.yaml\n"                                                                                        \
	"state_dir: state\n"                                                                                           \
	"ledger: { signing_keys: [ledger.key] }\n"

static struct configuration *load(const char *text)
{
	char error[700] = "";
	struct configuration *configuration = NULL;
	write_file("daemon.yaml", text);
	if (configuration_load(in_directory("daemon.yaml"), &configuration, error, sizeof error) != 0)
		fail_msg("%s", error);
	return configuration;
}

static void test_what_is_left_out_has_the_default_that_is_told(void **state)
{
	(void)state;
	struct configuration *configuration = load(LEAST);
	assert_string_equal(configuration->listen.host, "127.0.0.1");
	assert_int_equal(configuration->listen.port, 8443);
	assert_false(configuration->listen.is_ipv6);
	assert_int_equal(configuration->metrics_listen.port, 0);
	assert_string_equal(configuration->trust_domain, "maison-claire.example");
	assert_null(configuration->tls.crl);
	assert_string_equal(configuration->database.state, "host=a dbname=b");
	assert_string_equal(configuration->database.source, "postgresql://c/d");
	assert_string_equal(configuration->database.audit, "host=a dbname=b");
	assert_null(configuration->database.rights);
	assert_int_equal(configuration->ledger.signing_key_count, 1);
	assert_int_equal(configuration->workers, 1);
	assert_int_equal(configuration->log_level, LOG_LEVEL_INFO);
	assert_false(configuration->strict_privileges);
	assert_int_equal(configuration->drain_timeout_ms, 10000);
	assert_int_equal(configuration->server_limits.max_connections, 0);
	assert_int_equal(configuration->service_limits.train_max_calls, 0);
	configuration_free(configuration);
}

static void test_paths_are_relative_to_the_file(void **state)
{
	(void)state;
	struct configuration *configuration = load(LEAST);
	assert_string_equal(configuration->tls.certificate, in_directory("server.crt"));
	assert_string_equal(configuration->tls.key, in_directory("server.key"));
	assert_string_equal(configuration->tls.ca, in_directory("ca.crt"));
	assert_string_equal(configuration->policy, in_directory("policy.yaml"));
	assert_string_equal(configuration->state_dir, in_directory("state"));
	configuration_free(configuration);

	/* From within the directory, the file's name has no slash. */
	char error[700], *here = getcwd(NULL, 0);
	assert_non_null(here);
	assert_int_equal(chdir(directory), 0);
	assert_int_equal(configuration_load("daemon.yaml", &configuration, error, sizeof error), 0);
	assert_string_equal(configuration->policy, "policy.yaml");
	configuration_free(configuration);
	assert_int_equal(chdir(here), 0);
	free(here);
}

static void test_every_key_is_read(void **state)
{
	(void)state;
	char text[1500];
	snprintf(text, sizeof text,
		"listen: \"[::1]:1\"\n"
		"metrics_listen: \"[::1]:65535\"\n"
		"trust_domain: a.example\n"
		"tls: { certificate: server.crt, key: server.key, client_ca: ca.crt, crl: %s/revoked.pem }\n"
		"database: { state: host=a, source: host=b, audit: host=c }\n"
		"policy: policy.yaml\n"
		"ledger: { signing_keys: [next.key, ledger.key] }\n"
		"workers: 64\n"
		"state_dir: %s/state\n"
		"log_level: debug\n"
		"strict_privileges: true\n"
		"limits:\n"
		"  max_connections: 1\n  max_streams: 2\n  max_header_bytes: 3\n  max_message_bytes: 4\n  "
		"max_queued_bytes: 5\n"
		"  max_control_frames: 6\n  handshake_timeout_ms: 7\n  idle_timeout_ms: 8\n  write_timeout_ms: 9\n"
		"  request_timeout_ms: 10\n  keepalive_ms: 11\n  train_max_calls: 12\n  call_memory: 13\n  "
		"source_timeout_ms: 14\n"
		"  max_calls: 15\n  max_wait_ms: 16\n  drain_timeout_ms: 4294967295\n",
		directory, directory);
	struct configuration *configuration = load(text);
	assert_string_equal(configuration->listen.host, "::1");
	assert_true(configuration->listen.is_ipv6);
	assert_int_equal(configuration->metrics_listen.port, 65535);
	assert_string_equal(configuration->tls.crl, in_directory("revoked.pem"));
	assert_string_equal(configuration->database.audit, "host=c");
	assert_int_equal(configuration->ledger.signing_key_count, 2);
	for (size_t i = 0; i < 2; i++) {
		char error[300];
		struct note_signer signer;
		assert_int_equal(
			key_file_read(in_directory(i == 0 ? "next.key" : "ledger.key"), &signer, error, sizeof error),
			0);
		assert_string_equal(configuration->ledger.signing_keys[i].public.name, LEDGER);
		assert_memory_equal(configuration->ledger.signing_keys[i].seed, signer.seed, sizeof signer.seed);
	}
	assert_int_equal(configuration->workers, 64);
	assert_int_equal(configuration->log_level, LOG_LEVEL_DEBUG);
	assert_true(configuration->strict_privileges);
	const struct server_limits *server = &configuration->server_limits;
	const uint32_t server_values[] = { server->max_connections, server->max_streams, server->max_header_bytes,
		server->max_message_bytes, server->max_queued_bytes, server->max_control_frames,
		server->handshake_timeout_ms, server->idle_timeout_ms, server->write_timeout_ms,
		server->request_timeout_ms, server->keepalive_ms };
	for (uint32_t i = 0; i < sizeof server_values / sizeof *server_values; i++)
		assert_int_equal(server_values[i], i + 1);
	assert_int_equal(configuration->service_limits.train_max_calls, 12);
	assert_int_equal(configuration->service_limits.call_memory, 13);
	assert_int_equal(configuration->service_limits.source_timeout_ms, 14);
	assert_int_equal(configuration->service_limits.max_calls, 15);
	assert_int_equal(configuration->service_limits.max_wait_ms, 16);
	assert_true(configuration->drain_timeout_ms == UINT32_MAX);
	configuration_free(configuration);
}

/* A limit that is added to the structs is to be added to the configuration. */
_Static_assert(sizeof(struct server_limits) == 11 * sizeof(uint32_t), "each of them is tested above");
_Static_assert(sizeof(struct service_limits) == 5 * sizeof(uint32_t), "each of them is tested above");

static void test_no_limits_may_be_said_aloud(void **state)
{
	(void)state;
	configuration_free(load(LEAST "limits: {}\n"));
}

static void expect_refusal(const char *text, const char *expected)
{
	char error[700] = "", place[300];
	struct configuration *untouched = (struct configuration *)error;
	struct configuration *configuration = untouched;
	write_file("daemon.yaml", text);
	assert_int_equal(configuration_load(in_directory("daemon.yaml"), &configuration, error, sizeof error), -1);
	assert_ptr_equal(configuration, untouched);
	snprintf(place, sizeof place, "%s:%s", in_directory("daemon.yaml"), expected);
	if (strncmp(error, place, strlen(place)) != 0)
		fail_msg("expected %s, got %s", place, error);
}

/* LEAST with one line instead of that which starts with the same key. */
static void expect_line_refused(const char *line, const char *expected)
{
	char text[1000] = "";
	size_t key = strcspn(line, ":") + 1, used = 0;
	for (const char *old = LEAST; *old != '\0'; old = strchr(old, '\n') + 1) {
		const char *next = strncmp(old, line, key) == 0 ? line : old;
		used += (size_t)snprintf(text + used, sizeof text - used, "%.*s\n", (int)strcspn(next, "\n"), next);
	}
	expect_refusal(text, expected);
}

static void test_bad_values_are_refused_with_their_place(void **state)
{
	(void)state;
	static const struct {
		const char *line, *expected;
	} lines[] = {
		{ "listen: localhost:8443",
			"1:9: `listen`: found `localhost:8443`; allowed: a numeric address and a port" },
		{ "listen: 127.0.0.1", "1:9: `listen`: found `127.0.0.1`" },
		{ "listen: \"127.0.0.1:\"", "1:9: `listen`" },
		{ "listen: 127.0.0.1:0", "1:9: `listen`" },
		{ "listen: 127.0.0.1:08443", "1:9: `listen`" },
		{ "listen: 127.0.0.1:65536", "1:9: `listen`" },
		{ "listen: 127.0.0.1:123456", "1:9: `listen`" },
		{ "listen: 127.0.0.1:84a", "1:9: `listen`" },
		{ "listen: 127.0.0.256:8443", "1:9: `listen`" },
		{ "listen: ::1:8443", "1:9: `listen`" },
		{ "listen: \"[::1:8443\"", "1:9: `listen`" },
		{ "listen: \"[::1]8443\"", "1:9: `listen`" },
		{ "listen: \"[\"", "1:9: `listen`" },
		{ "listen: \"[127.0.0.1]:8443\"", "1:9: `listen`" },
		{ "listen: \":8443\"", "1:9: `listen`" },
		{ "listen: 1111111111111111111111111111111111111111111111111111111:1", "1:9: `listen`" },
		{ "listen: [a]", "1:9: `listen`: found a list" },
		{ "trust_domain: Maison.example", "2:15: `trust_domain`: found `Maison.example`" },
		{ "trust_domain: spiffe://a", "2:15: `trust_domain`" },
		{ "trust_domain: {}", "2:15: `trust_domain`: found a map" },
		{ "tls: { key: server.key, client_ca: ca.crt }",
			"3:1: `tls`: tls needs `certificate`, which is missing" },
		{ "tls: { certificate: server.crt, key: server.key }", "3:1: `tls`: tls needs `client_ca`" },
		{ "tls: none", "3:6: `tls`: found a text" },
		{ "tls: { certificate: server.pem, key: server.key, client_ca: ca.crt }",
			"3:21: `certificate`: the file /tmp/needtoknow-" },
		{ "tls: { certificate: state, key: server.key, client_ca: ca.crt }",
			"3:21: `certificate`: /tmp/needtoknow-" },
		{ "tls: { certificate: \"\", key: server.key, client_ca: ca.crt }",
			"3:21: `certificate`: found nothing" },
		{ "database: { state: host=a }", "4:1: `database`: database needs `source`" },
		{ "database: { state: \"host\", source: host=b }", "4:20: `state`: not a connection string" },
		{ "database: { state: \"\", source: host=b }", "4:20: `state`: found nothing" },
		{ "database: { state: host=a, source: [host=b] }", "4:36: `source`: found a list" },
		{ "database: { state: host=a, sauce: host=b }",
			"4:28: database has no key `sauce` (did you mean `source`?)" },
		{ "policy: polizy.yaml", "5:9: `policy`: the file /tmp/needtoknow-" },
		{ "policy: state", "5:9: `policy`: /tmp/needtoknow-" },
		{ "state_dir: nowhere", "6:12: `state_dir`: the directory /tmp/needtoknow-" },
		{ "state_dir: policy.yaml", "6:12: `state_dir`: " },
		{ "state_dir: ~", "6:12: `state_dir`: found nothing" },
		{ "ledger: {}", "7:9: `ledger`: found" },
		{ "ledger: { signing_key: [ledger.key] }",
			"7:11: ledger has no key `signing_key` (did you mean `signing_keys`?)" },
		{ "ledger: { signing_keys: ledger.key }", "7:25: `signing_keys`: found a text" },
		{ "ledger: { signing_keys: [] }", "7:25: `signing_keys`: found" },
		{ "ledger: { signing_keys: [a, b, c] }", "7:25: `signing_keys`: found 3; allowed: one, or two" },
		{ "ledger: { signing_keys: [[ledger.key]] }", "7:26: " },
		{ "ledger: { signing_keys: [nowhere.key] }", "7:26: `signing_keys`: /tmp/needtoknow-" },
		{ "ledger: { signing_keys: [state] }", "7:26: `signing_keys`: /tmp/needtoknow-" },
		{ "ledger: { signing_keys: [open.key] }", "7:26: `signing_keys`: /tmp/needtoknow-" },
		{ "ledger: { signing_keys: [policy.yaml] }", "7:26: `signing_keys`: /tmp/needtoknow-" },
		{ "ledger: { signing_keys: [ledger.key, ledger.key] }", "7:38: `signing_keys`: /tmp/needtoknow-" },
		{ "ledger: { signing_keys: [ledger.key, other.key] }", "7:38: `signing_keys`: /tmp/needtoknow-" },
	};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		expect_line_refused(lines[i].line, lines[i].expected);
}

static void test_more_keys_are_refused_with_their_place(void **state)
{
	(void)state;
	static const struct {
		const char *line, *expected;
	} lines[] = {
		{ "metrics_listen: 0.0.0.0:9443\n",
			"8:17: `metrics_listen`: found `0.0.0.0:9443`; allowed: a loopback address" },
		{ "metrics_listen: 10.0.0.1:9443\n", "8:17: `metrics_listen`" },
		{ "workers: 0\n", "8:10: `workers`: found `0`" },
		{ "workers: 65\n", "8:10: `workers`: found `65`; allowed: 1 to 64" },
		{ "workers: two\n", "8:10: `workers`: found `two`" },
		{ "workers: \"2\"\n", "8:10: `workers`: found `2`" },
		{ "log_level: verbose\n", "8:12: `log_level`: found `verbose`; allowed: error, warning, info, debug" },
		{ "strict_privileges: yes\n", "8:20: `strict_privileges`: found `yes`" },
		{ "strict_privilege: true\n",
			"8:1: the configuration has no key `strict_privilege` (did you mean `strict_privileges`?)" },
		{ "limits: { max_calls: 0 }\n", "8:22: `max_calls`: found `0`" },
		{ "limits: { max_calls: -1 }\n", "8:22: `max_calls`: found `-1`" },
		{ "limits: { max_calls: 4294967296 }\n", "8:22: `max_calls`: found `4294967296`" },
		{ "limits: { max_call: 1 }\n", "8:11: limits has no key `max_call` (did you mean `max_calls`?)" },
		{ "limits: none\n", "8:9: `limits`: found a text" },
		{ "listen: 127.0.0.1:1\n", "8:1: `listen` is given twice: first in line 1" },
	};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		char text[1000];
		snprintf(text, sizeof text, "%s%s", LEAST, lines[i].line);
		expect_refusal(text, lines[i].expected);
	}
}

static void test_what_must_be_there_is_asked_for(void **state)
{
	(void)state;
	for (const char *left_out = LEAST; *left_out != '\0'; left_out = strchr(left_out, '\n') + 1) {
		char text[1000], expected[100];
		size_t length = strcspn(left_out, "\n") + 1, before = (size_t)(left_out - LEAST);
		snprintf(text, sizeof text, "%.*s%s", (int)before, LEAST, left_out + length);
		snprintf(expected, sizeof expected, "1:1: the configuration needs `%.*s`, which is missing",
			(int)strcspn(left_out, ":"), left_out);
		expect_refusal(text, expected);
	}
	expect_refusal("", " the file is empty");
}

/* libpq would quote it. */
static void test_a_password_is_in_no_message(void **state)
{
	(void)state;
	static const char *const strings[] = { "host=a password='s3cret", "host=a password s3cret",
		"postgresql://u:s3cret@[::1/d" };
	for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
		char error[700], text[1000];
		struct configuration *configuration;
		snprintf(text, sizeof text, "listen: 127.0.0.1:1\ndatabase: { state: \"%s\", source: host=b }\n",
			strings[i]);
		write_file("daemon.yaml", text);
		assert_int_equal(
			configuration_load(in_directory("daemon.yaml"), &configuration, error, sizeof error), -1);
		assert_null(strstr(error, "s3cret"));
	}
}

static void test_the_file_itself(void **state)
{
	(void)state;
	char error[700];
	struct configuration *configuration;
	assert_int_equal(configuration_load("/nowhere/daemon.yaml", &configuration, error, sizeof error), -1);
	assert_string_equal(error, "/nowhere/daemon.yaml: cannot be read: No such file or directory");
	assert_int_equal(configuration_load(directory, &configuration, error, sizeof error), -1);
	assert_non_null(strstr(error, "Is a directory"));
	assert_int_equal(configuration_load("/dev/zero", &configuration, error, sizeof error), -1);
	assert_string_equal(error, "/dev/zero: cannot be read: File too large");
	configuration_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_left_out_has_the_default_that_is_told),
		cmocka_unit_test(test_paths_are_relative_to_the_file),
		cmocka_unit_test(test_every_key_is_read),
		cmocka_unit_test(test_no_limits_may_be_said_aloud),
		cmocka_unit_test(test_bad_values_are_refused_with_their_place),
		cmocka_unit_test(test_more_keys_are_refused_with_their_place),
		cmocka_unit_test(test_what_must_be_there_is_asked_for),
		cmocka_unit_test(test_a_password_is_in_no_message),
		cmocka_unit_test(test_the_file_itself),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
