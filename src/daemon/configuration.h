#ifndef NEEDTOKNOW_DAEMON_CONFIGURATION_H
#define NEEDTOKNOW_DAEMON_CONFIGURATION_H

#include "base/log.h"
#include "io/server.h"
#include "io/tls.h"
#include "pure/note.h"
#include "service/service.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The daemon's configuration file (YAML). Paths in it are relative to the file's own directory; here they are whole. A
 * key that is unknown, a value that is not of its kind, a file that is not there: the start is refused, with file, line
 * and column, what was found, what is allowed and the nearest known name. Nothing is ever left out because it could not
 * be read.
 *
 * - listen, trust_domain, tls {certificate, key, client_ca}, database {state, source}, policy, ledger {signing_keys}
 * and state_dir must be there
 * - metrics_listen [none: no metrics port]: a loopback address
 * - tls.crl [none], database.audit [database.state], database.rights [none: no access, rectification, erasure]
 * - workers [1]: at most WORKERS_MAX
 * - log_level [info]
 * - strict_privileges [false]: rights beyond the policy's are an error rather than a warning
 * - sweep_columns [false]: what the policy's retention.columns say is erased; then database.rights must be there
 * - limits: each member of struct server_limits and struct service_limits by its name, and drain_timeout_ms
 */
#define WORKERS_MAX 64
#define SIGNING_KEYS_MAX 2 /* two while one takes over from the other */
#define ADDRESS_TEXT_MAX 46 /* INET6_ADDRSTRLEN */

/* A numeric address: a name would need a resolver, and might become another address. */
struct listen_address {
	char host[ADDRESS_TEXT_MAX]; /* without brackets */
	uint16_t port; /* 0: none was given */
	bool is_ipv6;
};

struct configuration {
	struct listen_address listen;
	struct listen_address metrics_listen; /* port 0: no metrics */
	const char *trust_domain;
	struct tls_files tls;
	struct {
		const char *state, *source;
		const char *audit; /* the state's when none was given */
		const char *rights; /* NULL: none was given, and what needs the company's functions is refused */
	} database; /* libpq's connection strings; may hold passwords: never logged */
	const char *policy;
	struct {
		struct note_signer signing_keys[SIGNING_KEYS_MAX]; /* of one name, the ledger's */
		size_t signing_key_count;
	} ledger;
	const char *state_dir;
	uint32_t workers;
	enum log_level log_level;
	bool strict_privileges;
	bool sweep_columns;
	struct server_limits server_limits; /* 0: its default */
	struct service_limits service_limits; /* 0: its default */
	uint32_t drain_timeout_ms; /* [10000] */
};

/* 0, or -1 and in `error` one line for the operator: `file:line:column: what is wrong`. */
int configuration_load(const char *path, struct configuration **out, char *error, size_t error_size);
/* NULL is allowed. */
void configuration_free(struct configuration *configuration);

#endif
