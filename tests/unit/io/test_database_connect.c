/* The connection's life: coming up, breaking, coming back. Against a real server. */
#include "database_scene.h"
#include "io/database_hosts.h"
#include "support/patience.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct database_fixture fixture;

static const struct statement one = { "one", "SELECT 'one'", 0 };

static int start(void **state)
{
	(void)state;
	database_fixture_start(&fixture);
	database_fixture_query(&fixture, "CREATE ROLE visitor LOGIN PASSWORD 'open sesame'");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	database_fixture_stop(&fixture);
	return 0;
}

static void open_scene(struct scene *scene, const char *conninfo)
{
	struct database_config config = scene_config(conninfo);
	scene_open_up(scene, &config);
}

/* Over TCP, to these hosts and ports. */
static const char *tcp(const char *hosts, const char *ports, const char *more)
{
	static char conninfo[512];
	snprintf(conninfo, sizeof conninfo, "host=%s port=%s user=visitor password='open sesame' dbname=postgres %s",
		hosts, ports, more);
	return conninfo;
}

static void is_down_before_the_first_turn(void **state)
{
	struct scene scene;
	struct answer answer = { 0 };
	(void)state;
	struct database_config config = scene_config(database_fixture_conninfo(&fixture, ""));
	scene_open(&scene, &config);
	assert_false(database_up(scene.database));
	database_open(scene.database);
	database_add(scene.database, &one, NULL);
	database_add_text(scene.database, "COMMIT");
	scene_send(&scene, &answer);
	assert_int_equal(answer.calls, 1); /* at once */
	assert_int_equal(answer.result, DATABASE_DOWN);
	assert_int_equal(answer.failed, -1);
	assert_int_equal(database_in_flight(scene.database), 0);
	scene_await(&scene, &scene.ups, 1);
	scene_close(&scene);
}

static void terminated_backend_is_replaced(void **state)
{
	struct scene scene;
	struct answer asleep = { 0 }, behind = { 0 }, after = { 0 };
	(void)state;
	open_scene(&scene, database_fixture_conninfo(&fixture, ""));
	scene_statement(&scene, &after, &one);
	database_open(scene.database);
	database_add(scene.database, &one, NULL);
	database_add_text(scene.database, "SELECT pg_terminate_backend(pg_backend_pid())");
	scene_send(&scene, &asleep);
	database_open(scene.database);
	database_add(scene.database, &one, NULL);
	scene_send(&scene, &behind);
	scene_await(&scene, &scene.downs, 1);
	assert_int_equal(asleep.result, DATABASE_LOST);
	assert_int_equal(asleep.count, 0);
	assert_int_equal(behind.result, DATABASE_LOST);
	assert_int_equal(scene.answers_when_down, 3); /* first every done(), then on_down */
	assert_string_equal(
		scene.trouble, "the server ended the connection: terminating connection due to administrator command");
	assert_string_equal(behind.message, scene.trouble);
	scene_await(&scene, &scene.ups, 2);
	scene_statement(&scene, &after, &one); /* prepared anew */
	assert_string_equal(after.value, "one");
	assert_int_equal(asleep.calls + behind.calls, 2);
	scene_close(&scene);
}

static void idle_connection_is_missed_too(void **state)
{
	struct scene scene;
	(void)state;
	open_scene(&scene, database_fixture_conninfo(&fixture, ""));
	database_fixture_query(&fixture,
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'needtoknow test'");
	scene_await(&scene, &scene.downs, 1);
	assert_non_null(strstr(scene.trouble, "administrator command"));
	scene_await(&scene, &scene.ups, 2);
	scene_close(&scene);
}

static void restarted_server_is_found_again(void **state)
{
	struct scene scene;
	struct answer answer = { 0 };
	(void)state;
	open_scene(&scene, database_fixture_conninfo(&fixture, ""));
	scene_statement(&scene, &answer, &one);
	database_fixture_server_stop(&fixture);
	scene_await(&scene, &scene.downs, 1);
	int troubles = scene.troubles;
	scene_await(&scene, &scene.troubles, troubles + 1); /* and none comes up */
	assert_non_null(strstr(scene.trouble, "No such file or directory"));
	scene_statement(&scene, &answer, &one);
	assert_int_equal(answer.result, DATABASE_DOWN);
	database_fixture_server_start(&fixture);
	scene_await(&scene, &scene.ups, 2);
	assert_int_equal(scene.troubles, troubles + 1); /* said once, however many attempts it took */
	scene_statement(&scene, &answer, &one);
	assert_string_equal(answer.value, "one");
	scene_close(&scene);
}

static void notifications_come_and_are_resumed(void **state)
{
	struct scene scene;
	struct answer answer = { 0 };
	(void)state;
	struct database_config config = scene_config(database_fixture_conninfo(&fixture, ""));
	config.listen = "odd \"channel";
	scene_open_up(&scene, &config);
	scene_await(&scene, &scene.resyncs, 1);
	database_fixture_query(&fixture, "NOTIFY \"odd \"\"channel\", '42'");
	scene_await(&scene, &scene.notifications, 1);
	assert_string_equal(scene.payload, "42");
	scene_text(&scene, &answer, "SELECT pg_terminate_backend(pg_backend_pid())");
	scene_await(&scene, &scene.resyncs, 2);
	database_fixture_query(&fixture, "NOTIFY \"odd \"\"channel\", '43'");
	scene_await(&scene, &scene.notifications, 2);
	assert_string_equal(scene.payload, "43");
	scene_close(&scene);
}

static void late_answer_is_no_answer(void **state)
{
	struct scene scene;
	struct answer late = { 0 }, after = { 0 };
	(void)state;
	struct database_config config = scene_config(database_fixture_conninfo(&fixture, ""));
	config.answer_timeout_ms = 300;
	scene_open_up(&scene, &config);
	int64_t from = loop_now(scene.loop);
	scene_text(&scene, &late, "SELECT pg_sleep(30)");
	int64_t taken = loop_now(scene.loop) - from;
	assert_int_equal(late.result, DATABASE_LOST);
	assert_string_equal(late.message, "no answer within 300 ms");
	assert_in_range(taken, 300000, 2000000);
	scene_await(&scene, &scene.ups, 2);
	scene_text(&scene, &after, "SELECT 'fine'");
	assert_string_equal(after.value, "fine");
	database_fixture_query(
		&fixture, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)'");
	scene_close(&scene);
}

static void reset_database(struct scene *scene)
{
	database_reset(scene->database);
	assert_false(database_up(scene->database));
}

static void reset_from_a_callback(void **state)
{
	struct scene scene;
	struct answer first = { .then = reset_database }, second = { 0 };
	(void)state;
	open_scene(&scene, database_fixture_conninfo(&fixture, ""));
	database_open(scene.database);
	database_add(scene.database, &one, NULL);
	scene_send(&scene, &first);
	database_open(scene.database);
	database_add(scene.database, &one, NULL);
	scene_send(&scene, &second);
	scene_await(&scene, &scene.downs, 1);
	assert_int_equal(first.result, DATABASE_OK);
	assert_int_equal(second.result, DATABASE_LOST);
	scene_await(&scene, &scene.ups, 2);
	scene_close(&scene);
}

static void send_again(struct scene *scene)
{
	static struct answer down;
	down = (struct answer){ 0 };
	database_open(scene->database);
	database_add(scene->database, &one, NULL);
	scene_send(scene, &down);
	assert_int_equal(down.result, DATABASE_DOWN);
}

static void free_ends_what_waits(void **state)
{
	struct scene scene;
	struct answer waiting = { .then = send_again };
	(void)state;
	open_scene(&scene, database_fixture_conninfo(&fixture, ""));
	database_open(scene.database);
	database_add(scene.database, &one, NULL);
	scene_send(&scene, &waiting);
	scene_close(&scene);
	assert_int_equal(waiting.calls, 1);
	assert_int_equal(waiting.result, DATABASE_LOST);
}

/* What the operator reads when nothing comes up. */
static void refusals_are_clear(void **state)
{
	char port[16], nowhere[16];
	(void)state;
	snprintf(port, sizeof port, "%d", fixture.port);
	snprintf(nowhere, sizeof nowhere, "%d", database_fixture_free_port());
	const struct {
		const char *hosts, *ports, *more, *said;
	} cases[] = {
		{ "127.0.0.1", port, "password=wrong", "password authentication failed for user \"visitor\"" },
		{ "127.0.0.1", port, "dbname=nothing", "database \"nothing\" does not exist" },
		{ "127.0.0.1", port, "user=nobody", "password authentication failed for user \"nobody\"" },
		{ "127.0.0.1", nowhere, "", "Connection refused" },
		{ "127.0.0.1", port, "target_session_attrs=standby", "not in hot standby mode" },
		{ "127.0.0.1", port, "sslmode=verify-full sslrootcert=/nowhere",
			"root certificate file \"/nowhere\" does not exist" },
		{ "nobody.invalid", port, "", "could not look up the host name \"nobody.invalid\"" },
		{ "a,b,c", "1,2", "", "names 3 hosts, but 2 ports" },
		{ "127.0.0.1", port, "passwort=x", "invalid connection option \"passwort\"" },
		{ "127.0.0.1", port, "password=two words", "the connection string cannot be read" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct scene scene;
		struct database_config config = scene_config(tcp(cases[i].hosts, cases[i].ports, cases[i].more));
		scene_open(&scene, &config);
		scene_await(&scene, &scene.troubles, 1);
		if (!strstr(scene.trouble, cases[i].said))
			fail_msg("case %zu said: %s", i, scene.trouble);
		assert_null(strstr(scene.trouble, "sesame"));
		assert_null(strstr(scene.trouble, "words"));
		assert_null(strchr(scene.trouble, '\n'));
		assert_int_equal(scene.ups, 0);
		assert_int_equal(scene.downs, 0); /* it was never up */
		scene_close(&scene);
	}
}

/* The first host does not listen, the second accepts and is silent, the third is a server. */
static void other_hosts_are_tried(void **state)
{
	struct scene scene;
	struct answer answer = { 0 };
	char ports[64];
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	(void)state;
	int silent = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(silent, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(silent, 8), 0);
	assert_int_equal(getsockname(silent, (struct sockaddr *)&address, &length), 0);
	snprintf(ports, sizeof ports, "%d,%d,%d", database_fixture_free_port(), ntohs(address.sin_port), fixture.port);
	struct database_config config = scene_config(tcp("127.0.0.1,127.0.0.1,localhost", ports, ""));
	config.connect_timeout_ms = 300 * (uint32_t)patience();
	scene_open_up(&scene, &config);
	assert_int_equal(scene.troubles, 0); /* one of them served, so there is none */
	scene_text(&scene, &answer, "SELECT current_user::text");
	assert_string_equal(answer.value, "visitor");
	scene_close(&scene);
	close(silent);
}

static void standby_is_preferred_not_demanded(void **state)
{
	struct scene scene;
	(void)state;
	open_scene(&scene, database_fixture_conninfo(&fixture, "target_session_attrs=prefer-standby"));
	scene_close(&scene);
}

static void tls_serves(void **state)
{
	char port[16];
	struct scene scene;
	struct answer answer = { 0 };
	const struct statement large = { "large", "SELECT repeat('x', 3000000)", 0 };
	(void)state;
	snprintf(port, sizeof port, "%d", fixture.port);
	open_scene(&scene, tcp("localhost", port, "sslmode=require"));
	scene_text(&scene, &answer, "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
	assert_string_equal(answer.value, "true");
	for (int i = 0; i < 20; i++)
		scene_statement(&scene, &answer, &large);
	assert_int_equal(answer.result, DATABASE_OK);
	scene_close(&scene);
}

static void hosts_are_read_as_libpq_reads_them(void **state)
{
	struct database_hosts hosts;
	struct host_cursor cursor = { 0 };
	char error[256];
	(void)state;
	assert_int_equal(database_hosts_init(&hosts,
				 "postgresql://me:pw@h1:1,h2:2/db?target_session_attrs=prefer-standby&sslmode=require",
				 error, sizeof error),
		0);
	assert_int_equal(hosts.count, 2);
	assert_string_equal(hosts.hosts[1].host, "h2");
	assert_string_equal(hosts.hosts[1].port, "2");
	assert_string_equal(database_hosts_setting(&hosts, "sslmode"), "require");
	assert_string_equal(database_hosts_setting(&hosts, "password"), "pw");
	assert_null(database_hosts_setting(&hosts, "target_session_attrs"));
	assert_true(hosts.prefer_standby);
	/* h1 has two addresses, h2 one; two rounds. */
	assert_true(host_cursor_advance(&cursor, &hosts, 2));
	assert_true(cursor.host == 0 && cursor.address == 1 && !cursor.any);
	assert_true(host_cursor_advance(&cursor, &hosts, 2));
	assert_true(cursor.host == 1 && cursor.address == 0 && !cursor.any);
	assert_true(host_cursor_advance(&cursor, &hosts, 1));
	assert_true(cursor.host == 0 && cursor.address == 0 && cursor.any);
	assert_true(host_cursor_advance(&cursor, &hosts, 1));
	assert_false(host_cursor_advance(&cursor, &hosts, 1));
	assert_true(cursor.host == 0 && cursor.address == 0 && !cursor.any);
	database_hosts_release(&hosts);
	assert_int_equal(database_hosts_init(&hosts, "host=a,b hostaddr=::1,127.0.0.1 port=5", error, sizeof error), 0);
	assert_false(database_host_is_name(&hosts.hosts[0]));
	assert_string_equal(hosts.hosts[0].address, "::1");
	assert_string_equal(hosts.hosts[1].port, "5");
	database_hosts_release(&hosts);
	const struct {
		const char *host;
		bool name;
	} kinds[] = { { "/run/postgresql", false }, { "@abstract", false }, { "10.1.2.3", false }, { "fe80::1", false },
		{ "db.example", true }, { "1.2.3", true }, { NULL, false } };
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		const struct database_host host = { .host = (char *)kinds[i].host };
		assert_int_equal(database_host_is_name(&host), kinds[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_are_read_as_libpq_reads_them),
		cmocka_unit_test(is_down_before_the_first_turn),
		cmocka_unit_test(terminated_backend_is_replaced),
		cmocka_unit_test(idle_connection_is_missed_too),
		cmocka_unit_test(restarted_server_is_found_again),
		cmocka_unit_test(notifications_come_and_are_resumed),
		cmocka_unit_test(late_answer_is_no_answer),
		cmocka_unit_test(reset_from_a_callback),
		cmocka_unit_test(free_ends_what_waits),
		cmocka_unit_test(refusals_are_clear),
		cmocka_unit_test(other_hosts_are_tried),
		cmocka_unit_test(standby_is_preferred_not_demanded),
		cmocka_unit_test(tls_serves),
	};
	return cmocka_run_group_tests_name("io/database_connect", tests, start, stop);
}
