#include "daemon/listeners.h"
#include "support/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

/* A port that was free a moment ago. */
static uint16_t free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	close(fd);
	return ntohs(address.sin_port);
}

/* 0 or errno. */
static int connect_to(uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int result = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
	close(fd);
	return result;
}

static void test_it_listens_until_it_is_closed(void **state)
{
	(void)state;
	struct listen_address address = { .host = "127.0.0.1", .port = free_port() };
	struct listeners listeners;
	char error[256];
	assert_int_equal(listeners_open(&listeners, &address, error, sizeof error), 0);
	assert_int_equal(listeners.count, 1);
	assert_true(fcntl(listeners.sockets[0], F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(listeners.sockets[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(connect_to(address.port), 0);
	listeners_close(&listeners);
	assert_int_equal(connect_to(address.port), ECONNREFUSED);
	listeners_close(&listeners);
}

static void test_a_port_that_is_taken_is_named(void **state)
{
	(void)state;
	struct listen_address address = { .host = "127.0.0.1", .port = free_port() };
	struct listeners first, second;
	char error[256], expected[256];
	assert_int_equal(listeners_open(&first, &address, error, sizeof error), 0);
	assert_int_equal(listeners_open(&second, &address, error, sizeof error), -1);
	snprintf(expected, sizeof expected, "listen: 127.0.0.1:%u: Address already in use", address.port);
	assert_string_equal(error, expected);
	assert_int_equal(second.count, 0);
	listeners_close(&first);
}

/* [::] alone must not take IPv4's port away from 0.0.0.0, nor let IPv4 in unasked. */
static void test_ipv6_is_ipv6_alone(void **state)
{
	(void)state;
	struct listen_address address = { .host = "::", .port = free_port(), .is_ipv6 = true };
	struct listeners listeners;
	char error[256];
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	if (fd < 0)
		skip();
	close(fd);
	assert_int_equal(listeners_open(&listeners, &address, error, sizeof error), 0);
	assert_int_equal(connect_to(address.port), ECONNREFUSED);
	listeners_close(&listeners);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_listens_until_it_is_closed),
		cmocka_unit_test(test_a_port_that_is_taken_is_named),
		cmocka_unit_test(test_ipv6_is_ipv6_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
