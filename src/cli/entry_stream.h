#ifndef NEEDTOKNOW_CLI_ENTRY_STREAM_H
#define NEEDTOKNOW_CLI_ENTRY_STREAM_H

#include "cli/entry_print.h"

#include <needtoknow/client.h>

/*
 * StreamEntries, printed as they come. With request->follow it goes on until SIGINT or SIGTERM, which is no failure: a
 * connection that is lost is made again, after a time, and the stream goes on behind the last entry that was printed.
 */
struct entry_stream {
	Needtoknow__V1__StreamEntriesRequest request; /* from_index moves on */
	struct entry_printer *printer;
	uint64_t limit; /* entries to print; 0: all */
};

enum exit_code entry_stream_run(
	const struct invocation *invocation, struct needtoknow_client *client, struct entry_stream *stream);

#endif
