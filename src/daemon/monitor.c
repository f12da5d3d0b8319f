#include "daemon/monitor.h"

#include "base/memory.h"

#include <assert.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#define TIMEOUT_SECONDS 5
#define HEADERS_MAX 8192
#define BODY_MAX 1024 /* a GET has none */

struct monitor {
	struct evhttp *http;
	struct evhttp_bound_socket *bound; /* http's */
	struct metrics *metrics;
};

static void reply(struct evhttp_request *request, int code, const char *type, struct evbuffer *body)
{
	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", type);
	evhttp_add_header(evhttp_request_get_output_headers(request), "Cache-Control", "no-store");
	evhttp_send_reply(request, code, code == HTTP_OK ? "OK" : "Service Unavailable", body);
	evbuffer_free(body);
}

static struct evbuffer *new_body(void)
{
	struct evbuffer *body = evbuffer_new();
	assert(body);
	return body;
}

static void tell(struct evhttp_request *request, bool well, const char *sentence)
{
	struct evbuffer *body = new_body();
	evbuffer_add_printf(body, "%s\n", sentence);
	reply(request, well ? HTTP_OK : HTTP_SERVUNAVAIL, "text/plain; charset=utf-8", body);
}

static void get_metrics(struct evhttp_request *request, void *context)
{
	const struct monitor *monitor = context;
	struct evbuffer *body = new_body();
	metrics_write(monitor->metrics, body);
	reply(request, HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", body);
}

static void get_health(struct evhttp_request *request, void *context)
{
	const struct monitor *monitor = context;
	bool alive = metrics_alive(monitor->metrics) + metrics_elders(monitor->metrics) > 0;
	tell(request, alive, alive ? "alive" : "no worker is alive");
}

static void get_ready(struct evhttp_request *request, void *context)
{
	const struct monitor *monitor = context;
	bool ready = metrics_serving(monitor->metrics) + metrics_elders(monitor->metrics) > 0;
	tell(request, ready, metrics_why(monitor->metrics));
}

static const struct {
	const char *path;
	void (*get)(struct evhttp_request *request, void *context);
} paths[] = {
	{ "/metrics", get_metrics },
	{ "/healthz", get_health },
	{ "/readyz", get_ready },
};

struct monitor *monitor_new(
	struct loop *loop, const struct listen_address *address, int socket, struct metrics *metrics)
{
	struct evhttp *http = evhttp_new(loop_base(loop));
	assert(http);
	struct evhttp_bound_socket *bound = socket >= 0
		? evhttp_accept_socket_with_handle(http, socket)
		: evhttp_bind_socket_with_handle(http, address->host, address->port);
	if (!bound) {
		evhttp_free(http);
		return NULL;
	}
	struct monitor *monitor = mem_calloc(1, sizeof *monitor);
	*monitor = (struct monitor){ .http = http, .bound = bound, .metrics = metrics };
	evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_timeout(http, TIMEOUT_SECONDS);
	evhttp_set_max_headers_size(http, HEADERS_MAX);
	evhttp_set_max_body_size(http, BODY_MAX);
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		evhttp_set_cb(http, paths[i].path, paths[i].get, monitor);
	return monitor;
}

int monitor_socket(const struct monitor *monitor)
{
	return (int)evhttp_bound_socket_get_fd(monitor->bound);
}

void monitor_free(struct monitor *monitor)
{
	if (!monitor)
		return;
	evhttp_free(monitor->http);
	mem_free(monitor);
}
