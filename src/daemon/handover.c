#include "daemon/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define VARIABLE "NEEDTOKNOW_HANDOVER"
#define TEXT_MAX 4096

int program_of_this_process(struct program *program, const char *config_file)
{
	ssize_t length = readlink("/proc/self/exe", program->path, sizeof program->path - 1);
	if (length < 0)
		return -1;
	program->path[length] = '\0';
	program->config_file = config_file;
	return 0;
}

int handover_add(struct handover *handover, pid_t pid, bool leaving)
{
	unsigned *count = leaving ? &handover->leaving_count : &handover->elder_count;
	if (*count == HANDOVER_ELDERS_MAX)
		return -1;
	(leaving ? handover->leaving : handover->elders)[(*count)++] = pid;
	return 0;
}

/* ---- as text: `1 LISTENERS MONITOR WORKERS LEAVING`, each a list of numbers; `-` is an empty one ---- */

static int append(char *text, size_t size, const int *numbers, unsigned count)
{
	size_t length = strlen(text);
	int added = snprintf(text + length, size - length, count ? " " : " -");
	for (unsigned i = 0; added >= 0 && i < count; i++) {
		length += (size_t)added;
		if (length >= size)
			return -1;
		added = snprintf(text + length, size - length, i ? ",%d" : "%d", numbers[i]);
	}
	return added < 0 || length + (size_t)added >= size ? -1 : 0;
}

int handover_write(const struct handover *handover, char *text, size_t size)
{
	_Static_assert(sizeof(pid_t) == sizeof(int), "a list of pids is one of numbers");
	if (snprintf(text, size, "1") >= (int)size ||
		append(text, size, handover->listeners.sockets, (unsigned)handover->listeners.count) != 0 ||
		append(text, size, &handover->monitor, handover->monitor >= 0) != 0 ||
		append(text, size, handover->elders, handover->elder_count) != 0 ||
		append(text, size, handover->leaving, handover->leaving_count) != 0)
		return -1;
	return 0;
}

/* A list of at most `max` numbers, and what ends it. How many, or -1. */
static int read_list(const char **text, char end, int *numbers, unsigned max)
{
	unsigned count = 0;
	if ((*text)[0] == '-' && (*text)[1] == end) {
		*text += end ? 2 : 1;
		return 0;
	}
	for (const char *at = *text; count < max; at++) {
		char *behind;
		if (*at < '0' || *at > '9')
			return -1;
		errno = 0;
		long number = strtol(at, &behind, 10);
		if (errno || number > INT_MAX)
			return -1;
		numbers[count++] = (int)number;
		at = behind;
		if (*at == end) {
			*text = end ? at + 1 : at;
			return (int)count;
		}
		if (*at != ',')
			return -1;
	}
	return -1;
}

int handover_read(struct handover *handover, const char *text)
{
	struct handover read = { .monitor = -1 };
	if (strncmp(text, "1 ", 2) != 0)
		return -1;
	text += 2;
	int listeners = read_list(&text, ' ', read.listeners.sockets, LISTENERS_MAX);
	int monitor = listeners > 0 ? read_list(&text, ' ', &read.monitor, 1) : -1;
	int elders = monitor >= 0 ? read_list(&text, ' ', read.elders, HANDOVER_ELDERS_MAX) : -1;
	int leaving = elders >= 0 ? read_list(&text, '\0', read.leaving, HANDOVER_ELDERS_MAX) : -1;
	if (leaving < 0)
		return -1;
	read.listeners.count = listeners;
	read.elder_count = (unsigned)elders;
	read.leaving_count = (unsigned)leaving;
	*handover = read;
	return 0;
}

int handover_take(struct handover *handover, char *error, size_t error_size)
{
	const char *text = getenv(VARIABLE);
	if (!text)
		return 0;
	int status = handover_read(handover, text);
	if (status != 0) {
		snprintf(error, error_size, VARIABLE ": cannot be read; it is for the supervisor's own use");
	} else if (listeners_check(&handover->listeners, error, error_size) == 0) {
		if (handover->monitor >= 0)
			fcntl(handover->monitor, F_SETFD, FD_CLOEXEC);
		unsetenv(VARIABLE);
		return 1;
	}
	unsetenv(VARIABLE);
	return -1;
}

/* ---- another program ---- */

pid_t handover_examine(const struct program *program)
{
	const char *const arguments[] = { program->path, "check", "--config", program->config_file, NULL };
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	execv(program->path, (char *const *)(const void *)arguments);
	fprintf(stderr, "%s: %s\n", program->path, strerror(errno));
	_exit(EXIT_FAILURE);
}

static void keep_over_exec(const struct handover *handover, bool keep)
{
	const int flags = keep ? 0 : FD_CLOEXEC;
	for (int i = 0; i < handover->listeners.count; i++)
		fcntl(handover->listeners.sockets[i], F_SETFD, flags);
	if (handover->monitor >= 0)
		fcntl(handover->monitor, F_SETFD, flags);
}

int handover_go(const struct handover *handover, const struct program *program)
{
	const char *const arguments[] = { program->path, "run", "--config", program->config_file, NULL };
	char text[TEXT_MAX];
	if (handover_write(handover, text, sizeof text) != 0) {
		errno = E2BIG;
		return -1;
	}
	if (setenv(VARIABLE, text, 1) != 0)
		return -1;
	keep_over_exec(handover, true);
	execv(program->path, (char *const *)(const void *)arguments);
	int saved = errno;
	keep_over_exec(handover, false);
	unsetenv(VARIABLE);
	errno = saved;
	return -1;
}
