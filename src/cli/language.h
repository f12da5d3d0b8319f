#ifndef NEEDTOKNOW_CLI_LANGUAGE_H
#define NEEDTOKNOW_CLI_LANGUAGE_H

#include "cli/command.h"

/* The languages of what a client or a data-protection officer reads. */
enum language {
	LANGUAGE_ENGLISH,
	LANGUAGE_FRENCH,
	LANGUAGES,
};

/* A flag of every command that writes in them. */
#define LANGUAGE_FLAG                                                                                                  \
	{                                                                                                              \
		"language", "fr|en", "write in this language [that of LC_ALL, LC_MESSAGES or LANG; else en]", false    \
	}

/* `fr` or `en`, from --language or the environment. EXIT_OK, or EXIT_USAGE after a line on standard error. */
enum exit_code language_choose(const struct invocation *invocation, enum language *out);

const char *language_tag(enum language language); /* BCP 47: `fr` */

#endif
