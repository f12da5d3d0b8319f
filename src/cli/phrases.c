#include "cli/phrases.h"

#include "pure/duration.h"
#include "pure/time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEXTS(name, english, french) { [LANGUAGE_ENGLISH] = english, [LANGUAGE_FRENCH] = french },
static const char *const texts[][LANGUAGE_COUNT] = { PHRASES(TEXTS) };
_Static_assert(sizeof texts / sizeof texts[0] == PHRASE_COUNT && LANGUAGE_COUNT == 2,
	"each phrase has a text in each language");

const char *phrase_text(enum language language, enum phrase phrase)
{
	return texts[phrase][language];
}

int language_parse(const char *text, enum language *out)
{
	for (int i = 0; i < LANGUAGE_COUNT; i++) {
		if (strcmp(texts[PHRASE_LANGUAGE_CODE][i], text) == 0) {
			*out = (enum language)i;
			return 0;
		}
	}
	return -1;
}

enum language language_of_locale(void)
{
	static const char *const variables[] = { "LC_ALL", "LC_MESSAGES", "LANG" };

	for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
		const char *value = getenv(variables[i]);
		if (value != NULL && value[0] != '\0')
			return strncmp(value, "en", 2) == 0 && (value[2] == '_' || value[2] == '\0') ? LANGUAGE_ENGLISH
												     : LANGUAGE_FRENCH;
	}
	return LANGUAGE_FRENCH;
}

#define MONTH(english, french) { english, french },
static const char *const months[][LANGUAGE_COUNT] = { MONTH("January", "janvier") MONTH("February", "février") MONTH(
	"March", "mars") MONTH("April", "avril") MONTH("May", "mai") MONTH("June", "juin") MONTH("July", "juillet")
		MONTH("August", "août") MONTH("September", "septembre") MONTH("October", "octobre")
			MONTH("November", "novembre") MONTH("December", "décembre") };
_Static_assert(sizeof months / sizeof months[0] == 12, "each month has a name");

static int local(int64_t microseconds, struct tm *out)
{
	time_t seconds = (time_t)(microseconds / TIME_SECOND - (microseconds % TIME_SECOND < 0));

	tzset();
	return localtime_r(&seconds, out) != NULL ? 0 : -1;
}

void phrase_time(enum language language, int64_t time, char out[PHRASE_TIME_MAX])
{
	struct tm tm;

	if (local(time, &tm) != 0) {
		snprintf(out, PHRASE_TIME_MAX, "-");
		return;
	}
	snprintf(out, PHRASE_TIME_MAX,
		language == LANGUAGE_FRENCH ? "%d%s %s %d à %d\u00A0h\u00A0%02d" : "%d%s %s %d at %d:%02d", tm.tm_mday,
		language == LANGUAGE_FRENCH && tm.tm_mday == 1 ? "er" : "", months[tm.tm_mon][language],
		tm.tm_year + 1900, tm.tm_hour, tm.tm_min);
}

void phrase_zone(int64_t time, char out[PHRASE_TIME_MAX])
{
	const char *zone = getenv("TZ");
	struct tm tm;

	if (zone != NULL && strchr(zone, '/') != NULL && strpbrk(zone, ",:") == NULL && zone[0] != '/')
		snprintf(out, PHRASE_TIME_MAX, "%s", zone);
	else
		snprintf(out, PHRASE_TIME_MAX, "%s", local(time, &tm) == 0 ? tm.tm_zone : "-");
}

#define UNIT(letter, english, english_many, french, french_many)                                                       \
	{                                                                                                              \
		letter, { english, french },                                                                           \
		{                                                                                                      \
			english_many, french_many                                                                      \
		}                                                                                                      \
	}
static const struct {
	char letter;
	const char *one[LANGUAGE_COUNT], *many[LANGUAGE_COUNT];
} units[] = {
	UNIT('s', "second", "seconds", "seconde", "secondes"),
	UNIT('m', "minute", "minutes", "minute", "minutes"),
	UNIT('h', "hour", "hours", "heure", "heures"),
	UNIT('d', "day", "days", "jour", "jours"),
	UNIT('y', "year", "years", "an", "ans"),
};

void phrase_duration(enum language language, const char *duration, char out[PHRASE_TIME_MAX])
{
	size_t digits = strspn(duration, "0123456789");
	int64_t length;

	snprintf(out, PHRASE_TIME_MAX, "%s", duration);
	if (duration_parse(duration, &length) != 0)
		return;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		const char *const *words = strtol(duration, NULL, 10) == 1 ? units[i].one : units[i].many;
		if (units[i].letter == duration[digits])
			snprintf(out, PHRASE_TIME_MAX, "%.*s %s", (int)digits, duration, words[language]);
	}
}
