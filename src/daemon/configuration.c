#include "daemon/configuration.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "daemon/key_file.h"
#include "pure/yaml_reader.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define TRUST_DOMAIN_MAX 255 /* SPIFFE-ID section 2.1 */

/* The configuration and the memory that it points into. */
struct loaded {
	struct configuration configuration; /* the first member: what is handed out */
	struct arena *arena;
};

/* `127.0.0.1:8443` or `[::1]:8443`. */
static int parse_address(const char *text, struct listen_address *out)
{
	struct listen_address address = { .is_ipv6 = *text == '[' };
	const char *colon = strrchr(text, ':');
	const char *host = text + address.is_ipv6;
	if (colon == NULL || colon < host || (address.is_ipv6 && colon[-1] != ']'))
		return -1;
	size_t length = (size_t)(colon - host) - address.is_ipv6;
	if (length >= sizeof address.host)
		return -1;
	memcpy(address.host, host, length);

	unsigned char binary[sizeof(struct in6_addr)];
	if (inet_pton(address.is_ipv6 ? AF_INET6 : AF_INET, address.host, binary) != 1)
		return -1;
	size_t digits = strspn(colon + 1, "0123456789");
	if (digits == 0 || digits > 5 || colon[1 + digits] != '\0' || colon[1] == '0')
		return -1;
	unsigned long port = strtoul(colon + 1, NULL, 10);
	if (port > UINT16_MAX)
		return -1;
	address.port = (uint16_t)port;
	*out = address;
	return 0;
}

static bool is_loopback(const struct listen_address *address)
{
	return strncmp(address->host, "127.", 4) == 0 || strcmp(address->host, "::1") == 0;
}

static int read_address(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	if (value->kind != YAML_KIND_TEXT || parse_address(value->text, member) != 0)
		return yaml_refuse_text(
			reader, value, "a numeric address and a port, such as 127.0.0.1:8443 or [::1]:8443");
	return 0;
}

static int read_loopback_address(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	struct listen_address address;
	if (value->kind != YAML_KIND_TEXT || parse_address(value->text, &address) != 0 || !is_loopback(&address))
		return yaml_refuse_text(
			reader, value, "a loopback address and a port, such as 127.0.0.1:9443 or [::1]:9443");
	*(struct listen_address *)member = address;
	return 0;
}

static int read_trust_domain(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	const char *allowed = "lower-case letters, digits, `.`, `-` and `_`, at most 255 of them";
	if (value->kind != YAML_KIND_TEXT)
		return yaml_refuse_text(reader, value, allowed);
	size_t length = strlen(value->text);
	if (length == 0 || length > TRUST_DOMAIN_MAX ||
		strspn(value->text, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != length)
		return yaml_refuse_text(reader, value, allowed);
	*(const char **)member = value->text;
	return 0;
}

/* Relative to the configuration file's directory, which is the reader's context: "" or ending with a slash. */
static const char *whole_path(struct yaml_reader *reader, const char *path)
{
	const char *directory = *path == '/' ? "" : reader->context;
	const char *whole = arena_printf(reader->arena, "%s%s", directory, path);
	assert(whole != NULL);
	return whole;
}

static int read_file(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	const char *text;
	if (yaml_read_text(reader, value, &text) != 0)
		return -1;
	const char *path = whole_path(reader, text);
	struct stat status;
	if (stat(path, &status) != 0 || access(path, R_OK) != 0)
		return yaml_refuse(
			reader, value, "`%s`: the file %s cannot be read: %s", value->key, path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return yaml_refuse(reader, value, "`%s`: %s is not a file", value->key, path);
	*(const char **)member = path;
	return 0;
}

static int read_directory(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	const char *text;
	if (yaml_read_text(reader, value, &text) != 0)
		return -1;
	const char *path = whole_path(reader, text);
	struct stat status;
	if (stat(path, &status) != 0 || access(path, R_OK | W_OK | X_OK) != 0)
		return yaml_refuse(reader, value, "`%s`: the directory %s cannot be written to: %s", value->key, path,
			strerror(errno));
	if (!S_ISDIR(status.st_mode))
		return yaml_refuse(reader, value, "`%s`: %s is not a directory", value->key, path);
	*(const char **)member = path;
	return 0;
}

/* libpq's own message would quote parts of the string, and so parts of a password. */
static int read_connection_string(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	if (value->kind != YAML_KIND_TEXT || *value->text == '\0')
		return yaml_refuse_text(reader, value, "a connection string of libpq");
	PQconninfoOption *options = PQconninfoParse(value->text, NULL);
	if (options == NULL)
		return yaml_refuse(reader, value,
			"`%s`: not a connection string of libpq; allowed: \"host=... dbname=... user=...\" or "
			"postgresql://...",
			value->key);
	PQconninfoFree(options);
	*(const char **)member = value->text;
	return 0;
}

static int read_workers(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	uint32_t workers;
	if (yaml_read_count(reader, value, &workers) != 0)
		return -1;
	if (workers > WORKERS_MAX)
		return yaml_refuse_text(reader, value, "1 to 64");
	*(uint32_t *)member = workers;
	return 0;
}
_Static_assert(WORKERS_MAX == 64, "the message says so");

static int read_log_level(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	static const struct yaml_word words[] = {
		{ "error", LOG_LEVEL_ERROR },
		{ "warning", LOG_LEVEL_WARNING },
		{ "info", LOG_LEVEL_INFO },
		{ "debug", LOG_LEVEL_DEBUG },
	};
	int level;
	if (yaml_read_word(reader, value, words, COUNT_OF(words), &level) != 0)
		return -1;
	*(enum log_level *)member = (enum log_level)level;
	return 0;
}

static const struct yaml_key tls_keys[] = {
	{ "certificate", read_file, offsetof(struct tls_files, certificate), true,
		"a PEM file: the server's chain, leaf first" },
	{ "key", read_file, offsetof(struct tls_files, key), true, "a PEM file: the server's private key" },
	{ "client_ca", read_file, offsetof(struct tls_files, ca), true, "a PEM file: who signs clients' certificates" },
	{ "crl", read_file, offsetof(struct tls_files, crl), false, "a PEM file: revoked certificates" },
};
static const struct yaml_map tls_map = { "tls", COUNT_OF(tls_keys), tls_keys };

static int read_tls(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	return yaml_read_map(reader, value, &tls_map, member);
}

#define DATABASE_MEMBER(name) offsetof(struct configuration, database.name)

static const struct yaml_key database_keys[] = {
	{ "state", read_connection_string, DATABASE_MEMBER(state), true, "a connection string of libpq" },
	{ "source", read_connection_string, DATABASE_MEMBER(source), true, "a connection string of libpq" },
	{ "audit", read_connection_string, DATABASE_MEMBER(audit), false, "a connection string of libpq" },
	{ "rights", read_connection_string, DATABASE_MEMBER(rights), false, "a connection string of libpq" },
};
static const struct yaml_map database_map = { "database", COUNT_OF(database_keys), database_keys };

static int read_database(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	struct configuration *configuration = member;
	if (yaml_read_map(reader, value, &database_map, configuration) != 0)
		return -1;
	if (configuration->database.audit == NULL)
		configuration->database.audit = configuration->database.state;
	return 0;
}

/* One of the list's files, behind those that were read before it. */
static int read_signing_key(
	struct yaml_reader *reader, const struct yaml_value *value, struct configuration *configuration)
{
	char error[400];
	const char *text;
	struct note_signer *keys = configuration->ledger.signing_keys;
	size_t count = configuration->ledger.signing_key_count;
	if (yaml_read_text(reader, value, &text) != 0)
		return -1;
	const char *path = whole_path(reader, text);
	if (key_file_read(path, &keys[count], error, sizeof error) != 0)
		return yaml_refuse(reader, value, "`signing_keys`: %s", error);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(keys[i].public.name, keys[count].public.name) != 0)
			return yaml_refuse(reader, value,
				"`signing_keys`: %s is a key of %s, the one before it of %s: a ledger has one name",
				path, keys[count].public.name, keys[i].public.name);
		if (memcmp(keys[i].public.key, keys[count].public.key, sizeof keys[i].public.key) == 0)
			return yaml_refuse(reader, value, "`signing_keys`: %s is the same key twice", path);
	}
	configuration->ledger.signing_key_count++;
	return 0;
}

static int read_signing_keys(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	if (yaml_expect_list(reader, value, "key files") != 0)
		return -1;
	if (value->count > SIGNING_KEYS_MAX)
		return yaml_refuse(reader, value,
			"`signing_keys`: found %zu; allowed: one, or two while one takes over from the other",
			value->count);
	for (const struct yaml_value *key = value->first; key != NULL; key = key->next) {
		if (read_signing_key(reader, key, member) != 0)
			return -1;
	}
	return 0;
}

static const struct yaml_key ledger_keys[] = {
	{ "signing_keys", read_signing_keys, 0, true, "one file that `needtoknowd keygen` made, or two" },
};
static const struct yaml_map ledger_map = { "ledger", COUNT_OF(ledger_keys), ledger_keys };

static int read_ledger(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	return yaml_read_map(reader, value, &ledger_map, member);
}

#define SERVER_LIMIT(name)                                                                                             \
	{                                                                                                              \
#name, yaml_read_count, offsetof(struct configuration, server_limits.name), false, ""                  \
	}
#define SERVICE_LIMIT(name)                                                                                            \
	{                                                                                                              \
#name, yaml_read_count, offsetof(struct configuration, service_limits.name), false, ""                 \
	}

static const struct yaml_key limit_keys[] = {
	SERVER_LIMIT(max_connections),
	SERVER_LIMIT(max_streams),
	SERVER_LIMIT(max_header_bytes),
	SERVER_LIMIT(max_message_bytes),
	SERVER_LIMIT(max_queued_bytes),
	SERVER_LIMIT(max_control_frames),
	SERVER_LIMIT(handshake_timeout_ms),
	SERVER_LIMIT(idle_timeout_ms),
	SERVER_LIMIT(write_timeout_ms),
	SERVER_LIMIT(request_timeout_ms),
	SERVER_LIMIT(keepalive_ms),
	SERVICE_LIMIT(train_max_calls),
	SERVICE_LIMIT(call_memory),
	SERVICE_LIMIT(source_timeout_ms),
	SERVICE_LIMIT(max_calls),
	SERVICE_LIMIT(max_wait_ms),
	{ "drain_timeout_ms", yaml_read_count, offsetof(struct configuration, drain_timeout_ms), false, "" },
};
static const struct yaml_map limit_map = { "limits", COUNT_OF(limit_keys), limit_keys };

static int read_limits(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	if (value->kind == YAML_KIND_MAP && value->count == 0)
		return 0; /* `limits: {}`: all defaults, said aloud */
	return yaml_read_map(reader, value, &limit_map, member);
}

#define MEMBER(name) offsetof(struct configuration, name)

static const struct yaml_key file_keys[] = {
	{ "listen", read_address, MEMBER(listen), true, "127.0.0.1:8443 or [::1]:8443" },
	{ "metrics_listen", read_loopback_address, MEMBER(metrics_listen), false, "127.0.0.1:9443 or [::1]:9443" },
	{ "trust_domain", read_trust_domain, MEMBER(trust_domain), true,
		"that of the SPIFFE ids, such as company.example" },
	{ "tls", read_tls, MEMBER(tls), true, "certificate, key, client_ca, crl; there is no mode without it" },
	{ "database", read_database, 0, true, "state, source, audit, rights" },
	{ "policy", read_file, MEMBER(policy), true, "the policy file" },
	{ "ledger", read_ledger, 0, true, "signing_keys" },
	{ "workers", read_workers, MEMBER(workers), false, "1 to 64" },
	{ "state_dir", read_directory, MEMBER(state_dir), true, "a directory that only the daemon writes to" },
	{ "log_level", read_log_level, MEMBER(log_level), false, "error, warning, info or debug" },
	{ "strict_privileges", yaml_read_bool, MEMBER(strict_privileges), false, "true or false" },
	{ "sweep_columns", yaml_read_bool, MEMBER(sweep_columns), false, "true or false" },
	{ "limits", read_limits, 0, false, "limits by name" },
};
static const struct yaml_map file_map = { "the configuration", COUNT_OF(file_keys), file_keys };

/* Nobody else may call what erases them. */
static int check_sweep(
	struct yaml_reader *reader, const struct yaml_value *root, const struct configuration *configuration)
{
	if (configuration->sweep_columns && configuration->database.rights == NULL)
		return yaml_refuse(reader, yaml_tree_get(root, "sweep_columns"),
			"`sweep_columns: true` needs `rights` under `database`: the company's functions erase");
	return 0;
}

/* The whole file; 0, or -1 with errno. EFBIG: more than the buffer's maximum. */
static int read_bytes(const char *path, struct buffer *out)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return -1;
	ssize_t got;
	do {
		uint8_t *room = buffer_reserve(out, 4096);
		if (room == NULL) {
			got = -1;
			errno = EFBIG;
			break;
		}
		do
			got = read(file, room, 4096);
		while (got < 0 && errno == EINTR);
		if (got > 0)
			buffer_commit(out, (size_t)got);
	} while (got > 0);
	int saved = errno;
	close(file);
	errno = saved;
	return got == 0 ? 0 : -1;
}

int configuration_load(const char *path, struct configuration **out, char *error, size_t error_size)
{
	struct loaded *loaded = mem_calloc(1, sizeof *loaded);
	loaded->arena = arena_new(YAML_ARENA_MAX);
	loaded->configuration.workers = 1;
	loaded->configuration.log_level = LOG_LEVEL_INFO;
	loaded->configuration.drain_timeout_ms = 10000;
	struct yaml_reader reader = { .arena = loaded->arena };
	struct buffer bytes;
	buffer_init(&bytes, YAML_BYTES_MAX + 2 * 4096);
	int result = -1;

	if (read_bytes(path, &bytes) != 0) {
		snprintf(error, error_size, "%s: cannot be read: %s", path, strerror(errno));
		goto out;
	}
	const char *slash = strrchr(path, '/');
	char *directory = mem_strndup(path, slash != NULL ? (size_t)(slash + 1 - path) : 0);
	reader.context = directory;
	struct yaml_value *root = yaml_tree_parse((const char *)bytes.data, bytes.length, reader.arena, &reader.error);
	if (root != NULL)
		result = yaml_read_map(&reader, root, &file_map, &loaded->configuration);
	if (result == 0)
		result = check_sweep(&reader, root, &loaded->configuration);
	mem_free(directory);
	if (result == 0)
		*out = &loaded->configuration;
	else if (reader.error.line > 0)
		snprintf(error, error_size, "%s:%d:%d: %s", path, reader.error.line, reader.error.column,
			reader.error.message);
	else
		snprintf(error, error_size, "%s: %s", path, reader.error.message);
out:
	buffer_release(&bytes);
	if (result != 0)
		configuration_free(&loaded->configuration);
	return result;
}

void configuration_free(struct configuration *configuration)
{
	if (configuration == NULL)
		return;
	struct loaded *loaded = (struct loaded *)configuration;
	arena_free(loaded->arena);
	mem_free(loaded);
}
