#include "cli/ledger_stream.h"

#include "pure/merkle.h"
#include "pure/protobuf.h"

#include <needtoknow/methods.h>

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

/* Unpacking each message costs as much as hashing what is in it, so the few fields are read where they stand. */
enum {
	FIELD_ENTRIES = 1, /* of StreamEntriesResponse */
	FIELD_INDEX = 1, /* of Entry */
	FIELD_LEAF_HASH = 2,
	FIELD_BODY = 3,
};

#define TRIES 5 /* in a row that bring nothing */
#define REQUEST_MAX 64

struct stream {
	uint64_t next, until;
	int (*on_entry)(void *context, const struct ledger_stream_entry *entry);
	void *context;
	bool ended; /* by on_entry(), or by `until` */
	bool malformed;
};

int ledger_stream_parse(const uint8_t *bytes, size_t length, struct ledger_stream_entry *out)
{
	const uint8_t *at = bytes;
	struct protobuf_field field;
	struct ledger_stream_entry entry = { 0 };
	int result;

	while ((result = protobuf_next(&at, bytes + length, &field)) > 0) {
		if (field.number == FIELD_INDEX && field.type == PROTOBUF_VARINT)
			entry.index = field.value;
		if (field.type != PROTOBUF_BYTES)
			continue;
		if (field.number == FIELD_LEAF_HASH)
			entry.leaf_hash = field.length == MERKLE_HASH_SIZE ? field.bytes : NULL;
		if (field.number == FIELD_BODY && field.length > 0) {
			entry.body = field.bytes;
			entry.length = field.length;
		}
	}
	if (result < 0)
		return -1;
	*out = entry;
	return 0;
}

static int on_message(void *context, const uint8_t *bytes, size_t length)
{
	struct stream *stream = context;
	const uint8_t *at = bytes;
	struct protobuf_field field;
	struct ledger_stream_entry entry;
	int result;

	while ((result = protobuf_next(&at, bytes + length, &field)) > 0) {
		if (field.number != FIELD_ENTRIES || field.type != PROTOBUF_BYTES)
			continue;
		if (ledger_stream_parse(field.bytes, field.length, &entry) != 0)
			break;
		if (entry.index >= stream->until || stream->on_entry(stream->context, &entry) != 0) {
			stream->ended = true;
			return 1;
		}
		stream->next = entry.index + 1;
		if (stream->next == stream->until) {
			stream->ended = true;
			return 1;
		}
	}
	stream->malformed = result != 0;
	return result;
}

int ledger_stream(struct needtoknow_client *client, uint64_t from, uint64_t until,
	int (*on_entry)(void *context, const struct ledger_stream_entry *entry), void *context,
	struct needtoknow_status *status)
{
	struct stream stream = { .next = from, .until = until, .on_entry = on_entry, .context = context };
	const struct timespec pause = { .tv_sec = 1 };
	uint8_t bytes[REQUEST_MAX];

	for (int try = 0; from < until;) {
		Needtoknow__V1__StreamEntriesRequest request = NEEDTOKNOW__V1__STREAM_ENTRIES_REQUEST__INIT;
		uint64_t begun = stream.next;
		request.from_index = begun;
		request.bodies_only = 1;
		size_t length = needtoknow__v1__stream_entries_request__pack(&request, bytes);
		if (needtoknow_stream_bytes(client, needtoknow_method_stream_entries.path, bytes, length, on_message,
			    &stream, status) == 0)
			break;
		try = stream.next > begun ? 1 : try + 1;
		if (!needtoknow_status_transient(status) || try >= TRIES)
			return -1;
		nanosleep(&pause, NULL);
	}
	if (stream.malformed) {
		*status = (struct needtoknow_status){ .code = NEEDTOKNOW_INTERNAL };
		snprintf(status->message, sizeof status->message, "the stream of entries is not one");
		snprintf(status->reason, sizeof status->reason, "%s", NEEDTOKNOW_REASON_BAD_ANSWER);
		return -1;
	}
	return 0;
}
