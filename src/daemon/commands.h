#ifndef NEEDTOKNOW_DAEMON_COMMANDS_H
#define NEEDTOKNOW_DAEMON_COMMANDS_H

#include <stddef.h>

/*
 * The daemon's subcommands, a line of the table in commands.c each, from which dispatch, flags and --help come.
 * Exit codes: 0 done or stopped in order, 1 failed, 2 wrong usage, 3 (check, doctor) something did not answer.
 */
enum exit_code {
	EXIT_CODE_DONE = 0,
	EXIT_CODE_FAILED = 1,
	EXIT_CODE_USAGE = 2,
	EXIT_CODE_UNANSWERED = 3,
};

/* main() without what must come before everything else. */
int commands_main(int argc, char **argv);

/* ---- the commands; `values` holds a command's flags in the order of its table: NULL where one was not given ---- */

enum {
	RUN_CONFIG
};
int command_run(const char *const *values);

enum {
	CHECK_CONFIG,
	CHECK_OFFLINE
};
int command_check(const char *const *values);

enum {
	DOCTOR_CONFIG,
	DOCTOR_VERBOSE,
	DOCTOR_JSON
};
int command_doctor(const char *const *values);

enum {
	MIGRATE_DSN,
	MIGRATE_STATE_ROLE,
	MIGRATE_SOURCE_ROLE,
	MIGRATE_AUDIT_ROLE
};
int command_migrate(const char *const *values);

enum {
	KEYGEN_NAME,
	KEYGEN_OUT
};
int command_keygen(const char *const *values);

enum {
	VKEY_KEY
};
int command_vkey(const char *const *values);

enum {
	MAINTAIN_DSN,
	MAINTAIN_DRY_RUN
};
int command_maintain(const char *const *values);

enum {
	REAPPLY_CONFIG
};
int command_reapply(const char *const *values);

#endif
