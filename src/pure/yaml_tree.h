#ifndef NEEDTOKNOW_PURE_YAML_TREE_H
#define NEEDTOKNOW_PURE_YAML_TREE_H

#include "base/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * A YAML text as a tree that knows where each thing stands, for files that people write and must be able to correct.
 * libyaml parses; what makes a file mean other than it looks is refused here: anchors and aliases (a few lines that
 * unfold to millions), tags, a key given twice, a second document, control characters.
 */
struct yaml_value {
	enum yaml_kind {
		YAML_KIND_TEXT,
		YAML_KIND_LIST,
		YAML_KIND_MAP
	} kind;
	int line, column; /* where it starts, from 1 */
	const char *key; /* in a map; NULL elsewhere */
	int key_line, key_column;
	const char *text; /* of a text */
	bool plain; /* a text without quotes */
	size_t count; /* of a list or a map */
	struct yaml_value *first; /* of a list or a map, in the file's order */
	struct yaml_value *next; /* in the same list or map */
};

#define YAML_BYTES_MAX 1048576 /* of a text */
#define YAML_VALUES_MAX 100000
#define YAML_DEPTH_MAX 16
/* What an arena must give so that no text within these limits exhausts it. */
#define YAML_ARENA_MAX (64 * YAML_BYTES_MAX)

struct yaml_error {
	int line, column; /* from 1; 0 when it is about no place in particular */
	char message[512];
};

/* The message is cut where it is too long, and is UTF-8. */
void yaml_error_set(struct yaml_error *error, int line, int column, const char *format, va_list arguments)
	__attribute__((format(printf, 4, 0)));

/* The tree lives in the arena. NULL and *error when the text is not what is told above. */
struct yaml_value *yaml_tree_parse(const char *text, size_t length, struct arena *arena, struct yaml_error *error);

/* The value of a key of a map; NULL when it has none. */
const struct yaml_value *yaml_tree_get(const struct yaml_value *map, const char *key);

#endif
