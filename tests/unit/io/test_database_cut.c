/* P6 and P8: the wire is cut behind each byte of an exchange. All is answered once, and what was answered OK is there.
 */
#include "database_scene.h"

#include <arpa/inet.h>
#include <event2/listener.h>
#include <limits.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static struct database_fixture fixture;

enum side {
	CLIENT,
	SERVER,
	SIDES
};

/* Between one connection and the server, in the same loop. */
static struct proxy {
	struct event_base *base;
	struct evconnlistener *listener;
	int sockets[SIDES];
	struct event *readable[SIDES];
	long passed[SIDES]; /* bytes of this connection that came from this side and were let through */
	long budget[SIDES]; /* bytes that may still come from it; the wire is cut when they have */
} proxy;

static void proxy_cut(void)
{
	for (int side = 0; side < SIDES; side++) {
		if (proxy.readable[side]) {
			event_free(proxy.readable[side]);
			close(proxy.sockets[side]);
		}
		proxy.readable[side] = NULL;
	}
}

static void on_readable(evutil_socket_t socket, short events, void *context)
{
	char bytes[4096];
	enum side from = socket == proxy.sockets[CLIENT] ? CLIENT : SERVER;
	enum side to = from == CLIENT ? SERVER : CLIENT;
	(void)events;
	(void)context;
	size_t most = proxy.budget[from] < (long)sizeof bytes ? (size_t)proxy.budget[from] : sizeof bytes;
	ssize_t length = recv(socket, bytes, most, 0);
	if (length > 0) {
		assert_int_equal(send(proxy.sockets[to], bytes, (size_t)length, MSG_NOSIGNAL), length);
		proxy.passed[from] += length;
		proxy.budget[from] -= length;
	}
	if (length <= 0 || proxy.budget[from] == 0)
		proxy_cut();
}

static void on_accept(
	struct evconnlistener *listener, evutil_socket_t client, struct sockaddr *from, int length, void *context)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	(void)listener;
	(void)from;
	(void)length;
	(void)context;
	proxy_cut();
	snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.%d", fixture.directory, fixture.port);
	proxy.sockets[CLIENT] = client;
	proxy.sockets[SERVER] = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(proxy.sockets[SERVER], (struct sockaddr *)&address, sizeof address), 0);
	for (int side = 0; side < SIDES; side++) {
		proxy.passed[side] = 0;
		proxy.readable[side] =
			event_new(proxy.base, proxy.sockets[side], EV_READ | EV_PERSIST, on_readable, NULL);
		event_add(proxy.readable[side], NULL);
	}
	if (proxy.budget[CLIENT] == 0 || proxy.budget[SERVER] == 0)
		proxy_cut();
}

/* A scene whose connections go through the proxy, which cuts the wire behind these bytes. */
static void open_scene(struct scene *scene, long from_client, long from_server, bool wipe)
{
	char conninfo[128];
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int port = database_fixture_free_port();
	snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%d user=postgres dbname=postgres sslmode=disable",
		port);
	struct database_config config = scene_config(conninfo);
	config.wipe = wipe;
	scene_open(scene, &config);
	address.sin_port = htons((uint16_t)port);
	proxy = (struct proxy){ .base = loop_base(scene->loop), .budget = { from_client, from_server } };
	proxy.listener = evconnlistener_new_bind(proxy.base, on_accept, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE,
		8, (struct sockaddr *)&address, sizeof address);
	assert_non_null(proxy.listener);
}

static void close_scene(struct scene *scene)
{
	proxy_cut();
	evconnlistener_free(proxy.listener);
	scene_close(scene);
}

static const struct statement write_row = { "write_row", "INSERT INTO written VALUES ($1::text::int)", 1 };

static void send_transaction(struct scene *scene, struct answer *answer, int n)
{
	char text[16];
	const struct parameter parameter = { text, (size_t)snprintf(text, sizeof text, "%d", n) };
	database_open(scene->database);
	database_add_text(scene->database, "BEGIN");
	database_add(scene->database, &write_row, &parameter);
	database_add_text(scene->database, "COMMIT");
	scene_send(scene, answer);
}

static bool was_written(int n)
{
	char sql[64];
	snprintf(sql, sizeof sql, "SELECT count(*) FROM written WHERE n = %d", n);
	const char *count = database_fixture_query(&fixture, sql);
	assert_true(strcmp(count, "0") == 0 || strcmp(count, "1") == 0);
	return count[0] == '1';
}

/* The bytes of each side up to on_up, and from then to the transaction's answer. */
static long connecting[SIDES], transacting[SIDES];

static int start(void **state)
{
	struct scene scene;
	struct answer answer = { 0 };
	(void)state;
	database_fixture_start(&fixture);
	database_fixture_query(&fixture, "CREATE TABLE written (n int)");
	open_scene(&scene, LONG_MAX, LONG_MAX, false);
	scene_await(&scene, &scene.ups, 1);
	memcpy(connecting, proxy.passed, sizeof connecting);
	send_transaction(&scene, &answer, 0);
	scene_await(&scene, &answer.calls, 1);
	assert_int_equal(answer.result, DATABASE_OK);
	for (int side = 0; side < SIDES; side++)
		transacting[side] = proxy.passed[side] - connecting[side];
	close_scene(&scene);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	database_fixture_stop(&fixture);
	return 0;
}

/* After a cut the next connection works. */
static void recover(struct scene *scene)
{
	static int n = 1000000;
	struct answer answer = { 0 };
	n++;
	proxy.budget[CLIENT] = proxy.budget[SERVER] = LONG_MAX;
	scene_await(scene, &scene->ups, scene->ups + 1);
	send_transaction(scene, &answer, n);
	scene_await(scene, &answer.calls, 1);
	assert_int_equal(answer.result, DATABASE_OK);
	assert_true(was_written(n));
}

static void cut_while_connecting(enum side side)
{
	for (long length = 0; length < connecting[side]; length++) {
		struct scene scene;
		struct answer answer = { 0 };
		open_scene(&scene, side == CLIENT ? length : LONG_MAX, side == SERVER ? length : LONG_MAX, length % 2);
		scene_await(&scene, &scene.troubles, 1);
		assert_int_equal(scene.ups, 0);
		assert_int_equal(scene.downs, 0);
		send_transaction(&scene, &answer, -1);
		assert_int_equal(answer.result, DATABASE_DOWN);
		if (length % 200 == 0) /* not each time, since it waits a little */
			recover(&scene);
		close_scene(&scene);
	}
	assert_false(was_written(-1));
}

static void cut_from_client_while_connecting(void **state)
{
	(void)state;
	cut_while_connecting(CLIENT);
}

static void cut_from_server_while_connecting(void **state)
{
	(void)state;
	cut_while_connecting(SERVER);
}

/* Cuts behind `length` bytes of a transaction's exchange. Was it answered OK? */
static bool cut_transaction(enum side side, long length, int n)
{
	struct scene scene;
	struct answer answer = { 0 };
	open_scene(&scene, LONG_MAX, LONG_MAX, length % 2);
	scene_await(&scene, &scene.ups, 1);
	proxy.budget[side] = length;
	if (length == 0)
		proxy_cut();
	send_transaction(&scene, &answer, n);
	scene_await(&scene, &scene.downs, 1);
	assert_int_equal(answer.calls, 1);
	assert_int_equal(scene.answers_when_down, 1);
	assert_true(answer.result == DATABASE_LOST || answer.result == DATABASE_OK);
	if (length % 50 == 0)
		recover(&scene);
	assert_int_equal(answer.calls, 1);
	close_scene(&scene);
	return answer.result == DATABASE_OK;
}

static void cut_in_a_transaction(void **state)
{
	(void)state;
	int n = 0, lost_but_written = 0, lost_and_not_written = 0;
	for (int side = 0; side < SIDES; side++) {
		for (long length = 0; length <= transacting[side]; length++) {
			bool ok = cut_transaction((enum side)side, length, ++n);
			/* Only whoever has seen the last byte of the answer knows. */
			assert_int_equal(ok, side == SERVER && length == transacting[side]);
			bool written = was_written(n);
			assert_true(written || !ok);
			lost_but_written += written && !ok;
			lost_and_not_written += !written && !ok;
		}
	}
	assert_true(lost_but_written > 0 && lost_and_not_written > 0); /* LOST says nothing, indeed */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_from_client_while_connecting),
		cmocka_unit_test(cut_from_server_while_connecting),
		cmocka_unit_test(cut_in_a_transaction),
	};
	return cmocka_run_group_tests_name("io/database, cut", tests, start, stop);
}
