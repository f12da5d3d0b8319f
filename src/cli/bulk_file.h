#ifndef NEEDTOKNOW_CLI_BULK_FILE_H
#define NEEDTOKNOW_CLI_BULK_FILE_H

#include "base/buffer.h"
#include "cli/command.h"
#include "pure/identifier.h"

#include <needtoknow/v1/rights.pb-c.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * A file with many requests of one kind (csv_read.h): a line of headings, then a request a line. `subject` is needed;
 * of the others those that the kind of request has. What no column says, the flags say for all lines.
 *
 * The request id of a line is made of what is asked: the method, the client, the channel, the time, the purpose, the
 * column, the switches; never of a value. So whoever runs the file again asks nothing twice, also when lines were added
 * or moved. A line that asks the same as an earlier one is that request. When a request was received must therefore not
 * depend on when the file is run: it is never `now`.
 */
enum bulk_column {
	BULK_SUBJECT,
	BULK_CHANNEL,
	BULK_RECEIVED,
	BULK_PURPOSE,
	BULK_REASON,
	BULK_COLUMN,
	BULK_VALUE,
	BULK_COLUMNS
};
#define BULK_HAS(column) (1U << (column))

struct bulk_line {
	size_t number; /* of the file, from 1 */
	size_t same_as; /* that of the first line that asks the same; 0: it is the first */
	char *cells[BULK_COLUMNS]; /* NULL: absent. They point into the file's text, argv or "" */
	Needtoknow__V1__Channel channel;
	Google__Protobuf__Timestamp received_at;
	char request_id[UUID_TEXT_LENGTH + 1];

	/* Of bulk.c. */
	bool done;
	unsigned long long ledger_index;
};

struct bulk_file {
	struct buffer text; /* wiped when released */
	struct bulk_line *lines;
	size_t count;
};

/* How a kind of request is read. */
struct bulk_shape {
	const char *method; /* its path */
	unsigned columns; /* BULK_HAS() of those that it has besides subject, channel and received */
	unsigned needed; /* of those: each line must say them */
	const char *const *switches; /* flags that change what is asked, up to a NULL */
};

/* EXIT_OK; or EXIT_USAGE or EXIT_FAILED after lines that name the file's lines. The invocation must outlive it. */
enum exit_code bulk_file_read(
	const struct invocation *invocation, const struct bulk_shape *shape, const char *path, struct bulk_file *out);
/* NULL lines are allowed. */
void bulk_file_release(struct bulk_file *file);

#endif
