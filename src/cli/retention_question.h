#ifndef NEEDTOKNOW_CLI_RETENTION_QUESTION_H
#define NEEDTOKNOW_CLI_RETENTION_QUESTION_H

#include "pure/policy.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Asks a company's database, as the role that may call its functions, whose columns are to go: retention_due() for each
 * question of pure/column_retention.h, in its order. Changes nothing. For commands, which have no loop of their own.
 */
struct retention_line {
	const char *subject_id;
	const char *columns; /* a line each */
	int64_t since; /* from which on they were to go; TIME_NONE: the company does not say */
};

/* Told of each question that it begins, with how many clients it is about, of some of them, and that it ends. */
struct retention_listener {
	void (*begin)(void *context, size_t question, uint64_t clients);
	void (*client)(void *context, const struct retention_line *line);
	void (*end)(void *context);
	void *context;
};

#define RETENTION_ALL (-1)

/* Tells of at most `limit` clients a question, oldest first. 0, or -1 and in `error` one line for the operator. */
int retention_ask(const char *conninfo, const struct policy *policy, int64_t limit,
	const struct retention_listener *listener, char *error, size_t error_size);

#endif
