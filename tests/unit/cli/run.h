#ifndef NEEDTOKNOW_TESTS_UNIT_CLI_RUN_H
#define NEEDTOKNOW_TESTS_UNIT_CLI_RUN_H

#include "cli/command.h"
#include "cli/output.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a command line printed, and how it ended. */
struct ran {
	int code;
	char out[65536], err[65536];
};

static inline void run_read(FILE *file, char *out, size_t size)
{
	rewind(file);
	out[fread(out, 1, size - 1, file)] = '\0';
	fclose(file);
}

/* The words after `needtoknow`, up to a NULL, in a process of their own. */
static inline void run(struct ran *ran, ...)
{
	char *argv[40] = { (char *)(uintptr_t) "needtoknow" };
	int argc = 1, status = 0;
	FILE *out = tmpfile(), *err = tmpfile();
	va_list words;

	va_start(words, ran);
	while ((argv[argc] = va_arg(words, char *)) != NULL)
		argc++;
	va_end(words);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(fileno(out), STDOUT_FILENO);
		dup2(fileno(err), STDERR_FILENO);
		output_init();
		exit((int)cli_main(argc, argv));
	}
	waitpid(pid, &status, 0);
	ran->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	run_read(out, ran->out, sizeof ran->out);
	run_read(err, ran->err, sizeof ran->err);
}

#endif
