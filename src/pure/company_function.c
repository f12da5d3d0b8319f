#include "pure/company_function.h"

#include "pure/source_select.h"

#include <string.h>

static const struct {
	const char *signature;
	int parameters;
	const char *before, *after; /* of `"schema".` */
} functions[COMPANY_FUNCTIONS] = {
	[COMPANY_SUBJECT_RECORD] = { "subject_record(text)", 1,
		"SELECT r.column_name, r.value, r.origin, r.collected_at, r.keep_until, r.keep_because, r.held FROM ",
		".subject_record($1::text) AS r" },
	[COMPANY_REGISTER] = { "register(uuid, text, text, text[], text[])", 5,
		"SELECT r.subject_id, r.problem, r.column_name FROM ",
		".register($1::uuid, $2::text, $3::text, $4::text[], $5::text[]) AS r" },
	[COMPANY_RECTIFY] = { "rectify(uuid, text, text, text)", 4,
		"SELECT r.outcome, array_to_string(r.columns, E'\\n') FROM ",
		".rectify($1::uuid, $2::text, $3::text, $4::text) AS r" },
	[COMPANY_ERASE] = { "erase(uuid, text, text[], boolean)", 4,
		"SELECT e.column_name, e.outcome, e.ground, e.law, e.since, e.until FROM ",
		".erase($1::uuid, $2::text, $3::text[], $4::boolean) AS e" },
	[COMPANY_CONTACTS] = { "contacts(text)", 1, "SELECT c.contact FROM ", ".contacts($1::text) AS c(contact)" },
	[COMPANY_NOTICE_IN_FORCE] = { "notice_in_force()", 0, "SELECT n.version, n.location, n.since FROM ",
		".notice_in_force() AS n" },
	[COMPANY_RETENTION_DUE] = { "retention_due(text[], text, interval, integer)", 4,
		"SELECT d.subject_id, array_to_string(d.columns, E'\\n'), d.since FROM ",
		".retention_due($1::text[], $2::text, ($3::text)::interval, $4::integer) AS d" },
};

const char *company_function_signature(enum company_function function)
{
	return functions[function].signature;
}

int company_function_parameters(enum company_function function)
{
	return functions[function].parameters;
}

int company_function_statement(enum company_function function, const char *schema, struct buffer *out)
{
	const char *before = functions[function].before, *after = functions[function].after;
	if (buffer_append(out, before, strlen(before)) || quote_identifier(out, schema) ||
		buffer_append(out, after, strlen(after)))
		return -1;
	return buffer_append_u8(out, '\0');
}
