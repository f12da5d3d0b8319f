#ifndef NEEDTOKNOW_PURE_COMPANY_FUNCTION_H
#define NEEDTOKNOW_PURE_COMPANY_FUNCTION_H

#include "base/buffer.h"

/*
 * The contract's functions for clients' rights, which the company writes (deploy/sql/reference.sql) in the schema of
 * the view that says who exists. SECURITY DEFINER, executable by one role that may do nothing else. Each call is a
 * transaction of its own; those that change something are idempotent by their request key, so that they may be called
 * again until they answer. None raises for a client or a column that it does not know: it says so.
 *
 * What each takes and answers, in order:
 *
 * subject_record(subject text): all that the company has of a client, a line a column: column_name text, value text,
 *   origin text (DIRECT, WEBSITE), collected_at timestamptz, keep_until timestamptz (NULL: while the contract lasts),
 *   keep_because text, held boolean (erased for every use but that). No line: no such client.
 * register(request_key uuid, origin text, notice_version text, columns text[], values text[]): subject_id text, or NULL
 *   and problem text (UNKNOWN_COLUMN, MISSING_COLUMN, BAD_VALUE), column_name text.
 * rectify(request_key uuid, subject text, column_name text, value text): outcome text (RECTIFIED, UNCHANGED,
 *   UNKNOWN_SUBJECT, UNKNOWN_COLUMN, BAD_VALUE), columns text[]: with RECTIFIED, which columns of the sources have
 *   another value now, this one and those that the company makes of it (a district of an address), named as here;
 *   whoever was sent one of them is told (GDPR art. 19). What it changes reaches the change queue.
 * erase(request_key uuid, subject text, columns text[] (NULL: all), dry_run boolean): a line a column: column_name
 *   text, outcome text (ERASED, HELD), ground text, law text, since timestamptz, until timestamptz. No line: no such
 *   client. What is held is unreadable through the sources from then on.
 * contacts(subject text): text, a line each: mail addresses and telephone numbers in one form, however they were typed.
 * notice_in_force(): version text, location text, since timestamptz.
 * retention_due(columns text[], anchor text (contract-end, financial-year-end; held: until when erase() held it, and
 *   then columns is NULL: all), after text (an interval, such as `10 years`), amount integer): a line a client of whom
 *   one of these columns is to go and has not gone: subject_id text, columns text[], since timestamptz.
 * They go by erase() of these columns.
 */
enum company_function {
	COMPANY_SUBJECT_RECORD,
	COMPANY_REGISTER,
	COMPANY_RECTIFY,
	COMPANY_ERASE,
	COMPANY_CONTACTS,
	COMPANY_NOTICE_IN_FORCE,
	COMPANY_RETENTION_DUE,
	COMPANY_FUNCTIONS
};

/* `erase(uuid, text, text[], boolean)`: its name and the types it takes, as SQL names a function. */
const char *company_function_signature(enum company_function function);
/* How many parameters its statement has. */
int company_function_parameters(enum company_function function);

/* The statement that calls it, with its answer's columns in the order above. 0, or -1 past the buffer's maximum.
 * NUL-terminates. */
int company_function_statement(enum company_function function, const char *schema, struct buffer *out);

#endif
