#ifndef NEEDTOKNOW_CLI_LEDGER_STREAM_H
#define NEEDTOKNOW_CLI_LEDGER_STREAM_H

#include <needtoknow/client.h>

#include <stddef.h>
#include <stdint.h>

/* An entry as StreamEntries sends it, in the bytes that were received. */
struct ledger_stream_entry {
	uint64_t index;
	const uint8_t *leaf_hash; /* 32 bytes; NULL: it has another length */
	const uint8_t *body; /* NULL: there is none */
	size_t length;
};

/*
 * All entries from `from` to `until` - 1, in the order in which they come, whatever their indices are. A connection
 * that is lost, or a service that is being restarted, is asked again for the rest. A value other than 0 of on_entry()
 * ends it. 0, also when the service has no more; or -1 and *status.
 */
int ledger_stream(struct needtoknow_client *client, uint64_t from, uint64_t until,
	int (*on_entry)(void *context, const struct ledger_stream_entry *entry), void *context,
	struct needtoknow_status *status);

/* One serialized Entry. 0, or -1: it is none. */
int ledger_stream_parse(const uint8_t *bytes, size_t length, struct ledger_stream_entry *out);

#endif
