#ifndef NEEDTOKNOW_PURE_SOURCE_SELECT_H
#define NEEDTOKNOW_PURE_SOURCE_SELECT_H

#include "base/buffer.h"
#include "pure/policy.h"

/*
 * The one place where names from a policy become SQL. Identifiers are quoted here, and have been found in the catalogue
 * before the policy took effect; keys and subjects are parameters. The columns that are due, and no other, are in the
 * SELECT:
 *
 *   SELECT u.ord, v.* FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(key, subject, ord)
 *     CROSS JOIN LATERAL (SELECT v."given_name"::text, v."home_address"::text FROM "share"."client" AS v
 *       WHERE v."subject_id" = u.key::<key_type> OFFSET 0) AS v
 *
 * With a source that has a `subject` column the look-up also demands v.<subject> = u.subject. A row that is not there
 * gives no line, two rows give two: the reader fails closed on both. $2 is always there and is unused by a source
 * without a subject column.
 */
enum key_type {
	KEY_TYPE_TEXT,
	KEY_TYPE_INT2,
	KEY_TYPE_INT4,
	KEY_TYPE_INT8,
	KEY_TYPE_UUID
};

/*
 * Would `text` be accepted as a key of this type? (A key that PostgreSQL cannot read is one that does not exist.) Only
 * the form that PostgreSQL itself writes: it would read `007` as 7, which are two subjects to an objection and one row
 * to the source.
 */
bool key_type_accepts(enum key_type type, const char *text);
const char *key_type_sql(enum key_type type);

/* With no columns: only whether the row is there. 0, or -1 past the buffer's maximum. NUL-terminates. */
int source_select(const struct policy_source *source, enum key_type key_type, enum key_type subject_type,
	const struct policy_field *const *fields, size_t field_count, struct buffer *out);

/*
 * Whose row is it? One column, `true` when v.<subject> is u.subject, for a source that has a `subject`: a booking that
 * is another subject's is told apart from one that does not exist, and nothing else of it is read.
 */
int source_owner_select(
	const struct policy_source *source, enum key_type key_type, enum key_type subject_type, struct buffer *out);

/*
 * The company's change queue, `"schema".change_queue` (deploy/sql/reference.sql), by the numbers of its rows, $1
 * bigint[]: those that are not among them (a page of the oldest); those that are; and their removal. A row's columns
 * are change_id, subject_id, source, key and its columns' names, a line each. 0, or -1 past the buffer's maximum.
 * NUL-terminates.
 */
enum change_queue_use {
	CHANGE_QUEUE_OTHERS,
	CHANGE_QUEUE_THESE,
	CHANGE_QUEUE_REMOVE
};
#define CHANGE_QUEUE_PAGE 256
int change_queue_statement(enum change_queue_use use, const char *schema, struct buffer *out);

/* Appends `"name"` with quotes doubled. */
int quote_identifier(struct buffer *out, const char *name);

#endif
