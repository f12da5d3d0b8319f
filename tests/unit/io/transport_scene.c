#include "transport_scene.h"

#include "base/memory.h"
#include "io/tls.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define TURN_MICROSECONDS 200
#define DAY (24L * 3600)

/* The handler: notes all, answers /test/Echo. */

static enum server_method_kind classify(void *context, const char *path)
{
	(void)context;
	if (strcmp(path, "/test/Unary") == 0 || strcmp(path, "/test/Echo") == 0)
		return SERVER_METHOD_UNARY;
	if (strcmp(path, "/test/Endless") == 0)
		return SERVER_METHOD_ENDLESS;
	return strcmp(path, "/test/Bidi") == 0 ? SERVER_METHOD_BIDI : SERVER_METHOD_UNKNOWN;
}

static void on_request(void *context, struct server_stream *stream, const struct server_request *request)
{
	struct scene *scene = context;
	struct seen *seen = server_stream_user(stream);
	if (!seen) {
		/* A test that goes through very many of them looks at the last ones alone. */
		seen = &scene->seen[scene->seen_count++ % SCENE_STREAMS];
		*seen = (struct seen){ .stream = stream };
		server_stream_set_user(stream, seen);
	}
	snprintf(seen->path, sizeof seen->path, "%s", request->path);
	seen->requests++;
	seen->length = request->length;
	seen->deadline = request->deadline;
	if (strcmp(request->path, "/test/Echo") == 0) {
		server_stream_send(stream, request->message, request->length);
		server_stream_finish(stream, &(struct status){ .code = GRPC_OK });
	}
}

static void on_half_close(void *context, struct server_stream *stream)
{
	struct seen *seen = server_stream_user(stream);
	(void)context;
	seen->half_closes++;
}

static void on_closed(void *context, struct server_stream *stream)
{
	struct seen *seen = server_stream_user(stream);
	(void)context;
	assert(seen);
	seen->closes++;
	if (seen->stream == stream)
		seen->stream = NULL;
}

static void on_writable(void *context, struct server_stream *stream)
{
	struct seen *seen = server_stream_user(stream);
	(void)context;
	seen->writables++;
}

/* The scene. */

const char *scene_path(const struct scene *scene, const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", scene->directory, name);
	return out;
}

static void issue(struct scene *scene, const char *name, const char *subject_alt_name, const char *usage)
{
	static long serial = 100;
	char path[128];
	authority_issue(scene->authority,
		&(struct leaf){ subject_alt_name, usage, .from = -DAY, .until = DAY, .serial = serial++ },
		scene_path(scene, name, path));
}

static void stop_loop(void *context)
{
	struct scene *scene = context;
	loop_stop(scene->loop);
}

struct scene *scene_new(void)
{
	struct scene *scene = mem_calloc(1, sizeof *scene);
	char path[128];
	snprintf(scene->directory, sizeof scene->directory, "/tmp/transport-XXXXXX");
	assert_non_null(mkdtemp(scene->directory));
	scene->authority = authority_new("authority");
	authority_write(scene->authority, scene_path(scene, "ca.crt", path));
	issue(scene, "server", "DNS:localhost,IP:127.0.0.1", "serverAuth");
	issue(scene, "booking", "URI:spiffe://maison-claire.example/booking/desk", "clientAuth");
	issue(scene, "sparkle", "URI:spiffe://maison-claire.example/recipient/sparkle/phone", "clientAuth");
	scene->loop = loop_new();
	loop_timer_init(&scene->pause, scene->loop, stop_loop, scene);
	scene->listener = -1;
	return scene;
}

static void scene_listen(struct scene *scene)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	scene->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(scene->listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(scene->listener, 64), 0);
	getsockname(scene->listener, (struct sockaddr *)&address, &length);
	scene->port = ntohs(address.sin_port);
}

void scene_serve(struct scene *scene, const struct server_limits *limits)
{
	char certificate[128], key[128], ca[128], error[512] = "";
	const struct tls_files files = { scene_path(scene, "server.crt", certificate),
		scene_path(scene, "server.key", key), scene_path(scene, "ca.crt", ca), NULL };
	SSL_CTX *tls = tls_server_new(&files, error, sizeof error);
	assert_string_equal(error, "");
	struct server_config config = { .trust_domain = "maison-claire.example", .tls = tls };
	if (limits)
		config.limits = *limits;
	const struct server_handler handler = { classify, on_request, on_half_close, on_closed, on_writable, scene };
	scene->server = server_new(scene->loop, &config, &handler);
	SSL_CTX_free(tls);
	scene_listen(scene);
	assert_int_equal(server_listen(scene->server, scene->listener), 0);
}

void scene_stop_serving(struct scene *scene)
{
	server_free(scene->server);
	scene->server = NULL;
	if (scene->listener >= 0)
		close(scene->listener);
	scene->listener = -1;
}

static int remove_entry(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
	(void)status;
	(void)flag;
	(void)walk;
	return remove(path);
}

void scene_free(struct scene *scene)
{
	while (scene->peers)
		peer_free(scene->peers);
	scene_stop_serving(scene);
	loop_timer_release(&scene->pause);
	loop_free(scene->loop);
	authority_free(scene->authority);
	nftw(scene->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	mem_free(scene);
}

static void peer_pump(struct peer *peer);

void scene_turn(struct scene *scene)
{
	loop_timer_set(&scene->pause, TURN_MICROSECONDS);
	assert_int_equal(loop_run(scene->loop), 0);
	for (struct peer *peer = scene->peers; peer; peer = peer->next)
		peer_pump(peer);
}

void scene_wait(struct scene *scene, int milliseconds)
{
	int64_t end = loop_now(scene->loop) + milliseconds * INT64_C(1000);
	while (loop_now(scene->loop) < end)
		scene_turn(scene);
}

/* Peers. */

static struct response *response_of(struct peer *peer, int32_t id)
{
	for (size_t i = 0; i < peer->response_count; i++)
		if (peer->responses[i].id == id)
			return &peer->responses[i];
	return NULL;
}

static void copy_text(char *out, size_t size, const uint8_t *value, size_t length)
{
	snprintf(out, size, "%.*s", (int)length, (const char *)value);
}

static int on_header(nghttp2_session *http2, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
	const uint8_t *value, size_t length, uint8_t flags, void *context)
{
	struct response *response = response_of(context, frame->hd.stream_id);
	const char *field = (const char *)name;
	(void)http2;
	(void)name_length;
	(void)flags;
	if (strcmp(field, ":status") == 0)
		copy_text(response->status, sizeof response->status, value, length);
	else if (strcmp(field, "grpc-status") == 0)
		copy_text(response->grpc_status, sizeof response->grpc_status, value, length);
	else if (strcmp(field, "grpc-message") == 0)
		copy_text(response->grpc_message, sizeof response->grpc_message, value, length);
	else if (strcmp(field, "grpc-accept-encoding") == 0)
		copy_text(response->accept_encoding, sizeof response->accept_encoding, value, length);
	else if (strcmp(field, "grpc-status-details-bin") == 0)
		response->details = true;
	return 0;
}

static int on_data(nghttp2_session *http2, uint8_t flags, int32_t id, const uint8_t *data, size_t length, void *context)
{
	struct response *response = response_of(context, id);
	(void)http2;
	(void)flags;
	response->data = mem_realloc(response->data, response->length + length);
	memcpy(response->data + response->length, data, length);
	response->length += length;
	return 0;
}

static int on_frame(nghttp2_session *http2, const nghttp2_frame *frame, void *context)
{
	struct peer *peer = context;
	(void)http2;
	if (frame->hd.type == NGHTTP2_GOAWAY) {
		peer->goaways++;
		peer->goaway_error = frame->goaway.error_code;
		peer->goaway_last = frame->goaway.last_stream_id;
	} else if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK)) {
		peer->pings++;
	} else if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
		(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
		response_of(peer, frame->hd.stream_id)->ended = true;
	}
	return 0;
}

static int on_stream_close(nghttp2_session *http2, int32_t id, uint32_t error_code, void *context)
{
	struct response *response = response_of(context, id);
	(void)http2;
	if (response) {
		response->closed = true;
		response->error_code = error_code;
	}
	return 0;
}

static void peer_lost(struct peer *peer)
{
	peer->gone = true;
}

static ssize_t on_send(nghttp2_session *http2, const uint8_t *data, size_t length, int flags, void *context)
{
	struct peer *peer = context;
	(void)http2;
	(void)flags;
	int written = SSL_write(peer->ssl, data, (int)length);
	if (written > 0)
		return written;
	if (SSL_get_error(peer->ssl, written) == SSL_ERROR_WANT_WRITE)
		return NGHTTP2_ERR_WOULDBLOCK;
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void peer_receive(struct peer *peer)
{
	uint8_t bytes[16384];
	int length;
	while ((length = SSL_read(peer->ssl, bytes, sizeof bytes)) > 0) {
		if (peer->http2 && nghttp2_session_mem_recv(peer->http2, bytes, (size_t)length) < 0) {
			peer_lost(peer);
			return;
		}
	}
	if (SSL_get_error(peer->ssl, length) != SSL_ERROR_WANT_READ)
		peer_lost(peer);
}

static void peer_pump(struct peer *peer)
{
	ERR_clear_error();
	if (peer->gone || !peer->ssl)
		return;
	if (!peer->connected) {
		int rc = SSL_do_handshake(peer->ssl);
		if (rc == 1)
			peer->connected = true;
		else if (SSL_get_error(peer->ssl, rc) != SSL_ERROR_WANT_READ)
			peer_lost(peer);
		return;
	}
	if (peer->http2 && !peer->mute)
		nghttp2_session_send(peer->http2);
	if (!peer->deaf)
		peer_receive(peer);
}

static void peer_greet(struct peer *peer, const struct peer_options *options)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_option_new(&option);
	nghttp2_option_set_no_auto_window_update(option, options->own_window);
	nghttp2_option_set_peer_max_concurrent_streams(option, SCENE_STREAMS);
	nghttp2_session_client_new2(&peer->http2, callbacks, peer, option);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
		options->window ? options->window : 65535 } };
	nghttp2_submit_settings(peer->http2, NGHTTP2_FLAG_NONE, settings, 1);
}

static SSL_CTX *peer_tls(struct scene *scene, const struct peer_options *options)
{
	char path[128], name[64];
	int version = options->tls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(tls, version);
	SSL_CTX_set_max_proto_version(tls, version);
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	SSL_CTX_load_verify_file(tls, scene_path(scene, "ca.crt", path));
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (!options->no_alpn)
		SSL_CTX_set_alpn_protos(tls, (const uint8_t *)"\2h2", 3);
	if (options->certificate) {
		snprintf(name, sizeof name, "%s.crt", options->certificate);
		assert_int_equal(SSL_CTX_use_certificate_chain_file(tls, scene_path(scene, name, path)), 1);
		snprintf(name, sizeof name, "%s.key", options->certificate);
		assert_int_equal(SSL_CTX_use_PrivateKey_file(tls, scene_path(scene, name, path), SSL_FILETYPE_PEM), 1);
	}
	return tls;
}

static int connect_to(const struct scene *scene, int receive_buffer)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(scene->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (receive_buffer > 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

struct peer *peer_new(struct scene *scene, const struct peer_options *options)
{
	static const struct peer_options usual = { .certificate = "booking" };
	struct peer *peer = mem_calloc(1, sizeof *peer);
	if (!options)
		options = &usual;
	peer->scene = scene;
	peer->next = scene->peers;
	scene->peers = peer;
	peer->fd = connect_to(scene, options->receive_buffer);
	peer->tls = peer_tls(scene, options);
	peer->ssl = SSL_new(peer->tls);
	SSL_set_fd(peer->ssl, peer->fd);
	SSL_set_connect_state(peer->ssl);
	if (!options->raw)
		peer_greet(peer, options);
	if (!options->no_wait)
		scene_until(scene, peer->connected || peer->gone);
	return peer;
}

void peer_free(struct peer *peer)
{
	struct peer **link = &peer->scene->peers;
	while (*link != peer)
		link = &(*link)->next;
	*link = peer->next;
	nghttp2_session_del(peer->http2);
	for (size_t i = 0; i < peer->response_count; i++) {
		mem_free(peer->responses[i].data);
		mem_free(peer->responses[i].body);
	}
	SSL_free(peer->ssl);
	SSL_CTX_free(peer->tls);
	close(peer->fd);
	mem_free(peer);
}

/* Calls. */

struct body {
	size_t length, sent;
	bool stays_open;
	uint8_t bytes[];
};

static ssize_t read_body(nghttp2_session *http2, int32_t id, uint8_t *out, size_t length, uint32_t *flags,
	nghttp2_data_source *source, void *context)
{
	struct body *body = source->ptr;
	(void)http2;
	(void)id;
	(void)context;
	if (length > body->length - body->sent)
		length = body->length - body->sent;
	if (length == 0 && body->stays_open)
		return NGHTTP2_ERR_DEFERRED;
	memcpy(out, body->bytes + body->sent, length);
	body->sent += length;
	if (body->sent == body->length && !body->stays_open)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)length;
}

static nghttp2_nv field(const char *name, const char *value)
{
	return (nghttp2_nv){ (uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NO_INDEX };
}

struct response *peer_call(struct peer *peer, const struct call *call)
{
	nghttp2_nv fields[9];
	size_t count = 0;
	assert_true(peer->response_count < SCENE_STREAMS);
	fields[count++] = field(":method", call->verb ? call->verb : "POST");
	fields[count++] = field(":scheme", "https");
	fields[count++] = field(":path", call->path);
	fields[count++] = field(":authority", "localhost");
	fields[count++] = field("te", "trailers");
	fields[count++] = field("content-type", call->content_type ? call->content_type : "application/grpc");
	if (call->timeout)
		fields[count++] = field("grpc-timeout", call->timeout);
	if (call->padding)
		fields[count++] = field("padding", call->padding);
	struct body *body = mem_alloc(sizeof *body + call->length);
	*body = (struct body){ .length = call->length, .stays_open = call->stays_open };
	if (call->length > 0)
		memcpy(body->bytes, call->body, call->length);
	const nghttp2_data_provider provider = { .source.ptr = body, .read_callback = read_body };
	struct response *response = &peer->responses[peer->response_count++];
	*response = (struct response){ .body = body };
	response->id = nghttp2_submit_request(
		peer->http2, NULL, fields, count, call->body || call->stays_open ? &provider : NULL, NULL);
	assert_true(response->id > 0);
	return response;
}

struct response *peer_send(struct peer *peer, const char *path, const char *message)
{
	size_t length = strlen(message);
	uint8_t *body = mem_alloc(5 + length);
	body[0] = 0;
	for (int i = 0; i < 4; i++)
		body[1 + i] = (uint8_t)(length >> (24 - 8 * i));
	memcpy(body + 5, message, length);
	struct response *response = peer_call(peer, &(struct call){ .path = path, .body = body, .length = 5 + length });
	mem_free(body);
	return response;
}

bool peer_write(struct peer *peer, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;
	for (int turns = 0; length > 0 && !peer->gone; turns++) {
		int written = SSL_write(peer->ssl, at, (int)length);
		if (written > 0) {
			at += written;
			length -= (size_t)written;
			continue;
		}
		if (SSL_get_error(peer->ssl, written) != SSL_ERROR_WANT_WRITE || turns > 5000)
			peer_lost(peer);
		ERR_clear_error();
		scene_turn(peer->scene);
	}
	return !peer->gone;
}

bool peer_frame(struct peer *peer, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t length)
{
	uint8_t frame[9 + 16384] = { (uint8_t)(length >> 16), (uint8_t)(length >> 8), (uint8_t)length, type, flags,
		(uint8_t)(stream >> 24), (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream };
	assert_true(length <= 16384);
	if (length > 0)
		memcpy(frame + 9, payload, length);
	return peer_write(peer, frame, 9 + length);
}

void peer_preface(struct peer *peer)
{
	peer_write(peer, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	peer_frame(peer, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
}
