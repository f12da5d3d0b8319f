#ifndef NEEDTOKNOW_PURE_COLUMN_RETENTION_H
#define NEEDTOKNOW_PURE_COLUMN_RETENTION_H

#include "pure/pgbinary.h"
#include "pure/policy.h"

#include <stddef.h>

/*
 * Which clients' columns are to go (GDPR art. 5(1)(e)), as questions to the company's retention_due()
 * (company_function.h): the first asks for what an erasure held until a law's date, the others are the policy's
 * retention.columns in the file's order.
 */
#define INTERVAL_TEXT_MAX 32

struct retention_question {
	const char *anchor; /* contract-end, financial-year-end or held */
	char after[INTERVAL_TEXT_MAX]; /* the anchor: an interval as PostgreSQL reads it, `10 years` of the calendar */
	const struct policy_column_retention *columns; /* NULL: all that was held */
};

size_t retention_question_count(const struct policy *policy);
void retention_question(const struct policy *policy, size_t index, struct retention_question *out);

/* Its columns as a text[], initialised here and the caller's to release; empty for all that was held. */
void retention_question_columns(const struct retention_question *question, struct pg_array *out);

#endif
