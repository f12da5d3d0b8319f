#ifndef NEEDTOKNOW_CLI_COMMAND_H
#define NEEDTOKNOW_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

/* What a subcommand is: a line of the table in commands.c, from which dispatch, flags and --help come. */

enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2, /* a flag, an operand or a file is wrong: the line on standard error says which */
	EXIT_REFUSED = 3, /* by the policy or by a right of the subject */
	EXIT_UNAVAILABLE = 4, /* nobody answers, or not now: try again */
	EXIT_NOT_PERMITTED = 5, /* this certificate may not do that, or is not trusted */
};

struct flag {
	const char *name; /* without the dashes; NULL ends the list */
	const char *argument; /* `ID`; NULL: a switch */
	const char *help;
	bool required;
};

struct invocation;

struct command {
	const char *name; /* one word, or two: `recipient put` */
	const char *group;
	const char *summary;
	const char *operand; /* `FILE`: exactly one is needed; NULL: none is allowed */
	const char *second_operand; /* after the first; `[SERVICE]`: may be left out */
	const char *details; /* paragraphs for --help; NULL: none */
	const char *examples; /* lines; NULL: none */
	const struct flag *flags; /* its own; NULL: none */
	bool connects; /* takes the flags of the connection too */
	enum exit_code (*run)(const struct invocation *invocation);
};

#define FLAGS_MAX 24

/* A command line that has been understood. The strings are argv's and the environment's. */
struct invocation {
	const struct command *command;
	const char *operand, *second_operand;
	const char *values[FLAGS_MAX]; /* by place in command->flags, then in the connection's; NULL: not given */
};

/* The value of a flag, "" for a switch that was given; NULL: not given. The name must be one of the command's. */
const char *flag_value(const struct invocation *invocation, const char *name);
/* The same for a protobuf-c message, whose strings are not const and are not written to. */
char *flag_text(const struct invocation *invocation, const char *name);
char *operand_text(const struct invocation *invocation);
bool flag_given(const struct invocation *invocation, const char *name);

/* The table, ended by a NULL name. */
extern const struct command commands[];

/* main() without what only a process can do. */
enum exit_code cli_main(int argc, char **argv);

#endif
