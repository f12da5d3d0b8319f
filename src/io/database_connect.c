#include "base/memory.h"
#include "io/database_internal.h"
#include "io/database_wipe.h"

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACK_OFF_SHORTEST INT64_C(200000) /* the wait is between half of it and all of it */
#define BACK_OFF_LONGEST INT64_C(2000000) /* a fail-over is to be noticed within seconds, however long it took */
#define ATTEMPT_OF_SEVERAL INT64_C(2000000) /* where another host may answer, one that does not is not waited for */
#define ADDRESSES_MAX 16 /* of one name */
#define SETTINGS_MAX 96 /* of a connection; libpq 15 knows 46 */

/* The one place where the state changes. `delay` in microseconds, of the timer: see database_on_timer(). */
static void enter(struct database *database, enum database_state state, int64_t delay)
{
	database->state = state;
	database->timer_set = delay >= 0;
	if (delay >= 0)
		loop_timer_set(&database->timer, delay);
	else
		loop_timer_clear(&database->timer);
}

/* For one attempt. As libpq would, which knows no clock when it does not block: `connect_timeout`, at least 2 s. */
static int64_t connect_timeout(const struct database *database)
{
	int64_t longest = (int64_t)database->config.connect_timeout_ms * 1000;
	const char *asked = database_hosts_setting(&database->hosts, "connect_timeout");
	long seconds = asked ? strtol(asked, NULL, 10) : 0;
	if (seconds > 0 && seconds < INT32_MAX)
		return (seconds < 2 ? 2 : seconds) * INT64_C(1000000);
	return database->hosts.count > 1 && longest > ATTEMPT_OF_SEVERAL ? ATTEMPT_OF_SEVERAL : longest;
}

static int64_t answer_timeout(const struct database *database)
{
	return (int64_t)database->config.answer_timeout_ms * 1000;
}

/* Trouble */

/* One line: libpq breaks its messages, and indents advice. */
static void append_line(char *line, size_t size, const char *text)
{
	size_t length = strlen(line);
	if (length > 0 && length + 2 < size) {
		memcpy(line + length, "; ", 2);
		length += 2;
	}
	for (bool space = true; *text && length + 1 < size; text++) {
		bool blank = *text == '\n' || *text == '\t' || *text == ' ';
		if (!blank || !space)
			line[length++] = blank ? ' ' : *text;
		space = blank;
	}
	while (length > 0 && line[length - 1] == ' ')
		length--;
	line[length] = '\0';
}

static void report(struct database *database)
{
	if (strcmp(database->trouble, database->reported) != 0 && database->handler.on_trouble)
		database->handler.on_trouble(database->handler.context, database->trouble);
	snprintf(database->reported, sizeof database->reported, "%s", database->trouble);
	database->trouble[0] = '\0';
}

static void back_off(struct database *database)
{
	uint32_t random;
	evutil_secure_rng_get_bytes(&random, sizeof random);
	int64_t longest = database->back_off ? database->back_off : BACK_OFF_SHORTEST;
	database->back_off = 2 * longest < BACK_OFF_LONGEST ? 2 * longest : BACK_OFF_LONGEST;
	enter(database, STATE_WAITING, longest / 2 + random % (longest / 2));
}

static void forget_addresses(struct database *database)
{
	mem_free(database->addresses);
	database->addresses = NULL;
	database->address_count = 0;
}

/* On to the next address or host; when all were tried, the reasons are reported together and a pause is made. */
static void attempt_failed(struct database *database, const char *reason)
{
	if (reason != database->trouble)
		append_line(database->trouble, sizeof database->trouble, reason);
	size_t host = database->cursor.host;
	bool more = host_cursor_advance(&database->cursor, &database->hosts, database->address_count);
	if (!more || database->cursor.host != host || database->cursor.address == 0)
		forget_addresses(database);
	if (more) {
		enter(database, STATE_WAITING, 0);
	} else {
		report(database);
		back_off(database);
	}
}

/* Looking names up */

/* Belongs to its callback, which comes even when the look-up was cancelled. */
struct lookup {
	struct database *database; /* NULL once cancelled */
	struct evdns_getaddrinfo_request *request;
};

static void keep_addresses(struct database *database, const struct evutil_addrinfo *found)
{
	database->addresses = mem_calloc(ADDRESSES_MAX, sizeof *database->addresses);
	for (; found && database->address_count < ADDRESSES_MAX; found = found->ai_next) {
		const void *binary = NULL;
		if (found->ai_family == AF_INET)
			binary = &((const struct sockaddr_in *)(const void *)found->ai_addr)->sin_addr;
		else if (found->ai_family == AF_INET6)
			binary = &((const struct sockaddr_in6 *)(const void *)found->ai_addr)->sin6_addr;
		char *text = database->addresses[database->address_count];
		if (binary && evutil_inet_ntop(found->ai_family, binary, text, INET6_ADDRSTRLEN))
			database->address_count++;
	}
}

static void on_looked_up(int error, struct evutil_addrinfo *found, void *context)
{
	struct lookup *lookup = context;
	struct database *database = lookup->database;
	mem_free(lookup);
	if (database) {
		database->lookup = NULL;
		forget_addresses(database);
		if (!error)
			keep_addresses(database, found);
		if (database->address_count > 0) {
			enter(database, STATE_WAITING, 0);
		} else {
			char reason[300];
			snprintf(reason, sizeof reason, "could not look up the host name \"%s\": %s",
				database->hosts.hosts[database->cursor.host].host,
				error ? evutil_gai_strerror(error) : "it has no address");
			attempt_failed(database, reason);
		}
	}
	if (found)
		evutil_freeaddrinfo(found);
}

static void cancel_lookup(struct database *database)
{
	if (database->lookup) {
		database->lookup->database = NULL;
		evdns_getaddrinfo_cancel(database->lookup->request);
		database->lookup = NULL;
	}
	if (database->resolver)
		evdns_base_free(database->resolver, 1);
	database->resolver = NULL;
}

static void look_up(struct database *database, const char *name)
{
	static const struct evutil_addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_protocol = IPPROTO_TCP,
		.ai_flags = EVUTIL_AI_ADDRCONFIG };
	/* Anew each time: resolv.conf and hosts may have changed, as they do when a network comes up. */
	database->resolver = evdns_base_new(loop_base(database->loop), EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (!database->resolver) {
		attempt_failed(database, "the resolver cannot start");
		return;
	}
	evdns_base_resolv_conf_parse(database->resolver, DNS_OPTIONS_ALL, "/etc/resolv.conf");
	enter(database, STATE_RESOLVING, connect_timeout(database));
	struct lookup *lookup = mem_calloc(1, sizeof *lookup);
	lookup->database = database;
	database->lookup = lookup;
	struct evdns_getaddrinfo_request *request =
		evdns_getaddrinfo(database->resolver, name, NULL, &hints, on_looked_up, lookup);
	if (request) /* else it was in /etc/hosts, on_looked_up() was called, and `lookup` is gone */
		lookup->request = request;
}

/* Setting the session up */

static void add_setting(struct database *database, const char *name, const char *value)
{
	char text[128];
	snprintf(text, sizeof text, "SET %s = '%s'", name, value);
	database_add_text(database, text);
}

static void add_timeout(struct database *database, const char *name, uint32_t milliseconds)
{
	char value[32];
	snprintf(value, sizeof value, "%ums", (unsigned)milliseconds);
	if (milliseconds > 0)
		add_setting(database, name, value);
}

static void add_listen(struct database *database)
{
	const char *channel = database->config.listen;
	char *quoted = PQescapeIdentifier(database->connection, channel, strlen(channel));
	char text[256];
	if (!quoted || snprintf(text, sizeof text, "LISTEN %s", quoted) >= (int)sizeof text)
		database_fail(database, "the channel to listen on has no usable name");
	else
		database_add_text(database, text);
	PQfreemem(quoted);
}

static void on_set_up(void *context, const struct database_outcome *outcome)
{
	struct database *database = context;
	if (outcome->result == DATABASE_LOST)
		return;
	if (outcome->result == DATABASE_FAILED) {
		char reason[400];
		snprintf(reason, sizeof reason, "the session could not be set up: %s", outcome->message);
		database_fail(database, reason);
		return;
	}
	enter(database, STATE_UP, -1);
	database->was_up = true;
	database->back_off = 0;
	database->trouble[0] = database->reported[0] = '\0';
	if (database->handler.on_up)
		database->handler.on_up(database->handler.context);
	if (database->config.listen && database->handler.on_notify)
		database->handler.on_notify(database->handler.context, NULL);
}

/* By SET rather than by `options`, which belong to the connection string. */
static void set_up(struct database *database)
{
	static const char *const always[][2] = {
		{ "TimeZone", "UTC" },
		{ "DateStyle", "ISO" },
		{ "IntervalStyle", "postgres" },
		{ "bytea_output", "hex" },
		{ "standard_conforming_strings", "on" },
		{ "idle_in_transaction_session_timeout", "5s" },
	};
	static const char *const keyed[][2] = {
		{ "plan_cache_mode", "force_generic_plan" },
		{ "enable_seqscan", "off" },
		{ "enable_bitmapscan", "off" },
		{ "enable_hashjoin", "off" },
		{ "enable_mergejoin", "off" },
		{ "jit", "off" },
	};
	enter(database, STATE_SETTING_UP, connect_timeout(database));
	segment_open(database, true);
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		add_setting(database, always[i][0], always[i][1]);
	for (size_t i = 0; database->config.keyed_plans && i < sizeof keyed / sizeof *keyed; i++)
		add_setting(database, keyed[i][0], keyed[i][1]);
	add_timeout(database, "lock_timeout", database->config.lock_timeout_ms);
	add_timeout(database, "statement_timeout", database->config.statement_timeout_ms);
	if (database->config.listen)
		add_listen(database);
	database_send(database, on_set_up, database);
}

/* Connecting */

static void free_events(struct database *database)
{
	if (database->config.urgent)
		loop_urge(database->loop, NULL);
	if (database->readable)
		event_free(database->readable);
	if (database->writable)
		event_free(database->writable);
	database->readable = database->writable = NULL;
}

void database_disconnect(struct database *database)
{
	cancel_lookup(database);
	free_events(database); /* while the socket is still ours */
	if (!database->connection)
		return;
	if (database->config.wipe)
		database_wipe_connection(database->connection);
	PQfinish(database->connection);
	database->connection = NULL;
	database->unflushed = false;
}

static void connect_failed(struct database *database, const char *reason)
{
	char line[400] = "";
	append_line(line, sizeof line, reason); /* a copy: it may be the connection's */
	database_disconnect(database);
	attempt_failed(database, line);
}

static void on_ready(evutil_socket_t socket, short events, void *context)
{
	(void)socket;
	(void)events;
	struct database *database = context;
	if (database->state == STATE_FAILING)
		return;
	if (database->config.urgent) {
		database_hurry(database);
		return;
	}
	database_receive(database);
	loop_heed(database->loop);
}

static bool is_awaited(const void *context)
{
	const struct database *database = context;
	return database->oldest && database->state == STATE_UP;
}

/* Why this connection cannot serve, or NULL. */
static const char *unfit(const struct database *database)
{
	PGconn *connection = database->connection;
	if (PQserverVersion(connection) < 150000)
		return "the server is older than PostgreSQL 15";
	if (database->config.wipe && PQgssEncInUse(connection))
		return "GSS encryption keeps copies of values that cannot be wiped: use TLS, and gssencmode=disable";
	if (database->config.wipe && !database_wipe_fits(connection))
		return "libpq is not the one that this program was built for, and its buffers could not be wiped";
	if (PQsetnonblocking(connection, 1) != 0 || !PQenterPipelineMode(connection))
		return "libpq cannot enter pipeline mode";
	return NULL;
}

static void connected(struct database *database)
{
	const char *reason = unfit(database);
	if (reason) {
		connect_failed(database, reason);
		return;
	}
	SSL *tls = PQsslStruct(database->connection, "OpenSSL");
	if (tls && database->config.wipe)
		SSL_set_options(
			tls, SSL_OP_CLEANSE_PLAINTEXT); /* records are decrypted in place, and would stay there */
	int socket = PQsocket(database->connection);
	struct event_base *base = loop_base(database->loop);
	database->readable = event_new(base, socket, EV_READ | EV_PERSIST, on_ready, database);
	database->writable = event_new(base, socket, EV_WRITE | EV_PERSIST, on_ready, database);
	event_add(database->readable, NULL);
	if (database->config.urgent) {
		database->urgent = (struct loop_urgent){
			.fd = socket, .wanted = is_awaited, .ready = database_hurry, .context = database
		};
		loop_urge(database->loop, &database->urgent);
	}
	set_up(database);
}

static void on_connect_ready(evutil_socket_t socket, short events, void *context);

/* The socket may be another after each PQconnectPoll(), under the same number even; so the event is made anew. */
static void await_socket(struct database *database, short events)
{
	database->readable = event_new(
		loop_base(database->loop), PQsocket(database->connection), events, on_connect_ready, database);
	event_add(database->readable, NULL);
}

static void on_connect_ready(evutil_socket_t socket, short events, void *context)
{
	(void)socket;
	(void)events;
	struct database *database = context;
	free_events(database);
	switch (PQconnectPoll(database->connection)) {
	case PGRES_POLLING_READING:
		await_socket(database, EV_READ);
		break;
	case PGRES_POLLING_WRITING:
		await_socket(database, EV_WRITE);
		break;
	case PGRES_POLLING_OK:
		connected(database);
		break;
	default:
		connect_failed(database, PQerrorMessage(database->connection));
	}
}

/* For PQconnectStartParams(). */
struct settings {
	const char *keywords[SETTINGS_MAX], *values[SETTINGS_MAX];
	size_t count;
};

static void put(struct settings *settings, const char *keyword, const char *value)
{
	assert(settings->count + 1 < SETTINGS_MAX);
	settings->keywords[settings->count] = keyword;
	settings->values[settings->count] = value;
	settings->count++;
}

static void put_defaults(struct settings *settings, const struct database_hosts *hosts)
{
	static const char *const defaults[][2] = {
		{ "keepalives_idle", "10" }, /* seconds; a dead peer is noticed within half a minute */
		{ "keepalives_interval", "5" }, { "keepalives_count", "3" },
		{ "tcp_user_timeout", "20000" }, /* milliseconds */
		{ "gssencmode", "disable" }, /* Kerberos libraries block, and look names up */
	};
	for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++) {
		if (!database_hosts_setting(hosts, defaults[i][0]))
			put(settings, defaults[i][0], defaults[i][1]);
	}
}

static void connect_to(struct database *database, const struct database_host *host)
{
	const struct database_hosts *hosts = &database->hosts;
	struct settings settings = { .count = 0 };
	char application[64];
	snprintf(application, sizeof application, "needtoknow %s", database->config.name);
	put(&settings, "fallback_application_name", application); /* before the string's own, which may name another */
	put_defaults(&settings, hosts);
	for (size_t i = 0; i < hosts->setting_count; i++)
		put(&settings, hosts->keywords[i], hosts->values[i]);
	put(&settings, "client_encoding", "UTF8");
	put(&settings, "host", host->host);
	put(&settings, "hostaddr", database->addresses ? database->addresses[database->cursor.address] : host->address);
	put(&settings, "port", host->port);
	if (hosts->prefer_standby)
		put(&settings, "target_session_attrs", database->cursor.any ? "any" : "standby");
	database->connection = PQconnectStartParams(settings.keywords, settings.values, 0);
	if (!database->connection) {
		attempt_failed(database, "no memory for a connection");
		return;
	}
	PQsetNoticeReceiver(database->connection, database_count_notice, database);
	enter(database, STATE_CONNECTING, connect_timeout(database));
	if (PQstatus(database->connection) == CONNECTION_BAD)
		connect_failed(database, PQerrorMessage(database->connection));
	else
		await_socket(database, EV_WRITE);
}

static void try_next(struct database *database)
{
	cancel_lookup(database); /* it has answered, but its resolver could not be freed from within its own callback */
	if (database->hosts.count == 0 &&
		database_hosts_init(&database->hosts, database->config.conninfo, database->trouble,
			sizeof database->trouble) != 0) {
		report(database);
		back_off(database);
		return;
	}
	const struct database_host *host = &database->hosts.hosts[database->cursor.host];
	if (database_host_is_name(host) && !database->addresses)
		look_up(database, host->host);
	else
		connect_to(database, host);
}

/* The end of a connection, and of a wait */

void database_fail(struct database *database, const char *reason)
{
	if (database->state == STATE_FAILING)
		return;
	if (!database->trouble[0])
		append_line(database->trouble, sizeof database->trouble, reason);
	enter(database, STATE_FAILING,
		0); /* the turn's end takes it down; the timer brings a turn when none is under way */
}

void database_take_down(struct database *database)
{
	bool was_up = database->was_up;
	database->was_up = false;
	database_disconnect(database);
	database_lose_segments(database, database->trouble);
	if (!was_up) {
		attempt_failed(database, database->trouble);
		return;
	}
	if (database->handler.on_down)
		database->handler.on_down(database->handler.context);
	report(database);
	database->cursor = (struct host_cursor){ 0 };
	forget_addresses(database);
	back_off(database);
}

void database_await_answer(struct database *database)
{
	if (database->state == STATE_UP && !database->timer_set)
		enter(database, STATE_UP, answer_timeout(database));
}

static void check_answer(struct database *database)
{
	database->timer_set = false;
	if (!database->oldest)
		return;
	int64_t left = database->oldest->sent_at + answer_timeout(database) - loop_now(database->loop);
	if (left > 0) {
		enter(database, STATE_UP, left);
		return;
	}
	char reason[64];
	snprintf(reason, sizeof reason, "no answer within %u ms", (unsigned)database->config.answer_timeout_ms);
	database_fail(database, reason);
}

void database_on_timer(void *context)
{
	struct database *database = context;
	char reason[300];
	switch (database->state) {
	case STATE_WAITING:
		try_next(database);
		break;
	case STATE_RESOLVING:
		snprintf(reason, sizeof reason, "looking up \"%s\" took too long",
			database->hosts.hosts[database->cursor.host].host);
		connect_failed(database, reason);
		break;
	case STATE_CONNECTING:
		snprintf(reason, sizeof reason, "connecting to %s took over %u ms", PQhost(database->connection),
			(unsigned)(connect_timeout(database) / 1000));
		connect_failed(database, reason);
		break;
	case STATE_SETTING_UP:
		database_fail(database, "setting the session up took too long");
		break;
	case STATE_UP:
		check_answer(database);
		break;
	case STATE_FAILING: /* there is a turn now */
		break;
	}
}
