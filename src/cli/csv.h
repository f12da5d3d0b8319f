#ifndef NEEDTOKNOW_CLI_CSV_H
#define NEEDTOKNOW_CLI_CSV_H

#include <google/protobuf/timestamp.pb-c.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Comma-separated values, RFC 4180: lines end with CR LF; texts stand in quotes, a quote in them is doubled. UTF-8
 * without a byte order mark.
 *
 * They open safely in a spreadsheet (https://owasp.org/www-community/attacks/CSV_Injection): a text that could be taken
 * for a formula gets a single quote in front of it, inside its quotes; control characters and those that change the
 * direction of writing are escapes, as output_text() shows them, so that a text is always one line. Numbers, times and
 * names of the contract's enums stand as they are.
 */
struct csv {
	FILE *file;
	size_t columns; /* that every line has */
	size_t at;
};

/* Writes the line of headings: the contract's field names. */
void csv_begin(struct csv *csv, FILE *file, const char *const *headings, size_t columns);

/* The next cell. What is absent is empty. */
void csv_text(struct csv *csv, const char *text);
void csv_texts(struct csv *csv, char *const *texts, size_t count); /* with a space between two */
void csv_word(struct csv *csv, const char *word); /* that we chose */
void csv_number(struct csv *csv, uint64_t number);
void csv_time(struct csv *csv, const Google__Protobuf__Timestamp *time); /* RFC 3339, to the microsecond */
void csv_bytes(struct csv *csv, const uint8_t *bytes, size_t length); /* hexadecimal digits */
void csv_empty(struct csv *csv, size_t cells);

/* The line has all its cells. */
void csv_end(struct csv *csv);

#endif
