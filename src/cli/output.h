#ifndef NEEDTOKNOW_CLI_OUTPUT_H
#define NEEDTOKNOW_CLI_OUTPUT_H

#include <google/protobuf/timestamp.pb-c.h>
#include <jansson.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * What is printed. Standard output holds results alone, and is the only place to which a value of a delivery ever goes:
 * its buffer is ours and is wiped with each flush.
 */

/* Before the first output: takes over the buffer of standard output, and has JSON's memory wiped. */
void output_init(void);
/* Writes out what is buffered, and wipes the buffer. 0, or -1 when it could not be written (a closed pipe, a full
 * disk). */
int output_flush(void);

/* Escape sequences for a terminal that wants them (NO_COLOR, https://no-color.org); else "". */
enum style {
	STYLE_PLAIN,
	STYLE_BOLD,
	STYLE_DIM,
	STYLE_GOOD,
	STYLE_BAD,
	STYLE_WARNING
};
const char *output_style(FILE *file, enum style style);

/* Text from elsewhere: control characters and those that change the direction of writing are shown as escapes. */
void output_text(FILE *file, const char *text);
/* One step of it, for writers that escape more: the bytes at `text` (at least 1, "" is not allowed) when they are such
 * a character, which is then written as its escape; 0 and nothing written when they are not. */
size_t output_escape(FILE *file, const char *text);

/* `key     value`, both escaped; the key takes at least `width` columns. */
#define OUTPUT_KEY_WIDTH 12
void output_pair(FILE *file, const char *key, int width, const char *value);
void output_line(FILE *file, const char *key, const char *value); /* of OUTPUT_KEY_WIDTH */

/* RFC 3339 in UTC, whole seconds; `-` for NULL. */
#define OUTPUT_TIME_MAX 40
const char *output_time(const Google__Protobuf__Timestamp *time, char out[OUTPUT_TIME_MAX]);

/* The name of an enum's value without the enum's prefix, `ACTIVE`; `?` for one that is not known. */
const char *output_enum(const ProtobufCEnumDescriptor *type, int value);
/* And back. 0, or -1: there is no such name. Any case. */
int output_enum_parse(const ProtobufCEnumDescriptor *type, const char *name, size_t length, int *out);

/* Bytes as lower-case hexadecimal digits. */
void output_hex(FILE *file, const uint8_t *bytes, size_t length);

/*
 * A message as a JSON object: the contract's field names; times as RFC 3339 to the microsecond; bytes as hexadecimal
 * digits; enums as output_enum(); what is absent as null. Owned by the caller.
 */
json_t *output_json(const ProtobufCMessage *message);
/* One object a line; takes the reference over. 0, or -1 as output_flush(), which is included. */
int output_json_line(json_t *object);
/* The same to any file, which is not flushed. */
int output_json_write(FILE *file, json_t *object);

#endif
