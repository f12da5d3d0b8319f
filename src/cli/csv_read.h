#ifndef NEEDTOKNOW_CLI_CSV_READ_H
#define NEEDTOKNOW_CLI_CSV_READ_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Comma-separated values, RFC 4180, as spreadsheets write them: UTF-8 with or without a byte order mark, lines that end
 * with CR LF or LF. Where the first line has a semicolon and no comma, semicolons separate (as in French spreadsheets).
 * Read in place: the text is changed, cells point into it, and nothing is copied. What it says stands as it is: a
 * single quote that csv.h put in front of a text is not taken away.
 */
#define CSV_CELLS_MAX 32

struct csv_row {
	size_t line; /* of the file, from 1, on which it begins */
	size_t count;
	char *cells[CSV_CELLS_MAX];
	bool quoted[CSV_CELLS_MAX]; /* an empty cell without quotes is absent; with quotes it is an empty text */
};

struct csv_reader {
	char *at, *end;
	size_t line;
	char separator;
};

/* `text` has room for one more byte behind its `length`. NULL, or what is wrong with all of it. */
const char *csv_reader_init(struct csv_reader *reader, char *text, size_t length);

/* The next row; empty lines are passed over. NULL and row->count > 0; NULL and 0 at the end; or what is wrong with
 * row->line. */
const char *csv_read(struct csv_reader *reader, struct csv_row *row);

#endif
