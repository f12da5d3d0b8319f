#include "daemon/doctor_rights.h"

#include "base/buffer.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#define STATEMENT_MAX 1024
#define NAME_SIZE 128
#define ARRAY_MAX ((size_t)1 << 20)
#define SHOWN 20

/* ---- what the migrations grant, as arrays in PostgreSQL's text form ---- */

enum {
	ARRAY_WHAT, /* SCHEMA, FUNCTION, or "" of a relation */
	ARRAY_OBJECT,
	ARRAY_PRIVILEGE,
	ARRAY_COLUMN,
	ARRAY_CLOSED, /* functions that are not everybody's */
	ARRAYS
};

struct grants {
	unsigned kinds; /* whose */
	struct buffer arrays[ARRAYS];
};

static void append(struct buffer *buffer, const char *text)
{
	int failed = buffer_append(buffer, text, strlen(text));
	assert(!failed); /* the migrations are smaller */
}

/* Our own names: nothing in them needs an escape. */
static void append_item(struct buffer *array, const char *item)
{
	append(array, array->length ? ",\"" : "{\"");
	append(array, item);
	append(array, "\"");
}

static void end_array(struct buffer *array)
{
	append(array, array->length ? "}" : "{}");
	int failed = buffer_append_u8(array, '\0');
	assert(!failed);
}

/* The next item of a list, up to a comma outside parentheses, without the space around it; false: none is left. */
static bool next_item(const char **list, char out[NAME_SIZE])
{
	const char *begin = *list + strspn(*list, " "), *end = begin;
	int depth = 0;
	for (; *end && (*end != ',' || depth > 0); end++)
		depth += *end == '(' ? 1 : *end == ')' ? -1 : 0;
	if (end == begin)
		return false;
	*list = *end ? end + 1 : end;
	snprintf(out, NAME_SIZE, "%.*s", (int)(end - begin), begin);
	for (size_t length = strlen(out); length > 0 && out[length - 1] == ' ';)
		out[--length] = '\0';
	return true;
}

/* Is it dropped further on? What is made again under its name is granted again too. */
static bool is_dropped(const char *rest, int number, const char *object)
{
	char drop[NAME_SIZE + 16];
	static const char *const kinds[] = { "VIEW", "TABLE" };
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		snprintf(drop, sizeof drop, "DROP %s %s;", kinds[i], object);
		if (strstr(rest, drop))
			return true;
		for (int later = number; later < migration_count; later++) {
			if (strstr(migrations[later].text, drop))
				return true;
		}
	}
	return false;
}

static void add_right(struct grants *grants, const char *what, const char *object, const char *privilege)
{
	char name[NAME_SIZE], column[NAME_SIZE];
	const char *open = strchr(privilege, '(');
	snprintf(name, sizeof name, "%.*s", (int)strcspn(privilege, " ("), privilege);
	char inside[NAME_SIZE] = "";
	if (open)
		snprintf(inside, sizeof inside, "%.*s", (int)strcspn(open + 1, ")"), open + 1);
	const char *columns = inside;
	bool any = false;
	while (next_item(&columns, column) || !any) {
		any = true;
		append_item(&grants->arrays[ARRAY_WHAT], what);
		append_item(&grants->arrays[ARRAY_OBJECT], object);
		append_item(&grants->arrays[ARRAY_PRIVILEGE], name);
		append_item(&grants->arrays[ARRAY_COLUMN], open ? column : "");
		if (!open)
			return;
	}
}

/* `GRANT privileges ON objects TO roles`, on one line. */
static void read_grant(struct grants *grants, char *statement, const char *rest, int number)
{
	static const struct {
		const char *role;
		unsigned kind;
	} roles[] = {
		{ ":\"state_role\"", DOCTOR_STATE },
		{ ":\"source_role\"", DOCTOR_SOURCE },
		{ ":\"audit_role\"", DOCTOR_AUDIT },
	};
	char object[NAME_SIZE], privilege[NAME_SIZE];
	char *on = strstr(statement, " ON "), *to = on ? strstr(on, " TO ") : NULL;
	unsigned kinds = 0;
	assert(to); /* the migrations are ours */
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
		kinds |= strstr(to, roles[i].role) ? roles[i].kind : 0;
	if (!(kinds & grants->kinds))
		return;
	*on = *to = '\0';
	const char *objects = on + 4, *what = "";
	if (strncmp(objects, "SCHEMA ", 7) == 0)
		what = "SCHEMA";
	else if (strncmp(objects, "FUNCTION ", 9) == 0)
		what = "FUNCTION";
	objects += *what ? strlen(what) + 1 : 0;
	while (next_item(&objects, object)) {
		const char *privileges = statement + strlen("GRANT ");
		while (!is_dropped(rest, number, object) && next_item(&privileges, privilege))
			add_right(grants, what, object, privilege);
	}
}

/* `REVOKE EXECUTE ON FUNCTION f(...) FROM PUBLIC` */
static void read_revoke(struct grants *grants, const char *statement)
{
	static const char start[] = "REVOKE EXECUTE ON FUNCTION ";
	char name[NAME_SIZE];
	if (strncmp(statement, start, sizeof start - 1) != 0)
		return;
	snprintf(name, sizeof name, "%.*s", (int)strcspn(statement + sizeof start - 1, "("),
		statement + sizeof start - 1);
	append_item(&grants->arrays[ARRAY_CLOSED], name);
}

/* Statements that begin a line. */
static void read_migration(struct grants *grants, const struct migration *migration)
{
	for (const char *line = migration->text; line; line = strchr(line, '\n')) {
		char statement[STATEMENT_MAX];
		size_t length = 0;
		line += *line == '\n';
		if (strncmp(line, "GRANT ", 6) != 0 && strncmp(line, "REVOKE ", 7) != 0)
			continue;
		for (const char *at = line; *at && *at != ';' && length < sizeof statement - 1; at++) {
			char c = isspace((unsigned char)*at) ? ' ' : *at;
			if (c != ' ' || (length > 0 && statement[length - 1] != ' '))
				statement[length++] = c;
		}
		statement[length] = '\0';
		if (statement[0] == 'G')
			read_grant(grants, statement, line, migration->number);
		else
			read_revoke(grants, statement);
	}
}

static void read_grants(struct grants *grants, unsigned kinds)
{
	grants->kinds = kinds;
	for (size_t i = 0; i < ARRAYS; i++)
		buffer_init(&grants->arrays[i], ARRAY_MAX);
	for (int i = 0; i < migration_count; i++)
		read_migration(grants, &migrations[i]);
	for (size_t i = 0; i < ARRAYS; i++)
		end_array(&grants->arrays[i]);
}

/* ---- and what the role has ---- */

static unsigned tell_missing(struct doctor *doctor, const struct doctor_database *database, const PGresult *missing)
{
	for (int row = 0; row < PQntuples(missing); row++) {
		const char *what = PQgetvalue(missing, row, 0), *object = PQgetvalue(missing, row, 1);
		const char *privilege = PQgetvalue(missing, row, 2), *column = PQgetvalue(missing, row, 3);
		const char *open = *column ? " (" : "", *close = *column ? ")" : "", *space = *what ? " " : "";
		doctor_find(doctor, DOCTOR_WRONG, database->about, "role %s lacks %s%s%s%s on %s%s%s", database->role,
			privilege, open, column, close, what, space, object);
		doctor_mend_sql(doctor, database, NULL, "GRANT %s%s%s%s ON %s%s%s TO \"%s\"", privilege, open, column,
			close, what, space, object, database->role);
	}
	return (unsigned)PQntuples(missing);
}

/* A right may come from PUBLIC too, so it is taken from both. */
static unsigned tell_beyond(struct doctor *doctor, const struct doctor_database *database, const PGresult *beyond)
{
	int rows = PQntuples(beyond);
	for (int row = 0; row < rows && row < SHOWN; row++) {
		const char *what = PQgetvalue(beyond, row, 0), *object = PQgetvalue(beyond, row, 1);
		const char *privileges = PQgetvalue(beyond, row, 2), *space = *what ? " " : "";
		bool ours = strncmp(object, "needtoknow", 10) == 0;
		doctor_find(doctor, DOCTOR_WRONG, database->about, "role %s has %s on %s%s%s, which it does not need",
			database->role, privileges, what, space, object);
		doctor_mend_sql(doctor, database, ours ? NULL : "postgres", "REVOKE %s ON %s%s%s FROM \"%s\", PUBLIC",
			privileges, what, space, object, database->role);
	}
	if (rows > SHOWN)
		doctor_find(doctor, DOCTOR_WRONG, database->about, "role %s has more rights that it does not need",
			database->role);
	return (unsigned)rows;
}

void doctor_rights(struct doctor *doctor, struct doctor_database *database)
{
	struct grants grants;
	const char *values[ARRAYS + 1];
	unsigned found = 0;
	read_grants(&grants, database->kinds);
	for (size_t i = 0; i < ARRAYS; i++)
		values[i] = (const char *)grants.arrays[i].data;
	values[ARRAYS] = database->kinds & DOCTOR_SOURCE ? "true" : "false";
	PGresult *missing = doctor_ask(doctor, database, &sql_doctor_missing, values);
	if (missing)
		found += tell_missing(doctor, database, missing);
	PGresult *beyond = doctor_ask(doctor, database, &sql_doctor_beyond, values);
	if (beyond)
		found += tell_beyond(doctor, database, beyond);
	if (missing && beyond && found == 0)
		doctor_find(doctor, DOCTOR_OK, database->about,
			"role %s has what the migrations grant to it, and no more", database->role);
	PQclear(missing);
	PQclear(beyond);
	for (size_t i = 0; i < ARRAYS; i++)
		buffer_release(&grants.arrays[i]);
}
