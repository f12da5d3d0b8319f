#include "daemon/doctor_company.h"

#include "base/buffer.h"
#include "pure/company_function.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define SIGNATURES_MAX 1024
#define OWNER_MAX 512
#define OTHERS 3

enum {
	FUNCTION_SIGNATURE,
	FUNCTION_EXISTS,
	FUNCTION_SCHEMA_OPEN,
	FUNCTION_EXECUTABLE,
	FUNCTION_DEFINER,
	FUNCTION_OTHERS
};

static void append(struct buffer *buffer, const char *text)
{
	int failed = buffer_append(buffer, text, strlen(text));
	assert(!failed); /* seven names of ours */
}

/* As an array in PostgreSQL's text form; nothing in them needs an escape. */
static void append_signatures(struct buffer *out)
{
	for (int function = 0; function < COMPANY_FUNCTIONS; function++) {
		append(out, function ? ",\"" : "{\"");
		append(out, company_function_signature((enum company_function)function));
		append(out, "\"");
	}
	append(out, "}");
	int failed = buffer_append_u8(out, '\0');
	assert(!failed);
}

static void mend_by_grants(struct doctor *doctor, const struct doctor_database *database, const char *source_role)
{
	char owner[OWNER_MAX];
	doctor_owner(database, "postgres", owner, sizeof owner);
	doctor_mend(doctor, "needtoknow policy grants %s --role %s --rights-role %s | psql '%s'",
		doctor_configuration(doctor)->policy, *source_role ? source_role : "ROLE", database->role, owner);
}

/* How many things are wrong with it. */
static unsigned tell_function(struct doctor *doctor, const struct doctor_database *database, const PGresult *functions,
	int row, const char *source_role)
{
	const char *schema = policy_subjects(doctor_policy(doctor))->schema;
	const char *signature = PQgetvalue(functions, row, FUNCTION_SIGNATURE);
	const char *others = PQgetvalue(functions, row, FUNCTION_OTHERS);
	char owner[OWNER_MAX];
	if (*PQgetvalue(functions, row, FUNCTION_EXISTS) != 't') {
		doctor_owner(database, "postgres", owner, sizeof owner);
		doctor_find(doctor, DOCTOR_WRONG, database->about, "there is no function %s.%s", schema, signature);
		doctor_mend(doctor, "psql '%s' -f FILE, with the function as in deploy/sql/reference.sql", owner);
		return 1;
	}
	unsigned found = 0;
	if (*PQgetvalue(functions, row, FUNCTION_SCHEMA_OPEN) != 't' ||
		*PQgetvalue(functions, row, FUNCTION_EXECUTABLE) != 't') {
		doctor_find(doctor, DOCTOR_WRONG, database->about, "role %s may not execute %s.%s", database->role,
			schema, signature);
		mend_by_grants(doctor, database, source_role);
		found++;
	}
	if (*PQgetvalue(functions, row, FUNCTION_DEFINER) != 't') {
		doctor_find(doctor, DOCTOR_WRONG, database->about,
			"%s.%s has its caller's rights (SECURITY INVOKER), and the caller has none", schema, signature);
		doctor_mend_sql(
			doctor, database, "postgres", "ALTER FUNCTION \"%s\".%s SECURITY DEFINER", schema, signature);
		found++;
	}
	if (*others) {
		doctor_find(doctor, DOCTOR_WRONG, database->about, "%s may execute %s.%s", others, schema, signature);
		doctor_mend_sql(doctor, database, "postgres", "REVOKE ALL ON FUNCTION \"%s\".%s FROM %s", schema,
			signature, others);
		found++;
	}
	return found;
}

static unsigned tell_beyond(struct doctor *doctor, const struct doctor_database *database, const PGresult *beyond)
{
	for (int row = 0; row < PQntuples(beyond); row++) {
		const char *function = PQgetvalue(beyond, row, 0);
		doctor_find(doctor, DOCTOR_WRONG, database->about, "role %s may execute %s, which it does not need",
			database->role, function);
		doctor_mend_sql(doctor, database, "postgres", "REVOKE ALL ON FUNCTION %s FROM \"%s\", PUBLIC", function,
			database->role);
	}
	return (unsigned)PQntuples(beyond);
}

/* Granting it what it misses would let whoever reads a source erase a client. */
static bool has_another_purpose(struct doctor *doctor, const struct doctor_database *database,
	const struct doctor_database *others, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(others[i].role, database->role) != 0)
			continue;
		doctor_find(doctor, DOCTOR_WRONG, database->about,
			"role %s is that of %s too: whoever has it may also call what erases a client", database->role,
			others[i].about);
		doctor_mend(doctor, "psql -f deploy/sql/roles.sql makes a role for each; name needtoknow_rights in %s",
			database->about);
		return true;
	}
	return false;
}

void doctor_company(
	struct doctor *doctor, struct doctor_database *database, const struct doctor_database *others, size_t count)
{
	const char *values[2 + OTHERS] = { NULL };
	struct buffer signatures;
	unsigned found = 0;
	if (!doctor_policy(doctor) || has_another_purpose(doctor, database, others, count))
		return;
	buffer_init(&signatures, SIGNATURES_MAX);
	append_signatures(&signatures);
	values[0] = policy_subjects(doctor_policy(doctor))->schema;
	values[1] = (const char *)signatures.data;
	const char *source_role = "";
	assert(count <= OTHERS);
	for (size_t i = 0; i < count; i++) {
		values[2 + i] = others[i].role;
		if (others[i].kind == DOCTOR_SOURCE)
			source_role = others[i].role;
	}
	PGresult *functions = doctor_ask(doctor, database, &sql_doctor_functions, values);
	for (int row = 0; functions && row < PQntuples(functions); row++)
		found += tell_function(doctor, database, functions, row, source_role);
	PGresult *beyond = doctor_ask(doctor, database, &sql_doctor_functions_beyond, values);
	if (beyond)
		found += tell_beyond(doctor, database, beyond);
	if (functions && beyond && found == 0)
		doctor_find(doctor, DOCTOR_OK, database->about,
			"the company's %d functions for clients' rights are there, and role %s executes them alone",
			COMPANY_FUNCTIONS, database->role);
	PQclear(functions);
	PQclear(beyond);
	buffer_release(&signatures);
}

void doctor_company_missing(struct doctor *doctor, const char *about)
{
	doctor_find(doctor, DOCTOR_WARNING, about,
		"it is not set: what clients ask of the company's own database (registration, access, rectification, "
		"erasure) is refused");
	doctor_mend(doctor,
		"write the functions as in deploy/sql/reference.sql, run deploy/sql/roles.sql, needtoknow policy "
		"grants "
		"%s --role ROLE --rights-role needtoknow_rights | psql, and set %s",
		doctor_configuration(doctor)->policy, about);
}
