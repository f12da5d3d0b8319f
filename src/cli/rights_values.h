#ifndef NEEDTOKNOW_CLI_RIGHTS_VALUES_H
#define NEEDTOKNOW_CLI_RIGHTS_VALUES_H

#include "base/buffer.h"
#include "cli/command.h"

#include <needtoknow/v1/rights.pb-c.h>

/*
 * Values of a client's, on their way into the company's database. They come from files or from standard input (`-`):
 * a command line can be read by everybody on the machine, and stays in the shell's history. All is wiped when released.
 */
struct rights_values {
	struct buffer text;
	Needtoknow__V1__ColumnValue *items, **pointers;
	size_t count;
};

/* A CSV file (csv_read.h) with the columns `column` and `value`; an empty value without quotes is no value. EXIT_OK, or
 * an error after a line. */
enum exit_code rights_values_read(const char *path, struct rights_values *out);
/* The whole of a file is the value, but for one line's end at its end. As above. */
enum exit_code rights_value_read(const char *path, const char *column, struct rights_values *out);
/* Zeroed is allowed. */
void rights_values_release(struct rights_values *values);

#endif
