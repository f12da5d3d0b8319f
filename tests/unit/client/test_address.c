/* Where to connect, and how long to wait before doing so again. */
#include "client/address.h"
#include "client/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_good_addresses(void **state)
{
	static const struct {
		const char *text, *host, *port;
		int numeric;
	} rows[] = {
		{ "needtoknow.example:8443", "needtoknow.example", "8443", 0 },
		{ "needtoknow.example", "needtoknow.example", "8443", 0 },
		{ "127.0.0.1:1", "127.0.0.1", "1", 1 },
		{ "[::1]:65535", "::1", "65535", 1 },
		{ "[fe80::1]", "fe80::1", "8443", 1 },
	};
	struct address address;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(address_parse(rows[i].text, &address), 0);
		assert_string_equal(address.host, rows[i].host);
		assert_string_equal(address.port, rows[i].port);
		assert_int_equal(address.numeric, rows[i].numeric);
	}
}

static void test_bad_addresses(void **state)
{
	static const char *const rows[] = { "", ":8443", "host:", "host:0", "host:65536", "host:12a", "host:-1",
		"host: 80", "::1", "::1:8443", "[::1", "[::1]8443", "[host]:80", "[]:80", "ho st:80", "https://host:80",
		"host/path", "host:80:80" };
	char large[300];
	struct address address = { .host = "untouched" };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(address_parse(rows[i], &address), -1);
	memset(large, 'a', sizeof large - 1);
	large[sizeof large - 1] = '\0';
	assert_int_equal(address_parse(large, &address), -1);
	assert_string_equal(address.host, "untouched");
}

static void test_backoff(void **state)
{
	struct backoff backoff = { 100, 1000, 0 };
	static const int64_t most[] = { 100, 200, 400, 800, 1000, 1000, 1000 };
	int64_t first = 0;
	int different = 0;

	(void)state;
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < 7; i++) {
			int64_t wait = backoff_next(&backoff);
			assert_in_range(wait, most[i] / 2, most[i]);
			if (i == 6)
				different += wait != first, first = wait;
		}
		backoff_reset(&backoff);
	}
	assert_true(different > 10); /* jittered */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_addresses),
		cmocka_unit_test(test_bad_addresses),
		cmocka_unit_test(test_backoff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
