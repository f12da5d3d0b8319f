#include "daemon/commands.h"

#include "daemon/maintain.h"
#include "daemon/migrate.h"
#include "pure/nearest.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PROGRAM "needtoknowd"
#define FLAGS_MAX 4

struct flag {
	const char *name; /* with its dashes */
	const char *argument; /* NULL: it takes none */
	const char *help;
	bool required;
};

struct command {
	const char *name, *summary, *details;
	int (*run)(const char *const *values);
	struct flag flags[FLAGS_MAX + 1]; /* ends with a NULL name */
};

static int command_version(const char *const *values);
static int command_help(const char *const *values);

static const struct command commands[] = {
	{
		.name = "run",
		.summary = "Serve, until SIGTERM",
		.details = "First it looks at all that `check` looks at, and does not start when anything is wrong; a "
			   "database\n"
			   "that does not answer is waited for. Then a supervisor keeps the configuration's number of "
			   "workers.\n"
			   "It logs to standard error. SIGTERM and SIGINT let calls finish and end it; SIGHUP has "
			   "certificate,\n"
			   "key, lists and policy read again, and drops no connection. SIGUSR2 restarts the workers "
			   "one by "
			   "one, with\n"
			   "the program and the configuration as they are now, and fails no call.",
		.run = command_run,
		.flags = { [RUN_CONFIG] = { "--config", "FILE", "the configuration", true } },
	},
	{
		.name = "check",
		.summary = "Say what is wrong with a configuration, and serve nothing",
		.details = "Reads the configuration and every file that it names, then asks the databases whether our "
			   "schema is\n"
			   "there and whether the policy fits the company's views. One line for each thing that is "
			   "wrong.\n"
			   "It changes nothing.",
		.run = command_check,
		.flags = { [CHECK_CONFIG] = { "--config", "FILE", "the configuration", true },
			[CHECK_OFFLINE] = { "--offline", NULL, "look at the files alone", false } },
	},
	{
		.name = "doctor",
		.summary = "Look at everything, and say how to mend what is wrong",
		.details = "What to run first, and whenever in doubt, as the daemon's user: configuration, policy, "
			   "certificates, keys,\n"
			   "state_dir, databases with their roles, rights, settings and clocks, migrations, views and "
			   "their plans,\n"
			   "the ledger against its checkpoints, the addresses. A line each, `ok`, `warning`, `unknown` "
			   "or `wrong`, with\n"
			   "the command that mends it. It changes nothing. For monitoring: 0 nothing is wrong, 1 "
			   "something is, 3\n"
			   "something did not answer.",
		.run = command_doctor,
		.flags = { [DOCTOR_CONFIG] = { "--config", "FILE", "the configuration", true },
			[DOCTOR_VERBOSE] = { "--verbose", NULL, "show the plans of lookups too", false },
			[DOCTOR_JSON] = { "--json", NULL, "an object a line", false } },
	},
	{
		.name = "migrate",
		.summary = "Bring the schema `needtoknow` to this version",
		.details = "To be run by the role that is to own the schema. Each migration is a transaction; "
			   "repeating it does\n"
			   "no harm. The roles named are granted what the daemon needs, and nothing more.",
		.run = command_migrate,
		.flags = { [MIGRATE_DSN] = { "--dsn", "DSN", "libpq's connection string, as the owner", true },
			[MIGRATE_STATE_ROLE] = { "--state-role", "ROLE",
				"[needtoknow_state] keeps the daemon's own tables", false },
			[MIGRATE_SOURCE_ROLE] = { "--source-role", "ROLE",
				"[needtoknow_source] reads the company's views", false },
			[MIGRATE_AUDIT_ROLE] = { "--audit-role", "ROLE", "[needtoknow_audit] answers auditors",
				false } },
	},
	{
		.name = "maintain",
		.summary = "Make room in the ledger, and remove what is kept no longer",
		.details = "To be run every day, by the role that owns the schema, while the daemon serves. Adds "
			   "partitions ahead,\n"
			   "removes bodies of entries that the ledger says may go (PRUNED), and clears subject and "
			   "booking of what\n"
			   "ended longer ago than the policy keeps them. Repeating it does no harm.",
		.run = command_maintain,
		.flags = { [MAINTAIN_DSN] = { "--dsn", "DSN", "libpq's connection string, as the owner", true },
			[MAINTAIN_DRY_RUN] = { "--dry-run", NULL, "say what would be done, and do nothing", false } },
	},
	{
		.name = "reapply-erasures",
		.summary = "After a restore from a backup, erase again who was erased since",
		.details =
			"Erases again whoever is in the erasure list (`erasures` in state_dir, which no backup of the "
			"database takes\n"
			"back) and not erased in the database. A daemon that finds such a one serves nothing until "
			"then, "
			"and\n"
			"goes on by itself afterwards. As the daemon's user. Repeating it does no harm.",
		.run = command_reapply,
		.flags = { [REAPPLY_CONFIG] = { "--config", "FILE", "the configuration", true } },
	},
	{
		.name = "keygen",
		.summary = "Make a key that signs the ledger's checkpoints",
		.details = "The key goes into a new file that its owner alone can read; what is printed verifies: "
			   "give it to auditors.\n"
			   "The name is the ledger's in each checkpoint, for ever: a domain of yours and a path, "
			   "`company.example/needtoknow`.",
		.run = command_keygen,
		.flags = { [KEYGEN_NAME] = { "--name", "NAME", "the ledger's name", true },
			[KEYGEN_OUT] = { "--out", "FILE", "is made, and never written over", true } },
	},
	{
		.name = "vkey",
		.summary = "Print what verifies a key's signatures",
		.details = "The line that `keygen` printed: it is no secret.",
		.run = command_vkey,
		.flags = { [VKEY_KEY] = { "--key", "FILE", "that `keygen` made", true } },
	},
	{ .name = "version", .summary = "Print the version", .run = command_version },
	{ .name = "help", .summary = "Print this", .run = command_help },
};

#define COMMANDS (sizeof commands / sizeof *commands)

static const char exit_codes[] = "Exit codes: 0 done, or stopped in order; 1 failed: standard error says why; 2 wrong "
				 "usage; 3 from check and doctor:\n"
				 "nothing is known to be wrong, and something did not answer.\n";

/* ---- help ---- */

static void overview(FILE *out)
{
	fputs("needtoknowd shares clients' data with service providers: the least, in time, and logged before it "
	      "leaves.\n\n"
	      "Usage: " PROGRAM " COMMAND [FLAGS]\n\n",
		out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-16s %s\n", commands[i].name, commands[i].summary);
	fprintf(out, "\n`" PROGRAM " COMMAND --help` tells more about one of them; needtoknowd(8) about all.\n%s",
		exit_codes);
}

static void describe(const struct command *command, FILE *out)
{
	fprintf(out, "%s.\n\nUsage: " PROGRAM " %s", command->summary, command->name);
	for (const struct flag *flag = command->flags; flag->name; flag++)
		fprintf(out, flag->required ? " %s%s%s" : " [%s%s%s]", flag->name, flag->argument ? " " : "",
			flag->argument ? flag->argument : "");
	fprintf(out, "\n%s%s%s", command->details ? "\n" : "", command->details ? command->details : "",
		command->details ? "\n" : "");
	for (const struct flag *flag = command->flags; flag->name; flag++)
		fprintf(out, "%s  %-14s %-5s %s\n", flag == command->flags ? "\n" : "", flag->name,
			flag->argument ? flag->argument : "", flag->help);
	fprintf(out, "\n%s", exit_codes);
}

static int command_help(const char *const *values)
{
	(void)values;
	overview(stdout);
	return EXIT_CODE_DONE;
}

static int command_version(const char *const *values)
{
	(void)values;
	puts(PROGRAM " " NEEDTOKNOW_VERSION);
	return EXIT_CODE_DONE;
}

int command_migrate(const char *const *values)
{
	const struct migrate_roles roles = {
		.state = values[MIGRATE_STATE_ROLE],
		.source = values[MIGRATE_SOURCE_ROLE],
		.audit = values[MIGRATE_AUDIT_ROLE],
	};
	return migrate_run(values[MIGRATE_DSN], &roles, stdout, stderr) == 0 ? EXIT_CODE_DONE : EXIT_CODE_FAILED;
}

int command_maintain(const char *const *values)
{
	bool dry = values[MAINTAIN_DRY_RUN] != NULL;
	return maintain_run(values[MAINTAIN_DSN], dry, stdout, stderr) == 0 ? EXIT_CODE_DONE : EXIT_CODE_FAILED;
}

/* ---- the command line ---- */

static bool asks_for_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static const struct command *find_command(const char *word)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].name, word) == 0)
			return &commands[i];
	}
	return NULL;
}

/* The flag that `word` is, or is up to its equals sign; -1. */
static int find_flag(const struct command *command, const char *word)
{
	size_t length = strcspn(word, "=");
	for (int i = 0; command->flags[i].name; i++) {
		if (strlen(command->flags[i].name) == length && strncmp(command->flags[i].name, word, length) == 0)
			return i;
	}
	return -1;
}

/* And which known name is near; `where`: the command, or "" before there is one. */
static int not_understood(const char *where, const struct nearest *nearest)
{
	fprintf(stderr, PROGRAM "%s%s: `%s` is not understood", *where ? " " : "", where, nearest->wanted);
	if (nearest->best)
		fprintf(stderr, "; did you mean `%s`?", nearest->best);
	fprintf(stderr, "\n`" PROGRAM "%s%s --help` lists what is.\n", *where ? " " : "", where);
	return EXIT_CODE_USAGE;
}

static int unknown_command(const char *word)
{
	struct nearest nearest;
	nearest_init(&nearest, word);
	for (size_t i = 0; i < COMMANDS; i++)
		nearest_try(&nearest, commands[i].name);
	return not_understood("", &nearest);
}

static int unknown_flag(const struct command *command, const char *word)
{
	struct nearest nearest;
	nearest_init(&nearest, word);
	for (const struct flag *flag = command->flags; flag->name; flag++)
		nearest_try(&nearest, flag->name);
	return not_understood(command->name, &nearest);
}

static int wrong_flag(const struct command *command, const struct flag *flag, const char *what)
{
	fprintf(stderr, PROGRAM " %s: %s%s%s %s\n", command->name, flag->name, flag->argument ? " " : "",
		flag->argument ? flag->argument : "", what);
	return EXIT_CODE_USAGE;
}

/* `--flag value` and `--flag=value`; a switch has the value "". */
static int parse_flags(const struct command *command, char **words, const char **values)
{
	while (*words) {
		const char *word = *words++, *equals = strchr(word, '=');
		int index = find_flag(command, word);
		if (index < 0)
			return unknown_flag(command, word);
		const struct flag *flag = &command->flags[index];
		const char *value = "";
		if (equals)
			value = equals + 1;
		else if (flag->argument && *words)
			value = *words++;
		if (!flag->argument && equals)
			return wrong_flag(command, flag, "takes no value");
		if (flag->argument && !*value)
			return wrong_flag(command, flag, "needs a value");
		if (values[index])
			return wrong_flag(command, flag, "is given twice");
		values[index] = value;
	}
	for (int i = 0; command->flags[i].name; i++) {
		if (command->flags[i].required && !values[i])
			return wrong_flag(command, &command->flags[i], "is needed");
	}
	return EXIT_CODE_DONE;
}

int commands_main(int argc, char **argv)
{
	const char *values[FLAGS_MAX] = { NULL };
	if (argc < 2) {
		overview(stderr);
		return EXIT_CODE_USAGE;
	}
	if (asks_for_help(argv[1]))
		return command_help(NULL);
	if (strcmp(argv[1], "--version") == 0)
		return command_version(NULL);
	const struct command *command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	/* `help run` is `run --help`. */
	const struct command *about = command->run == command_help && argc > 2 ? find_command(argv[2]) : NULL;
	for (int i = 2; i < argc && !about; i++)
		about = asks_for_help(argv[i]) ? command : NULL;
	if (about) {
		describe(about, stdout);
		return EXIT_CODE_DONE;
	}
	if (command->run == command_help && argc > 2)
		return unknown_command(argv[2]);
	int status = parse_flags(command, argv + 2, values);
	return status == EXIT_CODE_DONE ? command->run(values) : status;
}
