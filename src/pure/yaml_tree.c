#include "pure/yaml_tree.h"

#include "pure/identifier.h"
#include "pure/name_table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

/* A list or map that is still open. */
struct level {
	struct yaml_value *value;
	struct yaml_value **tail; /* where its next child is linked in */
	struct name_table keys; /* of a map: seen so far */
	struct yaml_value *keyed; /* of a map: the child whose key was read and whose value is yet to come */
};

struct builder {
	struct arena *arena;
	struct yaml_error *error;
	struct yaml_value *root;
	struct level levels[YAML_DEPTH_MAX];
	size_t depth;
	size_t values;
};

void yaml_error_set(struct yaml_error *error, int line, int column, const char *format, va_list arguments)
{
	error->line = line;
	error->column = column;
	vsnprintf(error->message, sizeof error->message, format, arguments);
	/* A text that was shortened may have lost the end of a character. */
	char *out = error->message;
	for (const char *in = error->message; *in != '\0';) {
		unsigned char lead = (unsigned char)*in;
		size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
		if (utf8_valid(in, strnlen(in, length))) {
			memmove(out, in, length);
			out += length;
			in += length;
		} else {
			in++;
		}
	}
	*out = '\0';
}

/* Always -1. */
__attribute__((format(printf, 3, 4))) static int refuse(
	struct builder *builder, const yaml_mark_t *mark, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	yaml_error_set(builder->error, (int)mark->line + 1, (int)mark->column + 1, format, arguments);
	va_end(arguments);
	return -1;
}

static struct yaml_value *value_new(struct builder *builder, const yaml_mark_t *mark)
{
	struct yaml_value *value = arena_alloc(builder->arena, sizeof *value);
	assert(value != NULL);
	value->line = (int)mark->line + 1;
	value->column = (int)mark->column + 1;
	return value;
}

/* C0, DEL and C1 (U+0080 to U+009F). libyaml has seen to it that the rest is UTF-8. */
static bool has_control_character(const unsigned char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] < 0x20 || text[i] == 0x7f)
			return true;
		if (text[i] == 0xc2 && i + 1 < length && text[i + 1] < 0xa0)
			return true;
	}
	return false;
}

static int copy_text(struct builder *builder, const yaml_event_t *event, const char **out)
{
	if (has_control_character(event->data.scalar.value, event->data.scalar.length))
		return refuse(builder, &event->start_mark,
			"a line break or another control character in a text: a text is one line");
	/* libyaml ends it with a NUL. */
	*out = arena_memdup(builder->arena, event->data.scalar.value, event->data.scalar.length + 1);
	assert(*out != NULL);
	return 0;
}

/* A key: the child is made now, so that its place is known, and filled when its value comes. */
static int add_key(struct builder *builder, struct level *level, const yaml_event_t *event)
{
	if (event->type != YAML_SCALAR_EVENT)
		return refuse(builder, &event->start_mark, "a key is a word, not a list or a map");
	const char *key;
	if (copy_text(builder, event, &key) != 0)
		return -1;
	if (*key == '\0')
		return refuse(builder, &event->start_mark, "a key is empty");
	const struct yaml_value *earlier = name_table_find(&level->keys, key);
	if (earlier != NULL)
		return refuse(builder, &event->start_mark, "`%.80s` is given twice: first in line %d", key,
			earlier->key_line);

	struct yaml_value *child = value_new(builder, &event->start_mark);
	child->key = key;
	child->key_line = child->line;
	child->key_column = child->column;
	name_table_add(&level->keys, key, child);
	level->keyed = child;
	return 0;
}

static int add_value(struct builder *builder, const yaml_event_t *event)
{
	struct level *level = builder->depth > 0 ? &builder->levels[builder->depth - 1] : NULL;
	if (++builder->values > YAML_VALUES_MAX)
		return refuse(builder, &event->start_mark, "more than %d values", YAML_VALUES_MAX);
	if (level != NULL && level->value->kind == YAML_KIND_MAP && level->keyed == NULL)
		return add_key(builder, level, event);

	struct yaml_value *value = value_new(builder, &event->start_mark);
	if (level == NULL) {
		builder->root = value;
	} else {
		if (level->keyed != NULL) {
			level->keyed->line = value->line;
			level->keyed->column = value->column;
			value = level->keyed;
			level->keyed = NULL;
		}
		*level->tail = value;
		level->tail = &value->next;
		level->value->count++;
	}

	if (event->type == YAML_SCALAR_EVENT) {
		value->kind = YAML_KIND_TEXT;
		value->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
		return copy_text(builder, event, &value->text);
	}
	value->kind = event->type == YAML_MAPPING_START_EVENT ? YAML_KIND_MAP : YAML_KIND_LIST;
	if (builder->depth == YAML_DEPTH_MAX)
		return refuse(
			builder, &event->start_mark, "lists and maps are nested more than %d deep", YAML_DEPTH_MAX);
	struct level *inner = &builder->levels[builder->depth++];
	*inner = (struct level){ .value = value, .tail = &value->first };
	name_table_init(&inner->keys);
	return 0;
}

static void end_value(struct builder *builder)
{
	assert(builder->depth > 0);
	name_table_release(&builder->levels[--builder->depth].keys);
}

/* Names that make one part of the text mean another, and types that are not the schema's. */
static int check_marks(struct builder *builder, const yaml_event_t *event)
{
	const yaml_char_t *anchor = NULL;
	const yaml_char_t *tag = NULL;
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		break;
	case YAML_ALIAS_EVENT:
		return refuse(builder, &event->start_mark, "`*%.80s`: aliases are not allowed; write it out",
			event->data.alias.anchor);
	default:
		break;
	}
	if (anchor != NULL)
		return refuse(builder, &event->start_mark, "`&%.80s`: anchors are not allowed; write it out", anchor);
	if (tag != NULL)
		return refuse(builder, &event->start_mark, "`%.80s`: tags are not allowed", tag);
	return 0;
}

static int handle_event(struct builder *builder, const yaml_event_t *event)
{
	if (check_marks(builder, event) != 0)
		return -1;
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (builder->root != NULL)
			return refuse(builder, &event->start_mark, "a second document begins: a file holds one");
		return 0;
	case YAML_SCALAR_EVENT:
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return add_value(builder, event);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		end_value(builder);
		return 0;
	default:
		return 0;
	}
}

static int refuse_syntax(struct builder *builder, const yaml_parser_t *parser, const char *text, size_t length)
{
	const char *problem = parser->problem != NULL ? parser->problem : "cannot be read";
	if (parser->error == YAML_READER_ERROR) {
		/* The reader is ahead of the parser and knows an offset instead of a line. */
		yaml_mark_t mark = { .index = 0 };
		for (size_t i = 0; i < parser->problem_offset && i < length; i++) {
			mark.line += text[i] == '\n';
			mark.column = text[i] == '\n' ? 0 : mark.column + 1;
		}
		return refuse(builder, &mark, "not a text in UTF-8: %s", problem);
	}
	if (parser->context != NULL)
		return refuse(builder, &parser->problem_mark, "not YAML: %s, %s", problem, parser->context);
	return refuse(builder, &parser->problem_mark, "not YAML: %s", problem);
}

struct yaml_value *yaml_tree_parse(const char *text, size_t length, struct arena *arena, struct yaml_error *error)
{
	*error = (struct yaml_error){ .line = 0 };
	if (length > YAML_BYTES_MAX) {
		snprintf(error->message, sizeof error->message, "%zu bytes; at most %d are allowed", length,
			YAML_BYTES_MAX);
		return NULL;
	}
	struct builder builder = { .arena = arena, .error = error };
	yaml_parser_t parser;
	if (yaml_parser_initialize(&parser) == 0) {
		snprintf(error->message, sizeof error->message, "no memory to parse it");
		return NULL;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);

	int result = 0;
	bool ended = false;
	while (result == 0 && !ended) {
		yaml_event_t event;
		if (yaml_parser_parse(&parser, &event) == 0) {
			result = refuse_syntax(&builder, &parser, text, length);
			break;
		}
		ended = event.type == YAML_STREAM_END_EVENT;
		result = handle_event(&builder, &event);
		yaml_event_delete(&event);
	}
	while (builder.depth > 0)
		end_value(&builder);
	yaml_parser_delete(&parser);
	if (result == 0 && builder.root == NULL)
		snprintf(error->message, sizeof error->message, "the file is empty");
	return result == 0 ? builder.root : NULL;
}

const struct yaml_value *yaml_tree_get(const struct yaml_value *map, const char *key)
{
	assert(map->kind == YAML_KIND_MAP);
	for (const struct yaml_value *child = map->first; child != NULL; child = child->next) {
		if (strcmp(child->key, key) == 0)
			return child;
	}
	return NULL;
}
