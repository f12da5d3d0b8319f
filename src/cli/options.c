#include "cli/options.h"

#include "cli/when.h"
#include "pure/nearest.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

const struct flag connection_flags[] = {
	{ "address", "HOST:PORT", "where needtoknow listens [NEEDTOKNOW_ADDRESS]", false },
	{ "ca", "FILE", "who signs the server's certificate, PEM [NEEDTOKNOW_CA]", false },
	{ "cert", "FILE", "our certificate, PEM; it says who we are [NEEDTOKNOW_CERT]", false },
	{ "key", "FILE", "its key, PEM [NEEDTOKNOW_KEY]", false },
	{ "server-name", "NAME", "that the server's certificate carries, when it is not the address's host", false },
	{ 0 },
};

static size_t count_flags(const struct flag *flags)
{
	size_t count = 0;

	while (flags != NULL && flags[count].name != NULL)
		count++;
	return count;
}

/* The place of each of a command's flags in invocation->values. */
static const struct flag *flag_at(const struct command *command, size_t place)
{
	size_t own = count_flags(command->flags);

	if (place < own)
		return &command->flags[place];
	if (command->connects && place - own < count_flags(connection_flags))
		return &connection_flags[place - own];
	return NULL;
}

const char *flag_value(const struct invocation *invocation, const char *name)
{
	const struct flag *flag;

	for (size_t i = 0; (flag = flag_at(invocation->command, i)) != NULL; i++) {
		if (strcmp(flag->name, name) == 0)
			return invocation->values[i];
	}
	assert(!"a command asks for a flag that it does not have");
	return NULL;
}

char *flag_text(const struct invocation *invocation, const char *name)
{
	return (char *)(uintptr_t)flag_value(invocation, name);
}

char *operand_text(const struct invocation *invocation)
{
	return (char *)(uintptr_t)invocation->operand;
}

bool flag_given(const struct invocation *invocation, const char *name)
{
	return flag_value(invocation, name) != NULL;
}

void options_suggest(const struct nearest *nearest, const char *prefix, FILE *errors)
{
	if (nearest->best != NULL)
		fprintf(errors, "; did you mean `%s%s`?", prefix, nearest->best);
}

static enum exit_code bad_flag(const struct command *command, const char *argument, FILE *errors)
{
	struct nearest nearest;
	char written[64];
	const struct flag *flag;

	snprintf(written, sizeof written, "%.*s", (int)strcspn(argument, "="), argument);
	nearest_init(&nearest, written + strspn(written, "-"));
	for (size_t i = 0; (flag = flag_at(command, i)) != NULL; i++)
		nearest_try(&nearest, flag->name);
	nearest_try(&nearest, "help");
	fprintf(errors, "needtoknow %s: unknown flag `%s`", command->name, written);
	options_suggest(&nearest, "--", errors);
	fprintf(errors, "\nneedtoknow %s --help lists them.\n", command->name);
	return EXIT_USAGE;
}

static enum exit_code check_complete(const struct invocation *invocation, int argc, char **argv, int next, FILE *errors)
{
	const struct command *command = invocation->command;
	const char *operands[] = { command->operand, command->second_operand };
	const struct flag *flag;

	for (int i = 0; i < 2 && operands[i] != NULL; i++, next++) {
		if (next < argc)
			continue;
		if (operands[i][0] == '[')
			break;
		fprintf(errors, "needtoknow %s: %s is missing\n", command->name, operands[i]);
		return EXIT_USAGE;
	}
	if (argc > next) {
		fprintf(errors, "needtoknow %s: `%s` is one word too many\n", command->name, argv[next]);
		return EXIT_USAGE;
	}
	for (size_t i = 0; (flag = flag_at(command, i)) != NULL; i++) {
		if (flag->required && invocation->values[i] == NULL) {
			fprintf(errors, "needtoknow %s: --%s %s is missing: %s\n", command->name, flag->name,
				flag->argument, flag->help);
			return EXIT_USAGE;
		}
	}
	return EXIT_OK;
}

enum exit_code options_parse(const struct command *command, int argc, char **argv, int first, struct invocation *out,
	bool *help, FILE *errors)
{
	struct invocation invocation = { .command = command };
	struct option options[FLAGS_MAX + 2] = { 0 };
	const struct flag *flag;
	size_t count = 0;
	int place, option;

	*help = false;
	for (; (flag = flag_at(command, count)) != NULL; count++) {
		assert(count < FLAGS_MAX);
		options[count].name = flag->name;
		options[count].has_arg = flag->argument != NULL ? required_argument : no_argument;
	}
	options[count].name = "help";
	options[count].val = 'h';
	optind = 0; /* glibc: start anew, so that a process may parse more than one line */
	argv += first - 1;
	argc -= first - 1;
	while ((option = getopt_long(argc, argv, ":h", options, &place)) != -1) {
		if (option == 'h') {
			*help = true;
			return EXIT_OK;
		}
		if (option == ':') {
			fprintf(errors, "needtoknow %s: %s needs a value\n", command->name, argv[optind - 1]);
			return EXIT_USAGE;
		}
		if (option != 0)
			return bad_flag(command, argv[optind - 1], errors);
		if (invocation.values[place] != NULL) {
			fprintf(errors, "needtoknow %s: --%s is given twice\n", command->name, options[place].name);
			return EXIT_USAGE;
		}
		invocation.values[place] = optarg != NULL ? optarg : "";
	}
	enum exit_code code = check_complete(&invocation, argc, argv, optind, errors);
	if (code != EXIT_OK)
		return code;
	invocation.operand = command->operand != NULL ? argv[optind] : NULL;
	invocation.second_operand = command->second_operand != NULL && optind + 1 < argc ? argv[optind + 1] : NULL;
	*out = invocation;
	return EXIT_OK;
}

enum exit_code options_connection(const struct invocation *invocation, struct needtoknow_options *out, FILE *errors)
{
	static const struct {
		const char *flag, *variable, *what;
	} needed[] = {
		{ "address", "NEEDTOKNOW_ADDRESS", "where needtoknow listens, host:port" },
		{ "ca", "NEEDTOKNOW_CA", "the certificate of who signs the server's certificate" },
		{ "cert", "NEEDTOKNOW_CERT", "our certificate" },
		{ "key", "NEEDTOKNOW_KEY", "the key of our certificate" },
	};
	const char *values[4];

	for (size_t i = 0; i < 4; i++) {
		values[i] = flag_value(invocation, needed[i].flag);
		if (values[i] == NULL)
			values[i] = getenv(needed[i].variable);
		if (values[i] == NULL || values[i][0] == '\0') {
			fprintf(errors, "needtoknow %s: %s is not known: give --%s, or set %s\n",
				invocation->command->name, needed[i].what, needed[i].flag, needed[i].variable);
			return EXIT_USAGE;
		}
	}
	*out = (struct needtoknow_options){
		.address = values[0],
		.ca = values[1],
		.certificate = values[2],
		.key = values[3],
		.server_name = flag_value(invocation, "server-name"),
	};
	return EXIT_OK;
}

enum exit_code options_number(
	const struct invocation *invocation, const char *name, int32_t least, int32_t most, int32_t *out, FILE *errors)
{
	const char *text = flag_value(invocation, name);
	char *end;

	if (text == NULL)
		return EXIT_OK;
	errno = 0;
	long number = strtol(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0 || number < least || number > most) {
		fprintf(errors, "needtoknow %s: --%s: `%s` is not a number from %d to %d\n", invocation->command->name,
			name, text, least, most);
		return EXIT_USAGE;
	}
	*out = (int32_t)number;
	return EXIT_OK;
}

enum exit_code options_index(const struct invocation *invocation, const char *name, uint64_t *out, FILE *errors)
{
	const char *text = flag_value(invocation, name);

	if (text == NULL)
		return EXIT_OK;
	/* 18 digits are below 2^63, which is what the ledger counts to. */
	if (text[0] == '\0' || strlen(text) > 18 || strspn(text, "0123456789") != strlen(text)) {
		fprintf(errors, "needtoknow %s: --%s: `%s` is not the index of an entry, 0 or more\n",
			invocation->command->name, name, text);
		return EXIT_USAGE;
	}
	*out = strtoull(text, NULL, 10);
	return EXIT_OK;
}

enum exit_code options_time(const struct invocation *invocation, const char *name, int64_t *out, FILE *errors)
{
	const char *text = flag_value(invocation, name);

	if (text == NULL || when_parse(text, when_now(), out) == 0)
		return EXIT_OK;
	fprintf(errors, "needtoknow %s: --%s: `%s` is not a time: " WHEN_ALLOWED "\n", invocation->command->name, name,
		text);
	return EXIT_USAGE;
}
