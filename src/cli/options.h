#ifndef NEEDTOKNOW_CLI_OPTIONS_H
#define NEEDTOKNOW_CLI_OPTIONS_H

#include "cli/command.h"

#include <needtoknow/client.h>

#include <stdint.h>
#include <stdio.h>

/* The flags of every command that connects: --address, --ca, --cert, --key, --server-name. */
extern const struct flag connection_flags[];

/*
 * argv[first] and on -> *out. EXIT_OK; EXIT_USAGE after a line on `errors` that says what is wrong and what is near it.
 * *help is set when
 * --help was asked for, whatever else there is.
 */
enum exit_code options_parse(const struct command *command, int argc, char **argv, int first, struct invocation *out,
	bool *help, FILE *errors);

/* The connection's flags, or else NEEDTOKNOW_ADDRESS, _CA, _CERT and _KEY. EXIT_OK, or EXIT_USAGE after a line that
 * says which is missing. */
enum exit_code options_connection(const struct invocation *invocation, struct needtoknow_options *out, FILE *errors);

/* A number from `least` to `most`. EXIT_OK and *out, which stays as it is when the flag is not given; or EXIT_USAGE
 * after a line. */
enum exit_code options_number(
	const struct invocation *invocation, const char *name, int32_t least, int32_t most, int32_t *out, FILE *errors);

/* The index of an entry. As above. */
enum exit_code options_index(const struct invocation *invocation, const char *name, uint64_t *out, FILE *errors);

/* A time, see when.h; microseconds since 1970. As above. */
enum exit_code options_time(const struct invocation *invocation, const char *name, int64_t *out, FILE *errors);

/* Writes `: did you mean X?` when one of the known names is near. */
struct nearest;
void options_suggest(const struct nearest *nearest, const char *prefix, FILE *errors);

#endif
