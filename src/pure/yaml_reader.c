#include "pure/yaml_reader.h"

#include "pure/nearest.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void *yaml_alloc(struct yaml_reader *reader, size_t count, size_t size)
{
	assert(count <= YAML_VALUES_MAX && size <= 1024);
	void *memory = arena_alloc(reader->arena, count * size);
	assert(memory != NULL);
	return memory;
}

static int refuse_at(struct yaml_reader *reader, int line, int column, const char *format, va_list arguments)
{
	yaml_error_set(&reader->error, line, column, format, arguments);
	return -1;
}

int yaml_refuse(struct yaml_reader *reader, const struct yaml_value *at, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	refuse_at(reader, at->line, at->column, format, arguments);
	va_end(arguments);
	return -1;
}

/* At the key rather than its value. */
__attribute__((format(printf, 3, 4))) static int refuse_key(
	struct yaml_reader *reader, const struct yaml_value *at, const char *format, ...)
{
	bool has_key = at->key != NULL;
	va_list arguments;
	va_start(arguments, format);
	refuse_at(reader, has_key ? at->key_line : at->line, has_key ? at->key_column : at->column, format, arguments);
	va_end(arguments);
	return -1;
}

static const char *kind_name(const struct yaml_value *value)
{
	static const char *const names[] = {
		[YAML_KIND_TEXT] = "a text",
		[YAML_KIND_LIST] = "a list",
		[YAML_KIND_MAP] = "a map",
	};
	return names[value->kind];
}

static bool is_nothing(const struct yaml_value *value)
{
	if (value->kind != YAML_KIND_TEXT)
		return false;
	return *value->text == '\0' ||
		(value->plain && (strcmp(value->text, "~") == 0 || strcasecmp(value->text, "null") == 0));
}

/* "`title`: ", or nothing for an item of a list. */
#define KEY_FORMAT "%s%.80s%s"
#define KEY_ARGUMENTS(value)                                                                                           \
	(value)->key != NULL ? "`" : "", (value)->key != NULL ? (value)->key : "", (value)->key != NULL ? "`: " : ""

int yaml_refuse_text(struct yaml_reader *reader, const struct yaml_value *value, const char *allowed)
{
	return yaml_refuse_name(reader, value, NULL, allowed);
}

int yaml_refuse_name(
	struct yaml_reader *reader, const struct yaml_value *value, const char *nearest, const char *allowed)
{
	if (value->kind != YAML_KIND_TEXT) {
		return yaml_refuse(reader, value, KEY_FORMAT "found %s; allowed: %s", KEY_ARGUMENTS(value),
			kind_name(value), allowed);
	}
	if (is_nothing(value))
		return yaml_refuse(
			reader, value, KEY_FORMAT "found nothing; allowed: %s", KEY_ARGUMENTS(value), allowed);
	return yaml_refuse(reader, value, KEY_FORMAT "found `%.80s`%s%s%s; allowed: %s", KEY_ARGUMENTS(value),
		value->text, nearest != NULL ? " (did you mean `" : "", nearest != NULL ? nearest : "",
		nearest != NULL ? "`?)" : "", allowed);
}

static const struct yaml_key *find_key(const struct yaml_map *map, const char *name)
{
	for (size_t i = 0; i < map->count; i++) {
		if (strcmp(map->keys[i].name, name) == 0)
			return &map->keys[i];
	}
	return NULL;
}

/* "name, at, fields" */
#define LIST_MAX 320
static void list_keys(const struct yaml_map *map, char list[LIST_MAX])
{
	size_t used = 0;
	list[0] = '\0';
	for (size_t i = 0; i < map->count && used < LIST_MAX; i++)
		used += (size_t)snprintf(list + used, LIST_MAX - used, "%s%s", i > 0 ? ", " : "", map->keys[i].name);
}

static int refuse_unknown_key(struct yaml_reader *reader, const struct yaml_value *child, const struct yaml_map *map)
{
	char list[LIST_MAX];
	list_keys(map, list);
	struct nearest nearest;
	nearest_init(&nearest, child->key);
	for (size_t i = 0; i < map->count; i++)
		nearest_try(&nearest, map->keys[i].name);
	bool near = nearest.best != NULL;
	return refuse_key(reader, child, "%s has no key `%.80s`%s%s%s; allowed: %s", map->what, child->key,
		near ? " (did you mean `" : "", near ? nearest.best : "", near ? "`?)" : "", list);
}

int yaml_read_map(struct yaml_reader *reader, const struct yaml_value *value, const struct yaml_map *map, void *out)
{
	if (value->kind != YAML_KIND_MAP || value->count == 0) {
		char list[LIST_MAX], allowed[LIST_MAX + 80];
		list_keys(map, list);
		snprintf(allowed, sizeof allowed, "%s, with the keys %s", map->what, list);
		return yaml_expect_map(reader, value, allowed);
	}
	for (const struct yaml_value *child = value->first; child != NULL; child = child->next) {
		if (find_key(map, child->key) == NULL)
			return refuse_unknown_key(reader, child, map);
	}
	for (size_t i = 0; i < map->count; i++) {
		const struct yaml_key *key = &map->keys[i];
		const struct yaml_value *child = yaml_tree_get(value, key->name);
		if (child == NULL && key->required)
			return refuse_key(reader, value, KEY_FORMAT "%s needs `%s`, which is missing; allowed: %s",
				KEY_ARGUMENTS(value), map->what, key->name, key->allowed);
		if (child != NULL && key->read(reader, child, (char *)out + key->offset) != 0)
			return -1;
	}
	return 0;
}

int yaml_read_word(struct yaml_reader *reader, const struct yaml_value *value, const struct yaml_word *words,
	size_t count, int *out)
{
	bool is_text = value->kind == YAML_KIND_TEXT;
	struct nearest nearest;
	nearest_init(&nearest, is_text ? value->text : "");
	char list[LIST_MAX] = "";
	size_t used = 0;
	for (size_t i = 0; i < count; i++) {
		if (is_text && strcmp(value->text, words[i].name) == 0) {
			*out = words[i].value;
			return 0;
		}
		nearest_try(&nearest, words[i].name);
		if (used < sizeof list)
			used += (size_t)snprintf(
				list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "", words[i].name);
	}
	return yaml_refuse_name(reader, value, nearest.best, list);
}

int yaml_read_text(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	if (value->kind != YAML_KIND_TEXT || is_nothing(value))
		return yaml_refuse_text(reader, value, "a text");
	if (strlen(value->text) > YAML_TEXT_MAX)
		return yaml_refuse(reader, value, KEY_FORMAT "%zu bytes; allowed: at most %d", KEY_ARGUMENTS(value),
			strlen(value->text), YAML_TEXT_MAX);
	*(const char **)member = value->text;
	return 0;
}

int yaml_read_bool(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	bool is_true = value->kind == YAML_KIND_TEXT && strcmp(value->text, "true") == 0;
	bool is_false = value->kind == YAML_KIND_TEXT && strcmp(value->text, "false") == 0;
	if ((!is_true && !is_false) || !value->plain)
		return yaml_refuse_text(reader, value, "true or false, without quotes");
	*(bool *)member = is_true;
	return 0;
}

int yaml_read_count(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	const char *allowed = "a whole number from 1 to 4294967295, without quotes";
	if (value->kind != YAML_KIND_TEXT || !value->plain)
		return yaml_refuse_text(reader, value, allowed);
	size_t length = strlen(value->text);
	if (length == 0 || length > 10 || strspn(value->text, "0123456789") != length || value->text[0] == '0')
		return yaml_refuse_text(reader, value, allowed);
	uint64_t number = 0;
	for (size_t i = 0; i < length; i++)
		number = number * 10 + (uint64_t)(value->text[i] - '0');
	if (number > UINT32_MAX)
		return yaml_refuse_text(reader, value, allowed);
	*(uint32_t *)member = (uint32_t)number;
	return 0;
}

static int expect(struct yaml_reader *reader, const struct yaml_value *value, enum yaml_kind kind, const char *what)
{
	const char *form = kind == YAML_KIND_LIST ? "a list of " : "";
	if (is_nothing(value) || (value->kind != YAML_KIND_TEXT && value->count == 0))
		return yaml_refuse(
			reader, value, KEY_FORMAT "found nothing; allowed: %s%s", KEY_ARGUMENTS(value), form, what);
	if (value->kind != kind)
		return yaml_refuse(reader, value, KEY_FORMAT "found %s; allowed: %s%s", KEY_ARGUMENTS(value),
			kind_name(value), form, what);
	return 0;
}

int yaml_expect_list(struct yaml_reader *reader, const struct yaml_value *value, const char *of_what)
{
	return expect(reader, value, YAML_KIND_LIST, of_what);
}

int yaml_expect_map(struct yaml_reader *reader, const struct yaml_value *value, const char *of_what)
{
	return expect(reader, value, YAML_KIND_MAP, of_what);
}
