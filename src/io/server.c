#include "io/server.h"

#include "base/memory.h"
#include "io/server_connection.h"
#include "io/server_limits.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define MILLISECOND INT64_C(1000)
#define ACCEPTS_PER_TURN 64
/* Out of descriptors or memory, accepting again at once would only spin. */
#define ACCEPT_PAUSE_MS 100
/* Longer than a round trip to any client that still answers. */
#define GOAWAY_INTERVAL_MS 1000
#define LISTENERS_MAX 16

struct server {
	struct loop_hook hook;
	struct event *listeners[LISTENERS_MAX];
	size_t listener_count;
	struct loop_timer accept_timer;
	struct loop_timer goaway_timer, drain_timer;
	void (*drained)(void *context); /* NULL: not draining, or told */
	void *drained_context;
	char *trust_domain;
	struct server_connections connections;
};

/* Accepting. */

static void server_accept_anew(void *context)
{
	struct server *server = context;
	for (size_t i = 0; i < server->listener_count; i++)
		event_add(server->listeners[i], NULL);
}

static void server_pause_accepting(struct server *server)
{
	for (size_t i = 0; i < server->listener_count; i++)
		event_del(server->listeners[i]);
	loop_timer_set(&server->accept_timer, ACCEPT_PAUSE_MS * MILLISECOND);
}

static void server_accepted(struct server *server, int fd)
{
	struct server_counters *counters = &server->connections.host.counters;
	counters->connections_accepted++;
	if (counters->connections_open >= server->connections.host.limits.max_connections) {
		counters->connections_refused++;
		close(fd);
		return;
	}
	server_connection_new(&server->connections, fd);
}

static void server_acceptable(evutil_socket_t socket, short what, void *context)
{
	struct server *server = context;
	(void)what;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			server_accepted(server, fd);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			server_pause_accepting(server);
		/* What is wrong with one that was waiting (ECONNABORTED, a network's error) says nothing of the next.
		 */
		if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

int server_listen(struct server *server, int socket)
{
	assert(server->listener_count < LISTENERS_MAX);
	struct event *event = event_new(
		loop_base(server->connections.host.loop), socket, EV_READ | EV_PERSIST, server_acceptable, server);
	if (!event || event_add(event, NULL) != 0) {
		if (event)
			event_free(event);
		errno = ENOMEM;
		return -1;
	}
	server->listeners[server->listener_count++] = event;
	return 0;
}

static void server_stop_listening(struct server *server)
{
	for (size_t i = 0; i < server->listener_count; i++)
		event_free(server->listeners[i]);
	server->listener_count = 0;
	loop_timer_clear(&server->accept_timer);
}

/* Life. */

static void server_tell_drained(struct server *server)
{
	void (*drained)(void *context) = server->drained;
	server->drained = NULL;
	loop_timer_clear(&server->goaway_timer);
	loop_timer_clear(&server->drain_timer);
	drained(server->drained_context);
}

static int server_flush(void *context)
{
	struct server *server = context;
	bool told = server_connections_flush(&server->connections);
	if (server->drained && !server->connections.all) {
		server_tell_drained(server);
		return 1;
	}
	return told;
}

static void server_goaway(void *context)
{
	struct server *server = context;
	server_connections_drain_on(&server->connections);
	loop_timer_set(&server->goaway_timer, GOAWAY_INTERVAL_MS * MILLISECOND);
}

static void server_end(void *context)
{
	struct server *server = context;
	server_connections_end(&server->connections);
}

struct server *server_new(struct loop *loop, const struct server_config *config, const struct server_handler *handler)
{
	struct server *server = mem_calloc(1, sizeof *server);
	struct server_connections *connections = &server->connections;
	/* OpenSSL writes with write(2): a peer that has gone must be an error, not a signal. */
	signal(SIGPIPE, SIG_IGN);
	server->trust_domain = mem_strdup(config->trust_domain);
	connections->host = (struct http2_host){
		.loop = loop, .trust_domain = server->trust_domain, .limits = config->limits, .handler = *handler
	};
	server_limits_complete(&connections->host.limits);
	server_set_tls(server, config->tls);
	loop_timer_init(&server->accept_timer, loop, server_accept_anew, server);
	loop_timer_init(&server->goaway_timer, loop, server_goaway, server);
	loop_timer_init(&server->drain_timer, loop, server_end, server);
	server->hook = (struct loop_hook){ .run = server_flush, .context = server };
	loop_hook_add(loop, LOOP_PHASE_SERVER, &server->hook);
	int rc = server_connections_init(connections);
	assert(rc == 0);
	return server;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	server_stop_listening(server);
	server_connections_release(&server->connections);
	loop_hook_remove(server->connections.host.loop, LOOP_PHASE_SERVER, &server->hook);
	loop_timer_release(&server->accept_timer);
	loop_timer_release(&server->goaway_timer);
	loop_timer_release(&server->drain_timer);
	SSL_CTX_free(server->connections.tls);
	mem_free(server->trust_domain);
	mem_free(server);
}

void server_set_tls(struct server *server, SSL_CTX *tls)
{
	SSL_CTX_up_ref(tls);
	SSL_CTX_free(server->connections.tls);
	server->connections.tls = tls;
}

void server_drain(struct server *server, uint32_t timeout_ms, void (*done)(void *context), void *context)
{
	assert(!server->drained);
	server->drained = done;
	server->drained_context = context;
	server_stop_listening(server);
	server_connections_drain(&server->connections);
	loop_timer_set(&server->goaway_timer, GOAWAY_INTERVAL_MS * MILLISECOND);
	loop_timer_set(&server->drain_timer, timeout_ms * MILLISECOND);
}

const struct server_counters *server_counters(const struct server *server)
{
	return &server->connections.host.counters;
}

void server_close_recipient(struct server *server, const char *recipient_id, const char *device)
{
	server_connections_close_recipient(&server->connections, recipient_id, device);
}

size_t server_drop(struct server *server, const uint8_t tag[16])
{
	const struct http2_values *values = &server->connections.host.values;
	size_t died = 0;
	/* First what has not begun to leave, which touches nothing else; dropping the rest may take its whole stream
	 * along. */
	for (struct http2_message *message = http2_values_first(values, tag), *next; message; message = next) {
		next = http2_values_next(message);
		if (message->pulled == 0) {
			http2_session_drop(message);
			died++;
		}
	}
	for (struct http2_message *message; (message = http2_values_first(values, tag)); died++)
		http2_session_drop(message);
	return died;
}
