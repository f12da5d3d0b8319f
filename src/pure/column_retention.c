#include "pure/column_retention.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
/* A policy's file is at most 1 MiB. */
#define COLUMNS_BYTES_MAX ((size_t)4 << 20)

static const struct {
	char letter;
	const char *word;
} units[] = {
	{ 's', "seconds" },
	{ 'm', "minutes" },
	{ 'h', "hours" },
	{ 'd', "days" },
	{ 'y', "years" },
};

static const char *unit_word(char letter)
{
	for (size_t i = 0; i < COUNT_OF(units); i++)
		if (units[i].letter == letter)
			return units[i].word;
	return NULL;
}

/* `financial-year-end+10y` -> `10 years`. By its words and not by its length: what a law keeps for ten years it keeps
 * to the day, leap years or not. */
static void interval_of(const char *period, char out[INTERVAL_TEXT_MAX])
{
	const char *plus = strchr(period, '+');
	if (plus == NULL) {
		snprintf(out, INTERVAL_TEXT_MAX, "0 seconds");
		return;
	}
	char *unit;
	long long number = strtoll(plus + 1, &unit, 10);
	const char *word = unit_word(*unit);
	assert(word != NULL); /* the policy was read by duration.h */
	snprintf(out, INTERVAL_TEXT_MAX, "%lld %s", number, word);
}

size_t retention_question_count(const struct policy *policy)
{
	return 1 + policy_retention(policy)->column_count;
}

void retention_question(const struct policy *policy, size_t index, struct retention_question *out)
{
	*out = (struct retention_question){ .anchor = "held" };
	if (index > 0) {
		out->columns = &policy_retention(policy)->columns[index - 1];
		out->anchor = retention_anchor_name(out->columns->anchor);
	}
	interval_of(index > 0 ? out->columns->after.text : "", out->after);
}

void retention_question_columns(const struct retention_question *question, struct pg_array *out)
{
	pg_array_init(out, PG_TEXT, COLUMNS_BYTES_MAX);
	for (size_t i = 0; question->columns != NULL && i < question->columns->field_count; i++) {
		int failed = pg_array_text(out, question->columns->fields[i].name);
		assert(!failed);
	}
}
