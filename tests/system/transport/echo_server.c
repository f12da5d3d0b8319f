/*
 * The gRPC server of src/io without the business behind it: what tests of the transport, and measurements of it, speak
 * to.
 *
 *   transport_echo_server CERTIFICATE KEY CA [PORT]
 *
 * Prints the port it listens on. SIGTERM drains, SIGHUP reads the files again.
 */
#include "base/memory.h"
#include "io/server.h"
#include "io/tls.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DRAIN_MS 2000

struct echo {
	struct loop *loop;
	struct server *server;
	struct tls_files files;
};

/* What is left of an answer of many messages. */
struct answer {
	unsigned long count;
	size_t length;
	uint8_t message[];
};

static const struct status ok = { .code = GRPC_OK };

static void answer_nothing(struct server_stream *stream, const struct server_request *request)
{
	(void)stream;
	(void)request;
}

static void answer_once(struct server_stream *stream, const struct server_request *request)
{
	server_stream_send(stream, request->message, request->length);
	server_stream_finish(stream, &ok);
}

static void answer_and_stay(struct server_stream *stream, const struct server_request *request)
{
	server_stream_send(stream, request->message, request->length);
}

static void answer_identity(struct server_stream *stream, const struct server_request *request)
{
	const struct identity *caller = server_stream_identity(stream);
	(void)request;
	server_stream_send(stream, (const uint8_t *)caller->uri, strlen(caller->uri));
	server_stream_finish(stream, &ok);
}

static void answer_refusal(struct server_stream *stream, const struct server_request *request)
{
	(void)request;
	server_stream_finish(stream,
		&(struct status){ .code = GRPC_FAILED_PRECONDITION,
			.message = "100 % refusé\n",
			.reason = "NOT_DUE",
			.metadata = { { "due_at", "2026-11-23T12:00:00Z" } } });
}

/* As much as the peer has room for, and on when it has more. */
static void answer_on(struct server_stream *stream)
{
	struct answer *answer = server_stream_user(stream);
	if (!answer)
		return;
	while (answer->count > 0 && server_stream_credit(stream) >= answer->length) {
		server_stream_send(stream, answer->message, answer->length);
		answer->count--;
	}
	if (answer->count == 0)
		server_stream_finish(stream, &ok);
}

/* The request is `COUNT SIZE`. */
static void answer_many(struct server_stream *stream, const struct server_request *request)
{
	char text[64] = "";
	char *rest;
	if (request->length < sizeof text)
		memcpy(text, request->message, request->length);
	unsigned long count = strtoul(text, &rest, 10), length = strtoul(rest, NULL, 10);
	struct answer *answer = mem_alloc(sizeof *answer + length);
	*answer = (struct answer){ .count = count, .length = length };
	for (size_t i = 0; i < length; i++)
		answer->message[i] = (uint8_t)i;
	server_stream_set_user(stream, answer);
	answer_on(stream);
}

static const struct method {
	const char *path;
	enum server_method_kind kind;
	void (*answer)(struct server_stream *stream, const struct server_request *request);
} methods[] = {
	{ "/transport.Echo/Once", SERVER_METHOD_UNARY, answer_once },
	{ "/transport.Echo/Many", SERVER_METHOD_UNARY, answer_many },
	{ "/transport.Echo/Chat", SERVER_METHOD_BIDI, answer_and_stay },
	{ "/transport.Echo/Endless", SERVER_METHOD_ENDLESS, answer_and_stay },
	{ "/transport.Echo/Never", SERVER_METHOD_UNARY, answer_nothing },
	{ "/transport.Echo/Refuse", SERVER_METHOD_UNARY, answer_refusal },
	{ "/transport.Echo/WhoAmI", SERVER_METHOD_UNARY, answer_identity },
};

static const struct method *method_of(const char *path)
{
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (strcmp(methods[i].path, path) == 0)
			return &methods[i];
	return NULL;
}

static enum server_method_kind classify(void *context, const char *path)
{
	const struct method *method = method_of(path);
	(void)context;
	return method ? method->kind : SERVER_METHOD_UNKNOWN;
}

static void on_request(void *context, struct server_stream *stream, const struct server_request *request)
{
	(void)context;
	method_of(request->path)->answer(stream, request);
}

static void on_half_close(void *context, struct server_stream *stream)
{
	(void)context;
	server_stream_finish(stream, &ok);
}

static void on_closed(void *context, struct server_stream *stream)
{
	(void)context;
	mem_free(server_stream_user(stream));
}

static void on_writable(void *context, struct server_stream *stream)
{
	(void)context;
	answer_on(stream);
}

static void stop(void *context)
{
	struct echo *echo = context;
	loop_stop(echo->loop);
}

static void on_terminate(evutil_socket_t signal, short what, void *context)
{
	struct echo *echo = context;
	(void)signal;
	(void)what;
	server_drain(echo->server, DRAIN_MS, stop, echo);
}

static void on_hangup(evutil_socket_t signal, short what, void *context)
{
	struct echo *echo = context;
	char error[512];
	(void)signal;
	(void)what;
	SSL_CTX *tls = tls_server_new(&echo->files, error, sizeof error);
	if (!tls) {
		fprintf(stderr, "%s\n", error);
		return;
	}
	server_set_tls(echo->server, tls);
	SSL_CTX_free(tls);
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	socklen_t length = sizeof address;
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, SOMAXCONN) != 0 ||
		getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
		perror("listen");
		exit(1);
	}
	printf("%u\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	char error[512];
	if (argc < 4) {
		fprintf(stderr, "usage: %s CERTIFICATE KEY CA [PORT]\n", argv[0]);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	tls_wipe_on_free();
	struct echo echo = { .files = { .certificate = argv[1], .key = argv[2], .ca = argv[3] } };
	SSL_CTX *tls = tls_server_new(&echo.files, error, sizeof error);
	if (!tls) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	echo.loop = loop_new();
	const struct server_config config = { .trust_domain = "maison-claire.example", .tls = tls };
	const struct server_handler handler = { classify, on_request, on_half_close, on_closed, on_writable, &echo };
	echo.server = server_new(echo.loop, &config, &handler);
	SSL_CTX_free(tls);
	int listener = listen_on(argc > 4 ? (uint16_t)strtoul(argv[4], NULL, 10) : 0);
	server_listen(echo.server, listener);
	struct event *terminate = evsignal_new(loop_base(echo.loop), SIGTERM, on_terminate, &echo);
	struct event *hangup = evsignal_new(loop_base(echo.loop), SIGHUP, on_hangup, &echo);
	event_add(terminate, NULL);
	event_add(hangup, NULL);

	int rc = loop_run(echo.loop);

	event_free(terminate);
	event_free(hangup);
	server_free(echo.server);
	close(listener);
	loop_free(echo.loop);
	return rc == 0 ? 0 : 1;
}
