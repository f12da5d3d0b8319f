#include "cli/help.h"

#include "cli/options.h"
#include "cli/output.h"

#include <string.h>

static const char exit_codes[] =
	"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused by the policy or by a right of the client,\n"
	"4 unavailable (try again), 5 not permitted.\n";

/* A word of `name`, or all of it. */
static bool in_group(const char *name, const char *group)
{
	size_t length = strlen(group);

	return strncmp(name, group, length) == 0 && (name[length] == ' ' || name[length] == '\0');
}

void help_overview(FILE *file, const char *group)
{
	const char *bold = output_style(file, STYLE_BOLD), *plain = output_style(file, STYLE_PLAIN);
	const char *heading = "";

	if (group == NULL)
		fputs("needtoknow sends the provider who does the work what the work needs, while it needs it, and "
		      "proves it.\n\n",
			file);
	fprintf(file, "%sUsage:%s needtoknow %s%sCOMMAND [FLAGS]\n", bold, plain, group != NULL ? group : "",
		group != NULL ? " " : "");
	for (const struct command *command = commands; command->name != NULL; command++) {
		if (group != NULL && !in_group(command->name, group))
			continue;
		if (strcmp(command->group, heading) != 0) {
			heading = command->group;
			fprintf(file, "\n%s%s%s\n", bold, heading, plain);
		}
		fprintf(file, "  %-19s %s\n", command->name, command->summary);
	}
	fprintf(file, "\n`needtoknow COMMAND --help` tells more about one of them.\n");
	if (group != NULL)
		return;
	fputs("\nWhere and who: NEEDTOKNOW_ADDRESS, NEEDTOKNOW_CA, NEEDTOKNOW_CERT and NEEDTOKNOW_KEY, or the flags "
	      "--address,\n"
	      "--ca, --cert and --key. The role of the certificate says which commands may be used.\n",
		file);
	fputs(exit_codes, file);
}

static void print_flags(FILE *file, const char *heading, const struct flag *flags)
{
	if (flags == NULL || flags->name == NULL)
		return;
	fprintf(file, "\n%s%s%s\n", output_style(file, STYLE_BOLD), heading, output_style(file, STYLE_PLAIN));
	for (; flags->name != NULL; flags++) {
		char left[64];
		snprintf(left, sizeof left, "--%s%s%s", flags->name, flags->argument != NULL ? " " : "",
			flags->argument != NULL ? flags->argument : "");
		fprintf(file, "  %-24s %s%s\n", left, flags->help, flags->required ? " (needed)" : "");
	}
}

void help_command(FILE *file, const struct command *command)
{
	const char *bold = output_style(file, STYLE_BOLD), *plain = output_style(file, STYLE_PLAIN);
	bool flags = command->connects || (command->flags != NULL && command->flags->name != NULL);

	fprintf(file, "%s.\n\n%sUsage:%s needtoknow %s%s", command->summary, bold, plain, command->name,
		flags ? " [FLAGS]" : "");
	if (command->operand != NULL)
		fprintf(file, " %s", command->operand);
	if (command->second_operand != NULL)
		fprintf(file, " %s", command->second_operand);
	putc('\n', file);
	if (command->details != NULL)
		fprintf(file, "\n%s\n", command->details);
	print_flags(file, "Flags", command->flags);
	if (command->connects)
		print_flags(file, "Connection", connection_flags);
	if (command->examples != NULL)
		fprintf(file, "\n%sExamples%s\n%s", bold, plain, command->examples);
	fprintf(file, "\n%s", exit_codes);
}
