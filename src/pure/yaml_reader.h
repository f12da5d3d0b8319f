#ifndef NEEDTOKNOW_PURE_YAML_READER_H
#define NEEDTOKNOW_PURE_YAML_READER_H

#include "pure/yaml_tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * From a tree to C structs by tables of keys. A key that the table does not have, one that is required and missing, a
 * value that is not of its kind: the first such mistake ends the reading, with its place, what was found, what is
 * allowed and the nearest known name.
 */
struct yaml_reader {
	struct arena *arena; /* what is read lives here; of YAML_ARENA_MAX at least */
	void *context; /* of the readers that a table names */
	struct yaml_error error;
};

/* Reads one value into the member of the struct that the key belongs to. 0, or -1 and reader->error. */
typedef int yaml_read(struct yaml_reader *reader, const struct yaml_value *value, void *member);

struct yaml_key {
	const char *name;
	yaml_read *read;
	size_t offset; /* of the member */
	bool required;
	const char *allowed; /* what the value may be, for messages: "provider or staff" */
};

struct yaml_map {
	const char *what; /* "a service", for messages */
	size_t count;
	const struct yaml_key *keys; /* read in this order, whatever the file's is */
};

/* Fills *out. Members whose key is optional and absent stay as they are. */
int yaml_read_map(struct yaml_reader *reader, const struct yaml_value *value, const struct yaml_map *map, void *out);

/* A word of a fixed set. */
struct yaml_word {
	const char *name;
	int value;
};
int yaml_read_word(struct yaml_reader *reader, const struct yaml_value *value, const struct yaml_word *words,
	size_t count, int *out);

yaml_read yaml_read_text; /* const char *: not empty, at most YAML_TEXT_MAX bytes */
yaml_read yaml_read_bool; /* bool: true or false */
yaml_read yaml_read_count; /* uint32_t: 1 and more */
#define YAML_TEXT_MAX 1000

/* Is it a list with something in it? */
int yaml_expect_list(struct yaml_reader *reader, const struct yaml_value *value, const char *of_what);
/* Is it a map with something in it? */
int yaml_expect_map(struct yaml_reader *reader, const struct yaml_value *value, const char *of_what);

/* Zeroed, in the arena; never NULL, since the arena is as large as the limits of a text need. */
void *yaml_alloc(struct yaml_reader *reader, size_t count, size_t size);

/* Both are always -1. The second is the usual one for a text of the wrong form: what was found, what is allowed. */
int yaml_refuse(struct yaml_reader *reader, const struct yaml_value *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int yaml_refuse_text(struct yaml_reader *reader, const struct yaml_value *value, const char *allowed);
/* The same for a name that is not among the known ones; `nearest` may be NULL. */
int yaml_refuse_name(
	struct yaml_reader *reader, const struct yaml_value *value, const char *nearest, const char *allowed);

#endif
