#include "cli/policy.h"

#include "base/buffer.h"
#include "cli/output.h"
#include "cli/policy_database.h"
#include "cli/policy_file.h"
#include "pure/company_function.h"
#include "pure/source_select.h"

#include <string.h>

#define GRANTS_BYTES_MAX (1024 * 1024)
#define DIGEST_LENGTH 32

const struct flag policy_check_flags[] = {
	{ "database", "DSN", "look at this database too: libpq's connection string, as the role that reads the sources",
		false },
	{ 0 },
};

const struct flag policy_grants_flags[] = {
	{ "role", "NAME", "the database role that reads the sources", true },
	{ "rights-role", "NAME", "the database role that calls the company's functions for clients' rights", false },
	{ 0 },
};

static void print_service(const struct policy_service *service)
{
	fputs("  ", stdout);
	output_text(stdout, service->name);
	printf(": %s, ", legal_basis_name(service->legal_basis));
	output_text(stdout, service->purpose);
	printf(", to %s\n", service->recipients == RECIPIENT_KIND_STAFF ? "staff" : "providers");
	for (size_t i = 0; i < service->release_count; i++) {
		const struct policy_release *release = &service->releases[i];
		fputs("    ", stdout);
		output_text(stdout, release->name);
		fputs(release->sensitive ? " (sensitive):" : ":", stdout);
		for (size_t field = 0; field < release->field_count; field++)
			printf("%s %s", field == 0 ? "" : ",", release->fields[field]->name);
		putchar('\n');
	}
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

enum exit_code policy_check_run(const struct invocation *invocation)
{
	struct policy *policy = policy_file_load(invocation->operand);

	if (policy == NULL)
		return EXIT_FAILED;
	printf("%s: the policy of ", invocation->operand);
	output_text(stdout, policy_controller(policy));
	printf(" is good: %zu service%s, %zu source%s, %zu field%s.\nSHA-256 ", policy_service_count(policy),
		plural(policy_service_count(policy)), policy_source_count(policy), plural(policy_source_count(policy)),
		policy_field_count(policy), plural(policy_field_count(policy)));
	output_hex(stdout, policy_digest(policy), DIGEST_LENGTH);
	putchar('\n');
	for (size_t i = 0; i < policy_service_count(policy); i++)
		print_service(policy_service_at(policy, i));
	const char *conninfo = flag_value(invocation, "database");
	enum exit_code code = conninfo != NULL ? policy_database_check(policy, conninfo) : EXIT_OK;
	policy_free(policy);
	return code;
}

static int append(struct buffer *out, const char *text)
{
	return buffer_append(out, text, strlen(text));
}

/* `"name"`, once in the list. */
static int append_column(struct buffer *out, const char *column, bool first)
{
	return first || append(out, ", ") == 0 ? quote_identifier(out, column) : -1;
}

/* The key, whose row it is, and every column that a release or a condition names; nothing else. */
static int append_columns(struct buffer *out, const struct policy *policy, const struct policy_source *source)
{
	int result = append_column(out, source->key, true);
	bool has_subject = source->subject != NULL && strcmp(source->subject, source->key) != 0;

	if (has_subject)
		result |= append_column(out, source->subject, false);
	for (size_t i = 0; i < policy_field_count(policy); i++) {
		const struct policy_field *field = policy_field_at(policy, i);
		if (field->source != source || strcmp(field->column, source->key) == 0 ||
			(has_subject && strcmp(field->column, source->subject) == 0))
			continue;
		result |= append_column(out, field->column, false);
	}
	return result;
}

static bool schema_is_new(const struct policy *policy, size_t index)
{
	const char *schema = policy_source_at(policy, index)->schema;

	for (size_t i = 0; i < index; i++) {
		if (strcmp(policy_source_at(policy, i)->schema, schema) == 0)
			return false;
	}
	return true;
}

/* The contract's change queue: which columns changed; what was corrected is removed from it. */
static int append_queue_grant(struct buffer *out, const char *schema, const char *role)
{
	return append(out, "GRANT SELECT, DELETE ON ") | quote_identifier(out, schema) |
		append(out, ".change_queue TO ") | quote_identifier(out, role) | append(out, ";\n");
}

static int append_grants(struct buffer *out, const struct policy *policy, const char *role)
{
	int result = 0;

	for (size_t i = 0; i < policy_source_count(policy); i++) {
		const struct policy_source *source = policy_source_at(policy, i);
		if (schema_is_new(policy, i)) {
			result |= append(out, "GRANT USAGE ON SCHEMA ") | quote_identifier(out, source->schema);
			result |= append(out, " TO ") | quote_identifier(out, role) | append(out, ";\n");
		}
		result |= append(out, "GRANT SELECT (") | append_columns(out, policy, source);
		result |= append(out, ") ON ") | quote_identifier(out, source->schema);
		result |= append(out, ".") | quote_identifier(out, source->view);
		result |= append(out, " TO ") | quote_identifier(out, role) | append(out, ";\n");
	}
	for (size_t i = 0; i < policy_source_count(policy); i++)
		if (schema_is_new(policy, i))
			result |= append_queue_grant(out, policy_source_at(policy, i)->schema, role);
	return result;
}

/* PostgreSQL lets everybody execute a new function, and the company's erase a client. */
static int append_function_grants(struct buffer *out, const char *schema, const char *role)
{
	int result = append(out, "GRANT USAGE ON SCHEMA ") | quote_identifier(out, schema) | append(out, " TO ") |
		quote_identifier(out, role) | append(out, ";\n");

	for (int function = 0; function < COMPANY_FUNCTIONS; function++) {
		const char *signature = company_function_signature((enum company_function)function);
		result |= append(out, "REVOKE ALL ON FUNCTION ") | quote_identifier(out, schema) | append(out, ".") |
			append(out, signature) | append(out, " FROM PUBLIC;\n");
		result |= append(out, "GRANT EXECUTE ON FUNCTION ") | quote_identifier(out, schema) | append(out, ".") |
			append(out, signature) | append(out, " TO ") | quote_identifier(out, role) | append(out, ";\n");
	}
	return result;
}

enum exit_code policy_grants_run(const struct invocation *invocation)
{
	const char *role = flag_value(invocation, "role"), *rights_role = flag_value(invocation, "rights-role");
	enum exit_code code = EXIT_FAILED;
	struct buffer sql;

	/* Whoever reads a source may not therefore erase a client. */
	if (rights_role != NULL && strcmp(role, rights_role) == 0) {
		fprintf(stderr,
			"needtoknow policy grants: --role and --rights-role are the same: deploy/sql/roles.sql makes "
			"two\n");
		return EXIT_USAGE;
	}
	struct policy *policy = policy_file_load(invocation->operand);
	buffer_init(&sql, GRANTS_BYTES_MAX);
	if (policy == NULL)
		goto out;
	if (append_grants(&sql, policy, role) != 0 ||
		(rights_role && append_function_grants(&sql, policy_subjects(policy)->schema, rights_role) != 0)) {
		fprintf(stderr, "%s: its grants are larger than %d bytes\n", invocation->operand, GRANTS_BYTES_MAX);
		goto out;
	}
	fputs("-- What the policy with SHA-256 ", stdout);
	output_hex(stdout, policy_digest(policy), DIGEST_LENGTH);
	fputs(" reads, and no column more.\n", stdout);
	fwrite(sql.data, 1, sql.length, stdout);
	code = EXIT_OK;
out:
	buffer_release(&sql);
	policy_free(policy);
	return code;
}
