#ifndef NEEDTOKNOW_TESTS_SUPPORT_CHECK_H
#define NEEDTOKNOW_TESTS_SUPPORT_CHECK_H

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Does `action` end the process? A broken invariant must; it runs in a child, whose last words are not shown. */
static inline bool ends_process(void (*action)(void *), void *argument)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int nowhere = open("/dev/null", O_WRONLY);
		dup2(nowhere, STDERR_FILENO);
		signal(SIGABRT, SIG_DFL); /* not cmocka's */
		action(argument);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
}

/*
 * Are there eight times `byte` in a row in memory that may have been freed? (The heap writes pointers and a random word
 * of its own there.) Asks the kernel, which no sanitizer watches.
 */
static inline bool memory_has_run(uintptr_t address, size_t length, uint8_t byte)
{
	uint8_t *copy = malloc(length);
	int memory = open("/proc/self/mem", O_RDONLY);
	assert_true(memory >= 0 && copy != NULL);
	ssize_t got = pread(memory, copy, length, (off_t)address);
	close(memory);
	size_t run = 0;
	for (ssize_t i = 0; i < got && run < 8; i++)
		run = copy[i] == byte ? run + 1 : 0;
	free(copy);
	return run == 8;
}

/* Lower-case hexadecimal digits to bytes; answers how many. */
static inline size_t from_hex(const char *hex, uint8_t *out)
{
	size_t count = 0;
	for (; hex[0] != '\0'; hex += 2) {
		char digits[] = { hex[0], hex[1], '\0' };
		out[count++] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return count;
}

/* xorshift64*: the same numbers in every run. */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

#endif
