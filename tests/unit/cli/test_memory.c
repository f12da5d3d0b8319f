/*
 * P3, on the client's side: after a withdrawal, and after expiry, no copy of a value is left anywhere in the memory of
 * `needtoknow receive`: not in its heap, its stack, its buffers, nor those of OpenSSL, nghttp2, protobuf-c, jansson and
 * stdio.
 */
#include "../client/peer.h"
#include "run.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct peer peer;

/* Where the value stands in the other process. It is searched for without its first byte, which is what a free list may
 * overwrite. */
static int count_copies(pid_t pid, const char *value)
{
	static char block[1 << 20];
	char path[64], line[512];
	int copies = 0;

	snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
	int memory = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(path, "re");
	assert_true(memory >= 0 && maps != NULL);
	while (fgets(line, sizeof line, maps) != NULL) {
		char *end;
		unsigned long from = strtoul(line, &end, 16), to = strtoul(end + 1, &end, 16);
		if (end[1] != 'r' || end[2] != 'w' ||
			to - from > (1UL << 32)) /* the sanitizer's shadow holds no values */
			continue;
		for (unsigned long at = from; at < to; at += sizeof block - 64) {
			size_t size = to - at < sizeof block ? to - at : sizeof block;
			ssize_t length = pread(memory, block, size, (off_t)at);
			const char *search = block;
			size_t left = length > 0 ? (size_t)length : 0;
			const char *found;
			while ((found = memmem(search, left, value, strlen(value))) != NULL) {
				copies++;
				left -= (size_t)(found + 1 - search);
				search = found + 1;
			}
		}
	}
	fclose(maps);
	close(memory);
	return copies;
}

struct receiving {
	pid_t pid;
	FILE *out;
	int go; /* closed: it connects */
};

/* A process that has never heard of the value: it is forked before there is one. */
static struct receiving start_receive(const char *flag)
{
	struct receiving receiving = { 0 };
	int ends[2], go[2];
	char byte;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(pipe(go), 0);
	fflush(NULL);
	receiving.pid = fork();
	if (receiving.pid == 0) {
		char *argv[] = { (char *)(uintptr_t) "needtoknow", (char *)(uintptr_t) "receive",
			(char *)(uintptr_t) "--show-sensitive", (char *)(uintptr_t)flag, NULL };
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		close(go[1]);
		if (read(go[0], &byte, 1) != 0)
			_exit(99);
		output_init();
		exit((int)cli_main(flag != NULL ? 4 : 3, argv));
	}
	close(go[0]);
	receiving.go = go[1];
	close(ends[1]);
	receiving.out = fdopen(ends[0], "r");
	return receiving;
}

static void wait_for(FILE *out, const char *words)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, out) >= 0) {
		if (strstr(line, words) != NULL) {
			free(line);
			return;
		}
	}
	free(line);
	fail_msg("`%s` did not come", words);
}

/* Deliveries that hold the value; one is withdrawn, the other expires. */
static void scenario(const char *value)
{
	struct needtoknow_options options = peer_options(&peer);
	struct needtoknow_status status;
	struct needtoknow_client *client = needtoknow_client_new(&options, &status);
	const uint8_t *answer;
	size_t length;
	char text[1024];

	snprintf(text, sizeof text,
		"{\"streams\": [[{\"delivery\": \"d1\", \"disclosure\": \"D\", \"value\": \"%s\"},"
		"{\"delivery\": \"d2\", \"disclosure\": \"E\", \"value\": \"%s\", \"expires_in\": 1.5},"
		"{\"restriction\": \"D\"}, {\"sleep\": 1}, {\"withdrawal\": \"D\"}]]}",
		value, value);
	assert_non_null(client);
	assert_int_equal(needtoknow_call_bytes(client, "/test/Scenario", (const uint8_t *)text, strlen(text), &answer,
				 &length, &status),
		0);
	needtoknow_client_free(client);
}

static void follow(const char *flag, const char *restricted, const char *expired)
{
	struct receiving receiving = start_receive(flag);
	uint64_t random[2];
	char value[40];
	int status;

	assert_int_equal(getentropy(random, sizeof random), 0);
	snprintf(value, sizeof value, "%016llx%016llx", (unsigned long long)random[0], (unsigned long long)random[1]);
	scenario(value);
	close(receiving.go);
	/* While it is held it is there: the search finds what there is to find; and it is there once a delivery. */
	wait_for(receiving.out, restricted);
	assert_int_equal(count_copies(receiving.pid, value), 2);
	wait_for(receiving.out, expired);
	assert_int_equal(count_copies(receiving.pid, value), 0);
	kill(receiving.pid, SIGTERM);
	waitpid(receiving.pid, &status, 0);
	assert_int_equal(WEXITSTATUS(status), EXIT_OK);
	fclose(receiving.out);
}

static void test_text(void **state)
{
	(void)state;
	follow(NULL, "RESTRICTION", "EXPIRED");
}

static void test_json(void **state)
{
	(void)state;
	follow("--json", "\"restriction\"", "\"expiry\"");
}

static int start(void **state)
{
	(void)state;
	if (peer_start(&peer) != 0)
		return -1;
	setenv("NEEDTOKNOW_ADDRESS", peer.address, 1);
	setenv("NEEDTOKNOW_CA", peer.ca, 1);
	setenv("NEEDTOKNOW_CERT", peer.certificate, 1);
	setenv("NEEDTOKNOW_KEY", peer.key, 1);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	peer_stop(&peer);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
	};

	if (needtoknow_protect_memory() != 0 || geteuid() != 0) {
		puts("skipped: the memory of a process that protects it can be read by root alone");
		return geteuid() != 0 ? 0 : 1;
	}
	return cmocka_run_group_tests(tests, start, stop);
}
