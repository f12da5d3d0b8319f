/* What pages say, in each language. */
#include "cli/labels.h"
#include "cli/phrases.h"
#include "pure/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool says(const char *text, int number)
{
	char written[4];

	snprintf(written, sizeof written, "{%d}", number);
	return strstr(text, written) != NULL;
}

static void test_each_phrase_says_the_same_in_each_language(void **state)
{
	(void)state;
	for (int phrase = 0; phrase < PHRASE_COUNT; phrase++) {
		const char *english = phrase_text(LANGUAGE_ENGLISH, (enum phrase)phrase);
		const char *french = phrase_text(LANGUAGE_FRENCH, (enum phrase)phrase);
		assert_true(english[0] != '\0' && french[0] != '\0');
		for (int number = 1; number <= 9; number++)
			assert_int_equal(says(english, number), says(french, number));
		/* Typographic quotation marks are those of the language. */
		assert_null(strstr(english, "«"));
		assert_null(strstr(french, "“"));
	}
}

static void expect_locale(const char *all, const char *messages, const char *lang, enum language expected)
{
	setenv("LC_ALL", all, 1);
	setenv("LC_MESSAGES", messages, 1);
	setenv("LANG", lang, 1);
	assert_int_equal(language_of_locale(), expected);
}

static void test_the_locale_decides_and_french_is_spoken_otherwise(void **state)
{
	enum language language = LANGUAGE_COUNT;

	(void)state;
	expect_locale("", "", "", LANGUAGE_FRENCH);
	expect_locale("", "", "C.UTF-8", LANGUAGE_FRENCH);
	expect_locale("", "", "de_DE.UTF-8", LANGUAGE_FRENCH);
	expect_locale("", "", "en_GB.UTF-8", LANGUAGE_ENGLISH);
	expect_locale("", "en_US", "fr_FR.UTF-8", LANGUAGE_ENGLISH);
	expect_locale("fr_FR.UTF-8", "en_US", "en_US", LANGUAGE_FRENCH);
	assert_int_equal(language_parse("fr", &language), 0);
	assert_int_equal(language, LANGUAGE_FRENCH);
	assert_int_equal(language_parse("en", &language), 0);
	assert_int_equal(language, LANGUAGE_ENGLISH);
	assert_int_equal(language_parse("de", &language), -1);
	assert_int_equal(language_parse("", &language), -1);
}

static void expect_time(enum language language, const char *time, const char *expected)
{
	char text[PHRASE_TIME_MAX];
	int64_t microseconds;

	assert_int_equal(time_parse(time, &microseconds), 0);
	phrase_time(language, microseconds, text);
	assert_string_equal(text, expected);
}

static void test_times_are_those_of_the_clock_on_the_wall(void **state)
{
	char zone[PHRASE_TIME_MAX];

	(void)state;
	setenv("TZ", "Europe/Paris", 1);
	phrase_zone(0, zone);
	assert_string_equal(zone, "Europe/Paris");
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1); /* the same rules, wherever there is no zone file */
	phrase_zone(0, zone);
	assert_string_equal(zone, "CET");
	expect_time(LANGUAGE_ENGLISH, "2026-11-23T13:05:00Z", "23 November 2026 at 14:05");
	expect_time(LANGUAGE_FRENCH, "2026-11-23T13:05:00Z", "23 novembre 2026 à 14\u00A0h\u00A005");
	expect_time(LANGUAGE_FRENCH, "2026-07-31T22:00:59Z", "1er août 2026 à 0\u00A0h\u00A000");
	expect_time(LANGUAGE_ENGLISH, "2026-07-31T22:00:59Z", "1 August 2026 at 0:00");
	expect_time(LANGUAGE_ENGLISH, "1969-12-31T22:59:59.5Z", "31 December 1969 at 23:59");
}

static void test_durations(void **state)
{
	static const struct {
		const char *written, *english, *french;
	} rows[] = {
		{ "35d", "35 days", "35 jours" },
		{ "1y", "1 year", "1 an" },
		{ "5y", "5 years", "5 ans" },
		{ "24h", "24 hours", "24 heures" },
		{ "soon", "soon", "soon" },
		{ "", "", "" },
	};
	char text[PHRASE_TIME_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		phrase_duration(LANGUAGE_ENGLISH, rows[i].written, text);
		assert_string_equal(text, rows[i].english);
		phrase_duration(LANGUAGE_FRENCH, rows[i].written, text);
		assert_string_equal(text, rows[i].french);
	}
}

static void test_names_become_words(void **state)
{
	char text[LABEL_MAX];

	(void)state;
	label_field(LANGUAGE_ENGLISH, "client.door_code", text);
	assert_string_equal(text, "door code");
	label_field(LANGUAGE_FRENCH, "client.door_code", text);
	assert_string_equal(text, "code d'entrée");
	label_field(LANGUAGE_FRENCH, "client.given_name", text);
	assert_string_equal(text, "prénom");
	label_field(LANGUAGE_FRENCH, "dossier.heure_du_bain", text);
	assert_string_equal(text, "heure du bain");
	label_field(LANGUAGE_ENGLISH, "nodot", text);
	assert_string_equal(text, "nodot");
	label_purpose(LANGUAGE_ENGLISH, "dpv:ServiceProvision", text);
	assert_string_equal(text, "to provide the service that you booked");
	label_purpose(LANGUAGE_FRENCH, "dpv:ServiceUsageAnalytics", text);
	assert_string_equal(text, "service usage analytics");
	label_purpose(LANGUAGE_ENGLISH, "dpv:ProtectionOfIPR", text);
	assert_string_equal(text, "protection of IPR");
	assert_non_null(strstr(label_basis(LANGUAGE_ENGLISH, "consent"), "6(1)(a)"));
	assert_non_null(strstr(label_basis(LANGUAGE_FRENCH, "legitimate-interest"), "point f"));
	assert_null(label_basis(LANGUAGE_FRENCH, "whim"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_phrase_says_the_same_in_each_language),
		cmocka_unit_test(test_the_locale_decides_and_french_is_spoken_otherwise),
		cmocka_unit_test(test_times_are_those_of_the_clock_on_the_wall),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_names_become_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
