#ifndef NEEDTOKNOW_CLI_BULK_H
#define NEEDTOKNOW_CLI_BULK_H

#include "cli/bulk_file.h"

#include <needtoknow/methods.h>
#include <protobuf-c/protobuf-c.h>

/*
 * Many requests of clients, from a file (bulk_file.h), over one connection, several at a time. What the service cannot
 * do now is tried again with a back-off, under the same request id; when that does not help, it stops, and running it
 * again goes on (bulk_results.h). Ctrl-C ends it after what is on its way.
 */
#define BULK_FLAGS                                                                                                     \
	{ "file", "FILE", "many requests: a CSV file, a line each, the first names the columns", false },              \
		{ "results", "FILE", "what became of each line [FILE.results.csv]", false },                           \
	{                                                                                                              \
		"in-flight", "N", "of a file, so many at a time, 1 to 256 [16]", false                                 \
	}

struct bulk_kind {
	struct bulk_shape shape;
	const struct needtoknow_method *method;
	const char *doing; /* `objected` */
	/* The bytes of a line's request, to be freed by mem_free(). */
	uint8_t *(*pack)(const struct invocation *invocation, const struct bulk_line *line, size_t *length);
	/* Of an answer; NULL: none. */
	const Needtoknow__V1__Receipt *(*receipt)(const ProtobufCMessage *answer);
	const char *const *singles; /* flags of a single request alone, up to a NULL */
};

/* --file was given. Prints what became of it. */
enum exit_code bulk_run(const struct invocation *invocation, const struct bulk_kind *kind);

#endif
