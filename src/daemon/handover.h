#ifndef NEEDTOKNOW_DAEMON_HANDOVER_H
#define NEEDTOKNOW_DAEMON_HANDOVER_H

#include "daemon/configuration.h"
#include "daemon/listeners.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * A rolling restart: the supervisor becomes the program that now lies where it was started from, by execve(2). It stays
 * the same process, so that its workers stay its children and the service manager notices nothing; what it cannot read
 * anew, the sockets that callers wait at and the workers that serve, it leaves itself in the environment.
 */
#define HANDOVER_ELDERS_MAX (2 * WORKERS_MAX)

struct handover {
	struct listeners listeners;
	int monitor; /* the monitoring's listening socket; -1: it has none */
	unsigned elder_count, leaving_count;
	pid_t elders[HANDOVER_ELDERS_MAX]; /* the workers that serve; our children */
	pid_t leaving[HANDOVER_ELDERS_MAX]; /* those that were told to end */
};

/* What it takes to start again. */
struct program {
	char path[4096]; /* of the file that runs, as it was when it was started */
	const char *config_file;
};

/* 0, or -1 with errno. `config_file` must outlive it. */
int program_of_this_process(struct program *program, const char *config_file);

/*
 * What was left to this process, and takes it out of the environment: 1. 0: nothing was. -1 and a line in `error`: it
 * cannot be read.
 */
int handover_take(struct handover *handover, char *error, size_t error_size);

/* Starts `PROGRAM check --config FILE`, which says on standard error what is wrong. Its pid, or -1 with errno. */
pid_t handover_examine(const struct program *program);

/* Becomes the program. Returns only when it cannot: -1 with errno, and all is as it was. */
int handover_go(const struct handover *handover, const struct program *program);

/* One more of the workers; `leaving`: it was told to end. -1: it does not fit. */
int handover_add(struct handover *handover, pid_t pid, bool leaving);

/* The environment's text, and back; for the tests. 0, or -1: it does not fit, or is none. */
int handover_write(const struct handover *handover, char *text, size_t size);
int handover_read(struct handover *handover, const char *text);

#endif
