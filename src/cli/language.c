#include "cli/language.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const tags[LANGUAGES] = {
	[LANGUAGE_ENGLISH] = "en",
	[LANGUAGE_FRENCH] = "fr",
};

/* `fr`, and `fr_FR.UTF-8` of a locale. LANGUAGES: none of ours. */
static enum language find(const char *name)
{
	for (enum language language = 0; language < LANGUAGES; language++) {
		size_t length = strlen(tags[language]);
		if (strncmp(name, tags[language], length) == 0 && strchr("_.@-", name[length]) != NULL)
			return language;
	}
	return LANGUAGES;
}

/* The first of these that is set says it, as for every program (POSIX, locale(7)). */
static enum language of_environment(void)
{
	static const char *const variables[] = { "LC_ALL", "LC_MESSAGES", "LANG" };

	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
		const char *value = getenv(variables[i]);
		if (value != NULL && *value != '\0') {
			enum language language = find(value);
			return language < LANGUAGES ? language : LANGUAGE_ENGLISH;
		}
	}
	return LANGUAGE_ENGLISH;
}

enum exit_code language_choose(const struct invocation *invocation, enum language *out)
{
	const char *asked = flag_value(invocation, "language");
	enum language language = asked != NULL ? find(asked) : of_environment();

	if (language == LANGUAGES) {
		fprintf(stderr, "needtoknow %s: --language: `%s` is neither fr nor en\n", invocation->command->name,
			asked);
		return EXIT_USAGE;
	}
	*out = language;
	return EXIT_OK;
}

const char *language_tag(enum language language)
{
	return tags[language];
}
