#include "catalogue/catalogue.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "pure/nearest.h"
#include "pure/pgbinary.h"
#include "pure/plan_scan.h"

#include <assert.h>
#include <sql.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * Two round trips: what the database's own catalogue knows (columns, rights), then a plan of the lookup for each source
 * whose columns are all there.
 */

#define MEMORY_MAX (64 * 1024 * 1024) /* of a check's answer */
#define ARRAY_MAX (8 * 1024 * 1024) /* of a parameter */
#define STATEMENT_MAX (1024 * 1024) /* of a lookup's text */
#define RIGHTS_SHOWN 20

struct source_state {
	const struct policy_source *source;
	bool sound; /* its view and columns are as they must be: worth planning */
	enum key_type key_type, subject_type;
	struct catalogue_plan plan; /* text NULL: there is none */
};

struct catalogue {
	const struct policy *policy;
	struct arena *arena;
	enum catalogue_result result;
	size_t problem_count, problem_capacity;
	struct catalogue_problem *problems;
	size_t source_count;
	struct source_state *sources;
};

/* A check under way. */
struct check {
	struct database *database;
	struct catalogue *catalogue;
	bool strict;
	size_t planning; /* the source whose plan is asked for */
	void (*done)(void *context, struct catalogue *catalogue);
	void *context;
};

/* The problem, or NULL when it is there already. */
__attribute__((format(printf, 4, 5))) static struct catalogue_problem *add_problem(struct catalogue *catalogue,
	enum catalogue_severity severity, enum catalogue_remedy remedy, const char *format, ...)
{
	char text[1024];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	for (size_t i = 0; i < catalogue->problem_count; i++) {
		if (strcmp(catalogue->problems[i].message, text) == 0)
			return NULL; /* a column may be named twice */
	}
	char *message = arena_strdup(catalogue->arena, text);
	if (message == NULL)
		return NULL; /* there are thousands before it */
	if (catalogue->problem_count == catalogue->problem_capacity) {
		catalogue->problem_capacity = catalogue->problem_capacity > 0 ? catalogue->problem_capacity * 2 : 16;
		catalogue->problems =
			mem_realloc(catalogue->problems, catalogue->problem_capacity * sizeof *catalogue->problems);
	}
	struct catalogue_problem *problem = &catalogue->problems[catalogue->problem_count++];
	*problem = (struct catalogue_problem){ .severity = severity, .message = message, .remedy = remedy };
	if (severity == CATALOGUE_ERROR && catalogue->result == CATALOGUE_FIT)
		catalogue->result = CATALOGUE_UNFIT;
	return problem;
}

static void finish(struct check *check)
{
	check->done(check->context, check->catalogue);
	mem_free(check);
}

static void finish_unavailable(struct check *check, const struct database_outcome *outcome)
{
	add_problem(check->catalogue, CATALOGUE_ERROR, CATALOGUE_REMEDY_WAIT,
		"the sources' database did not answer%s%s", *outcome->message != '\0' ? ": " : "", outcome->message);
	check->catalogue->result = CATALOGUE_UNAVAILABLE;
	finish(check);
}

/* The columns of one view, as rows of catalogue_columns. */
struct view_columns {
	const PGresult *result;
	int first, end;
};
enum {
	COLUMN_ORD,
	COLUMN_VIEW_KNOWN,
	COLUMN_SCHEMA_USAGE,
	COLUMN_NAME,
	COLUMN_TYPE,
	COLUMN_TYPE_NAME,
	COLUMN_DETERMINISTIC,
	COLUMN_READABLE
};

static const char *row_text(const PGresult *result, int row, int column)
{
	return PQgetisnull(result, row, column) ? "" : PQgetvalue(result, row, column);
}

static bool row_flag(const PGresult *result, int row, int column)
{
	return pg_bool(PQgetvalue(result, row, column), PQgetlength(result, row, column));
}

/* The row of a column; -1 when the view has none of that name. */
static int find_column(const struct view_columns *columns, const char *name, const char **nearest_name)
{
	struct nearest nearest;
	nearest_init(&nearest, name);
	for (int row = columns->first; row < columns->end; row++) {
		const char *known = row_text(columns->result, row, COLUMN_NAME);
		if (strcmp(known, name) == 0)
			return row;
		nearest_try(&nearest, known);
	}
	*nearest_name = nearest.best;
	return -1;
}

/* A column that must be there, and readable when `read` says so. Its row, or -1 and a problem. */
static int need_column(struct catalogue *catalogue, const struct policy_source *source,
	const struct view_columns *columns, const char *name, bool read)
{
	const char *near = NULL;
	int row = find_column(columns, name, &near);
	if (row < 0)
		add_problem(catalogue, CATALOGUE_ERROR, CATALOGUE_REMEDY_NAME,
			"%s.%s has no column `%s`, which source `%s` names%s%s%s", source->schema, source->view, name,
			source->name, near != NULL ? " (did you mean `" : "", near != NULL ? near : "",
			near != NULL ? "`?)" : "");
	else if (read && !row_flag(columns->result, row, COLUMN_READABLE))
		add_problem(catalogue, CATALOGUE_ERROR, CATALOGUE_REMEDY_GRANT,
			"%s.%s: the role may not read column `%s`; needed: GRANT SELECT (`needtoknow policy grants` "
			"writes it)",
			source->schema, source->view, name);
	else
		return row;
	return -1;
}

/* Types whose values have one text form, so that no two ids are one row. */
static const struct {
	unsigned oid;
	enum key_type type;
} key_types[] = {
	{ PG_TEXT, KEY_TYPE_TEXT },
	{ 1043 /* varchar */, KEY_TYPE_TEXT },
	{ PG_INT2, KEY_TYPE_INT2 },
	{ PG_INT4, KEY_TYPE_INT4 },
	{ PG_INT8, KEY_TYPE_INT8 },
	{ PG_UUID, KEY_TYPE_UUID },
};

static bool need_key(struct catalogue *catalogue, const struct policy_source *source,
	const struct view_columns *columns, const char *name, enum key_type *out)
{
	int row = need_column(catalogue, source, columns, name, true);
	if (row < 0)
		return false;
	int64_t oid =
		pg_int(PQgetvalue(columns->result, row, COLUMN_TYPE), PQgetlength(columns->result, row, COLUMN_TYPE));
	if (!row_flag(columns->result, row, COLUMN_DETERMINISTIC)) {
		add_problem(catalogue, CATALOGUE_ERROR, CATALOGUE_REMEDY_NAME,
			"%s.%s: column `%s` has a non-deterministic collation, under which two ids may be one row; "
			"needed: a deterministic one",
			source->schema, source->view, name);
		return false;
	}
	for (size_t i = 0; i < sizeof key_types / sizeof *key_types; i++) {
		if (key_types[i].oid == oid) {
			*out = key_types[i].type;
			return true;
		}
	}
	add_problem(catalogue, CATALOGUE_ERROR, CATALOGUE_REMEDY_NAME,
		"%s.%s: column `%s` is of type %s; needed for a key: text, varchar, smallint, integer, bigint or uuid",
		source->schema, source->view, name, row_text(columns->result, row, COLUMN_TYPE_NAME));
	return false;
}

/* `requires` is read as true, false or null. */
static bool need_booleans(
	struct catalogue *catalogue, const struct policy_source *source, const struct view_columns *columns)
{
	bool sound = true;
	for (size_t i = 0; i < policy_service_count(catalogue->policy); i++) {
		const struct policy_service *service = policy_service_at(catalogue->policy, i);
		const struct policy_field *field = service->requires;
		const char *near;
		if (field == NULL || field->source != source)
			continue;
		int row = find_column(columns, field->column, &near);
		if (row < 0)
			continue; /* a problem already */
		int64_t oid = pg_int(
			PQgetvalue(columns->result, row, COLUMN_TYPE), PQgetlength(columns->result, row, COLUMN_TYPE));
		if (oid == PG_BOOL)
			continue;
		add_problem(catalogue, CATALOGUE_ERROR, CATALOGUE_REMEDY_NAME,
			"%s.%s: column `%s`, which service `%s` requires, is of type %s; needed: boolean",
			source->schema, source->view, field->column, service->name,
			row_text(columns->result, row, COLUMN_TYPE_NAME));
		sound = false;
	}
	return sound;
}

/* What the retention names is swept by the company's own functions: it must exist, and need not be readable. */
static void need_retained(
	struct catalogue *catalogue, const struct policy_source *source, const struct view_columns *columns)
{
	const struct policy_retention *retention = policy_retention(catalogue->policy);
	for (size_t i = 0; i < retention->column_count; i++) {
		for (size_t j = 0; j < retention->columns[i].field_count; j++) {
			const struct policy_field *field = &retention->columns[i].fields[j];
			if (field->source == source)
				need_column(catalogue, source, columns, field->column, false);
		}
	}
}

static void check_source(struct catalogue *catalogue, struct source_state *state, const struct view_columns *columns)
{
	const struct policy_source *source = state->source;
	if (!row_flag(columns->result, columns->first, COLUMN_VIEW_KNOWN)) {
		add_problem(catalogue, CATALOGUE_ERROR, CATALOGUE_REMEDY_NAME,
			"there is no view %s.%s, which source `%s` names", source->schema, source->view, source->name);
		return;
	}
	if (!row_flag(columns->result, columns->first, COLUMN_SCHEMA_USAGE)) {
		add_problem(catalogue, CATALOGUE_ERROR, CATALOGUE_REMEDY_GRANT,
			"the role may not look into schema %s; needed: GRANT USAGE", source->schema);
		return;
	}
	bool sound = need_key(catalogue, source, columns, source->key, &state->key_type);
	if (source->subject != NULL)
		sound = need_key(catalogue, source, columns, source->subject, &state->subject_type) && sound;
	for (size_t i = 0; i < policy_field_count(catalogue->policy); i++) {
		const struct policy_field *field = policy_field_at(catalogue->policy, i);
		if (field->source == source)
			sound = need_column(catalogue, source, columns, field->column, true) >= 0 && sound;
	}
	sound = need_booleans(catalogue, source, columns) && sound;
	need_retained(catalogue, source, columns);
	state->sound = sound;
}

static struct source_state *state_of(const struct catalogue *catalogue, const struct policy_source *source)
{
	size_t index = (size_t)(source - policy_source_at(catalogue->policy, 0));
	assert(index < catalogue->source_count);
	return &catalogue->sources[index];
}

/* A booking's subject is compared with the subject's key as text, so both must have the same form. */
static void check_subject_types(struct catalogue *catalogue)
{
	const struct source_state *subjects = state_of(catalogue, policy_subjects(catalogue->policy));
	for (size_t i = 0; i < catalogue->source_count; i++) {
		struct source_state *state = &catalogue->sources[i];
		if (state->source->subject == NULL) {
			state->subject_type = subjects->key_type;
		} else if (state->sound && subjects->sound && state->subject_type != subjects->key_type) {
			add_problem(catalogue, CATALOGUE_ERROR, CATALOGUE_REMEDY_NAME,
				"%s.%s: column `%s` is read as %s, but the subjects' key `%s` of %s.%s as %s; "
				"needed: the same type",
				state->source->schema, state->source->view, state->source->subject,
				key_type_sql(state->subject_type), subjects->source->key, subjects->source->schema,
				subjects->source->view, key_type_sql(subjects->key_type));
			state->sound = false;
		}
	}
}

static void check_columns(struct catalogue *catalogue, const PGresult *result)
{
	int rows = PQntuples(result);
	for (int row = 0; row < rows;) {
		struct view_columns columns = { .result = result, .first = row, .end = row + 1 };
		int64_t ord = pg_int(PQgetvalue(result, row, COLUMN_ORD), PQgetlength(result, row, COLUMN_ORD));
		while (columns.end < rows &&
			pg_int(PQgetvalue(result, columns.end, COLUMN_ORD),
				PQgetlength(result, columns.end, COLUMN_ORD)) == ord)
			columns.end++;
		assert(ord >= 1 && (size_t)ord <= catalogue->source_count);
		check_source(catalogue, &catalogue->sources[ord - 1], &columns);
		row = columns.end;
	}
	check_subject_types(catalogue);
}

/* `"schema"."relation"`; NULL when there is no room. */
static const char *quoted(struct catalogue *catalogue, const char *schema, const char *relation)
{
	struct buffer text;
	const char *result = NULL;
	buffer_init(&text, STATEMENT_MAX);
	if (quote_identifier(&text, schema) == 0 && buffer_append(&text, ".", 1) == 0 &&
		quote_identifier(&text, relation) == 0 && buffer_append(&text, "", 1) == 0)
		result = arena_strdup(catalogue->arena, (const char *)text.data);
	buffer_release(&text);
	return result;
}

/* Without it, what was sent stays as it was sent. */
static void check_change_queues(struct catalogue *catalogue, const PGresult *result)
{
	for (int row = 0; row < PQntuples(result); row++) {
		const char *schema = row_text(result, row, 0);
		if (!row_flag(result, row, 1))
			add_problem(catalogue, CATALOGUE_WARNING, CATALOGUE_REMEDY_QUEUE,
				"there is no table %s.change_queue: what changes after it was sent is not corrected "
				"(GDPR art. 16, 19)",
				schema);
		else if (!PQgetisnull(result, row, 2))
			add_problem(catalogue, CATALOGUE_WARNING, CATALOGUE_REMEDY_QUEUE,
				"%s.change_queue lacks %s: what changes after it was sent is not corrected", schema,
				row_text(result, row, 2));
		else if (!row_flag(result, row, 3))
			add_problem(catalogue, CATALOGUE_WARNING, CATALOGUE_REMEDY_GRANT,
				"%s.change_queue: the role may not read it and remove from it, so what changes after "
				"it was sent is not corrected; needed: GRANT SELECT, DELETE (`needtoknow policy "
				"grants` writes it)",
				schema);
	}
}

static void check_rights(const struct check *check, const PGresult *rights, const PGresult *role)
{
	enum catalogue_severity severity = check->strict ? CATALOGUE_ERROR : CATALOGUE_WARNING;
	if (PQntuples(role) == 1 && row_flag(role, 0, 1)) {
		add_problem(check->catalogue, severity, CATALOGUE_REMEDY_ROLE,
			"role %s may read every table of the database (it is a superuser, or has pg_read_all_data); "
			"needed: a role of its own",
			row_text(role, 0, 0));
		return;
	}
	int rows = PQntuples(rights);
	for (int row = 0; row < rows && row < RIGHTS_SHOWN; row++) {
		struct catalogue_problem *problem = add_problem(check->catalogue, severity, CATALOGUE_REMEDY_REVOKE,
			"role %s may read what the policy does not name: %s.%s (%s); needed: REVOKE SELECT",
			row_text(role, 0, 0), row_text(rights, row, 0), row_text(rights, row, 1),
			row_text(rights, row, 2));
		if (problem != NULL)
			problem->relation =
				quoted(check->catalogue, row_text(rights, row, 0), row_text(rights, row, 1));
	}
	if (rows > RIGHTS_SHOWN)
		add_problem(check->catalogue, severity, CATALOGUE_REMEDY_ROLE,
			"role %s may read %s%d more relations that the policy does not name", row_text(role, 0, 0),
			rows == 100 ? "at least " : "", rows - RIGHTS_SHOWN);
}

static void plan_next(struct check *check);

static void rolled_back(void *context, const struct database_outcome *outcome)
{
	if (outcome->result == DATABASE_LOST || outcome->result == DATABASE_DOWN)
		finish_unavailable(context, outcome);
	else
		plan_next(context);
}

/* What stands behind `(cost=` in the first line. */
static const char *cost_of(struct catalogue *catalogue, const char *text)
{
	const char *begin = strstr(text, "(cost=");
	if (begin == NULL)
		return "unknown";
	begin += strlen("(cost=");
	return arena_printf(catalogue->arena, "%.*s", (int)strcspn(begin, " )"), begin);
}

static void keep_plan(struct catalogue *catalogue, const PGresult *plan, bool by_key, struct catalogue_plan *out)
{
	struct buffer text;
	buffer_init(&text, STATEMENT_MAX);
	for (int row = 0; row < PQntuples(plan); row++) {
		if ((row > 0 && buffer_append(&text, "\n", 1) != 0) ||
			buffer_append(&text, PQgetvalue(plan, row, 0), (size_t)PQgetlength(plan, row, 0)) != 0)
			break;
	}
	if (buffer_append(&text, "", 1) == 0)
		out->text = arena_strdup(catalogue->arena, (const char *)text.data);
	buffer_release(&text);
	const char *cost = out->text != NULL ? cost_of(catalogue, out->text) : NULL;
	out->cost = cost != NULL ? cost : "unknown";
	out->by_key = by_key;
}

static void planned(void *context, const struct database_outcome *outcome)
{
	struct check *check = context;
	if (outcome->result == DATABASE_LOST || outcome->result == DATABASE_DOWN) {
		finish_unavailable(check, outcome);
		return;
	}
	struct source_state *state = &check->catalogue->sources[check->planning];
	const struct policy_source *source = state->source;
	check->planning++;
	if (outcome->result == DATABASE_FAILED) {
		add_problem(check->catalogue, CATALOGUE_ERROR, CATALOGUE_REMEDY_NAME,
			"%s.%s: a lookup by `%s` cannot be planned: %s", source->schema, source->view, source->key,
			outcome->message);
		database_open(check->database);
		database_add_text(check->database, "ROLLBACK");
		database_send(check->database, rolled_back, check);
		return;
	}
	/* EXPLAIN is the statement before DEALLOCATE and ROLLBACK. */
	const PGresult *plan = outcome->results[outcome->count - 3];
	struct plan_scan scan;
	plan_scan_init(&scan);
	for (int row = 0; row < PQntuples(plan); row++)
		plan_scan_line(&scan, PQgetvalue(plan, row, 0), (size_t)PQgetlength(plan, row, 0));
	const char *instead = plan_scan_end(&scan);
	keep_plan(check->catalogue, plan, instead == NULL, &state->plan);
	if (instead != NULL)
		add_problem(check->catalogue, CATALOGUE_ERROR, CATALOGUE_REMEDY_INDEX,
			"%s.%s: a lookup by `%s` reads more than its row (%s); needed: an index on the column behind "
			"it",
			source->schema, source->view, source->key, instead);
	plan_next(check);
}

/* `out` holds text that ends with a NUL afterwards: `before`, the lookup. */
static void write_lookup(
	const struct check *check, const struct source_state *state, const char *before, struct buffer *out)
{
	const struct policy *policy = check->catalogue->policy;
	size_t count = 0;
	const struct policy_field **fields = mem_calloc(policy_field_count(policy) + 1, sizeof *fields);
	for (size_t i = 0; i < policy_field_count(policy); i++) {
		if (policy_field_at(policy, i)->source == state->source)
			fields[count++] = policy_field_at(policy, i);
	}
	/* Within the buffer's maximum: a policy is not larger than that. */
	int failed = buffer_append(out, before, strlen(before));
	failed = failed || source_select(state->source, state->key_type, state->subject_type, fields, count, out);
	assert(!failed);
	mem_free(fields);
}

/*
 * A generic plan, as the lookups run with, of a statement of its own name: had an earlier one failed on its way, its
 * name would still be taken.
 */
static void send_plan(struct check *check, const struct source_state *state)
{
	static unsigned number;
	char name[32], before[64], explain[96], deallocate[64];
	snprintf(name, sizeof name, "catalogue_%u", number++);
	snprintf(before, sizeof before, "PREPARE %s AS ", name);
	snprintf(explain, sizeof explain, "EXPLAIN (FORMAT TEXT) EXECUTE %s('{}', '{}')", name);
	snprintf(deallocate, sizeof deallocate, "DEALLOCATE %s", name);
	struct buffer prepare;
	buffer_init(&prepare, 2 * STATEMENT_MAX);
	write_lookup(check, state, before, &prepare);

	database_open(check->database);
	database_add_text(check->database, "BEGIN READ ONLY");
	database_add_text(check->database, "SET LOCAL plan_cache_mode = force_generic_plan");
	database_add_text(check->database, "SET LOCAL enable_seqscan = off");
	database_add_text(check->database, "SET LOCAL enable_hashjoin = off");
	database_add_text(check->database, "SET LOCAL enable_mergejoin = off");
	database_add_text(check->database, (const char *)prepare.data);
	database_add_text(check->database, explain);
	database_add_text(check->database, deallocate);
	database_add_text(check->database, "ROLLBACK");
	database_send(check->database, planned, check);
	buffer_release(&prepare);
}

static void plan_next(struct check *check)
{
	const struct catalogue *catalogue = check->catalogue;
	while (check->planning < catalogue->source_count && !catalogue->sources[check->planning].sound)
		check->planning++;
	if (check->planning < catalogue->source_count)
		send_plan(check, &catalogue->sources[check->planning]);
	else
		finish(check);
}

static void answered(void *context, const struct database_outcome *outcome)
{
	struct check *check = context;
	if (outcome->result != DATABASE_OK) {
		finish_unavailable(check, outcome);
		return;
	}
	check_columns(check->catalogue, outcome->results[0]);
	check_change_queues(check->catalogue, outcome->results[1]);
	check_rights(check, outcome->results[2], outcome->results[3]);
	plan_next(check);
}

/* Text arrays that are one statement's parameters. */
static void append_row(struct pg_array *arrays, size_t count, const char *const *texts)
{
	for (size_t i = 0; i < count; i++) {
		int failed = pg_array_text(&arrays[i], texts[i]);
		assert(failed == 0); /* a policy is smaller */
	}
}

static void add_arrays(
	struct database *database, const struct statement *statement, struct pg_array *arrays, size_t count)
{
	struct parameter parameters[3];
	assert(count <= 3);
	for (size_t i = 0; i < count; i++)
		parameters[i] = (struct parameter){ arrays[i].bytes.data, arrays[i].bytes.length };
	database_add(database, statement, parameters);
	for (size_t i = 0; i < count; i++)
		pg_array_release(&arrays[i]);
}

static void add_columns_query(struct database *database, const struct policy *policy)
{
	struct pg_array arrays[2];
	for (size_t i = 0; i < 2; i++)
		pg_array_init(&arrays[i], PG_TEXT, ARRAY_MAX);
	for (size_t i = 0; i < policy_source_count(policy); i++) {
		const struct policy_source *source = policy_source_at(policy, i);
		append_row(arrays, 2, (const char *const[]){ source->schema, source->view });
	}
	add_arrays(database, &sql_catalogue_columns, arrays, 2);
}

static void add_change_queue_query(struct database *database, const struct policy *policy)
{
	struct pg_array schemas;
	pg_array_init(&schemas, PG_TEXT, ARRAY_MAX);
	for (size_t i = 0; i < policy_source_count(policy); i++)
		append_row(&schemas, 1, (const char *const[]){ policy_source_at(policy, i)->schema });
	add_arrays(database, &sql_catalogue_change_queue, &schemas, 1);
}

static void add_rights_query(struct database *database, const struct policy *policy)
{
	struct pg_array arrays[3];
	for (size_t i = 0; i < 3; i++)
		pg_array_init(&arrays[i], PG_TEXT, ARRAY_MAX);
	for (size_t i = 0; i < policy_source_count(policy); i++) {
		const struct policy_source *source = policy_source_at(policy, i);
		append_row(arrays, 3, (const char *const[]){ source->schema, source->view, source->key });
		if (source->subject != NULL)
			append_row(arrays, 3, (const char *const[]){ source->schema, source->view, source->subject });
		/* The contract's own: which columns changed, never to what. */
		append_row(arrays, 3, (const char *const[]){ source->schema, "change_queue", "" });
	}
	for (size_t i = 0; i < policy_field_count(policy); i++) {
		const struct policy_field *field = policy_field_at(policy, i);
		append_row(
			arrays, 3, (const char *const[]){ field->source->schema, field->source->view, field->column });
	}
	add_arrays(database, &sql_catalogue_rights, arrays, 3);
}

void catalogue_check(struct database *database, const struct policy *policy, bool strict,
	void (*done)(void *context, struct catalogue *catalogue), void *context)
{
	struct catalogue *catalogue = mem_calloc(1, sizeof *catalogue);
	catalogue->policy = policy;
	catalogue->arena = arena_new(MEMORY_MAX);
	catalogue->source_count = policy_source_count(policy);
	catalogue->sources = mem_calloc(catalogue->source_count, sizeof *catalogue->sources);
	for (size_t i = 0; i < catalogue->source_count; i++)
		catalogue->sources[i].source = policy_source_at(policy, i);

	struct check *check = mem_calloc(1, sizeof *check);
	*check = (struct check){
		.database = database, .catalogue = catalogue, .strict = strict, .done = done, .context = context
	};
	database_open(database);
	add_columns_query(database, policy);
	add_change_queue_query(database, policy);
	add_rights_query(database, policy);
	database_add(database, &sql_catalogue_role, NULL);
	database_send(database, answered, check);
}

void catalogue_free(struct catalogue *catalogue)
{
	if (catalogue == NULL)
		return;
	arena_free(catalogue->arena);
	mem_free(catalogue->problems);
	mem_free(catalogue->sources);
	mem_free(catalogue);
}

enum catalogue_result catalogue_result(const struct catalogue *catalogue)
{
	return catalogue->result;
}

size_t catalogue_problem_count(const struct catalogue *catalogue)
{
	return catalogue->problem_count;
}

const struct catalogue_problem *catalogue_problem_at(const struct catalogue *catalogue, size_t index)
{
	assert(index < catalogue->problem_count);
	return &catalogue->problems[index];
}

const struct catalogue_plan *catalogue_plan(const struct catalogue *catalogue, size_t source)
{
	assert(source < catalogue->source_count);
	const struct catalogue_plan *plan = &catalogue->sources[source].plan;
	return plan->text != NULL ? plan : NULL;
}

enum key_type catalogue_key_type(const struct catalogue *catalogue, const struct policy_source *source)
{
	return state_of(catalogue, source)->key_type;
}

enum key_type catalogue_subject_type(const struct catalogue *catalogue, const struct policy_source *source)
{
	return state_of(catalogue, source)->subject_type;
}
