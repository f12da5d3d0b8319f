#include "pure/source_select.h"

#include "pure/identifier.h"

#include <assert.h>
#include <string.h>

static const struct key_type_row {
	const char *sql;
	const char *largest, *smallest; /* of an integer, without the sign; NULL of the others */
} key_types[] = {
	[KEY_TYPE_TEXT] = { "text", NULL, NULL },
	[KEY_TYPE_INT2] = { "int2", "32767", "32768" },
	[KEY_TYPE_INT4] = { "int4", "2147483647", "2147483648" },
	[KEY_TYPE_INT8] = { "int8", "9223372036854775807", "9223372036854775808" },
	[KEY_TYPE_UUID] = { "uuid", NULL, NULL },
};

static const struct key_type_row *find_key_type(enum key_type type)
{
	assert((size_t)type < sizeof key_types / sizeof *key_types);
	return &key_types[type];
}

const char *key_type_sql(enum key_type type)
{
	return find_key_type(type)->sql;
}

/* The one way in which PostgreSQL writes it: no sign but `-`, no leading zero, no space. */
static bool integer_accepts(const struct key_type_row *row, const char *text)
{
	bool negative = *text == '-';
	const char *digits = text + negative;
	size_t length = strlen(digits);
	const char *limit = negative ? row->smallest : row->largest;
	if (length == 0 || strspn(digits, "0123456789") != length)
		return false;
	if (*digits == '0')
		return length == 1 && !negative;
	return length < strlen(limit) || (length == strlen(limit) && strcmp(digits, limit) <= 0);
}

bool key_type_accepts(enum key_type type, const char *text)
{
	const struct key_type_row *row = find_key_type(type);
	unsigned char uuid[16];
	if (row->largest != NULL)
		return integer_accepts(row, text);
	return type != KEY_TYPE_UUID || uuid_parse(text, strlen(text), uuid) == 0;
}

/* Builds a statement; once a piece did not fit, the rest is not tried. */
struct writer {
	struct buffer *out;
	int failed;
};

static void put(struct writer *writer, const char *text)
{
	if (!writer->failed)
		writer->failed = buffer_append(writer->out, text, strlen(text));
}

static void put_identifier(struct writer *writer, const char *name)
{
	if (!writer->failed)
		writer->failed = quote_identifier(writer->out, name);
}

static void put_match(struct writer *writer, const char *column, const char *parameter, enum key_type type)
{
	put(writer, "v.");
	put_identifier(writer, column);
	put(writer, " = u.");
	put(writer, parameter);
	put(writer, "::");
	put(writer, key_type_sql(type));
}

static void put_begin(struct writer *writer)
{
	put(writer,
		"SELECT u.ord, v.* FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(key, subject, ord)"
		" CROSS JOIN LATERAL (SELECT ");
}

/* OFFSET 0 keeps the look-up one by key, whatever was known of the view's size when the statement was planned. */
static int put_end(struct writer *writer)
{
	put(writer, " OFFSET 0) AS v");
	if (!writer->failed)
		writer->failed = buffer_append_u8(writer->out, '\0');
	return writer->failed ? -1 : 0;
}

static void put_from(struct writer *writer, const struct policy_source *source, enum key_type key_type)
{
	put(writer, " FROM ");
	put_identifier(writer, source->schema);
	put(writer, ".");
	put_identifier(writer, source->view);
	put(writer, " AS v WHERE ");
	put_match(writer, source->key, "key", key_type);
}

int source_owner_select(
	const struct policy_source *source, enum key_type key_type, enum key_type subject_type, struct buffer *out)
{
	struct writer writer = { .out = out };
	assert(source->subject != NULL);
	put_begin(&writer);
	put(&writer, "coalesce(");
	put_match(&writer, source->subject, "subject", subject_type);
	put(&writer, ", false)::text");
	put_from(&writer, source, key_type);
	return put_end(&writer);
}

int source_select(const struct policy_source *source, enum key_type key_type, enum key_type subject_type,
	const struct policy_field *const *fields, size_t field_count, struct buffer *out)
{
	struct writer writer = { .out = out };
	put_begin(&writer);
	for (size_t i = 0; i < field_count; i++) {
		assert(fields[i]->source == source);
		put(&writer, i == 0 ? "v." : ", v.");
		put_identifier(&writer, fields[i]->column);
		put(&writer, "::text");
	}
	put_from(&writer, source, key_type);
	if (source->subject != NULL) {
		put(&writer, " AND ");
		put_match(&writer, source->subject, "subject", subject_type);
	}
	return put_end(&writer);
}

int change_queue_statement(enum change_queue_use use, const char *schema, struct buffer *out)
{
	static const char read[] = "SELECT q.change_id::bigint, q.subject_id::text, q.source::text, q.key::text,"
				   " array_to_string(q.columns, E'\\n') FROM ";
	static const char these[] = ".change_queue AS q WHERE q.change_id = ANY ($1::bigint[])";
	static const struct {
		const char *before, *after;
	} parts[] = {
		[CHANGE_QUEUE_OTHERS] = { read,
			".change_queue AS q WHERE NOT EXISTS (SELECT FROM unnest($1::bigint[]) AS k(change_id)"
			" WHERE k.change_id = q.change_id) ORDER BY q.change_id LIMIT 256" },
		[CHANGE_QUEUE_THESE] = { read, these },
		[CHANGE_QUEUE_REMOVE] = { "DELETE FROM ", these },
	};
	static_assert(CHANGE_QUEUE_PAGE == 256, "as the statement says");
	struct writer writer = { .out = out };
	put(&writer, parts[use].before);
	put_identifier(&writer, schema);
	put(&writer, parts[use].after);
	if (!writer.failed)
		writer.failed = buffer_append_u8(out, '\0');
	return writer.failed ? -1 : 0;
}

int quote_identifier(struct buffer *out, const char *name)
{
	if (buffer_append_u8(out, '"') != 0)
		return -1;
	for (; *name != '\0'; name++) {
		if ((*name == '"' && buffer_append_u8(out, '"') != 0) || buffer_append_u8(out, (uint8_t)*name) != 0)
			return -1;
	}
	return buffer_append_u8(out, '"');
}
