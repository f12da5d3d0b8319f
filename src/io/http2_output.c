#include "io/http2_output.h"

#include "base/memory.h"
#include "pure/grpc.h"

#include <assert.h>
#include <string.h>

struct http2_message *http2_output_push(struct http2_output *output, const uint8_t *message, size_t length)
{
	struct http2_message *pushed = mem_alloc(sizeof *pushed + GRPC_PREFIX_LENGTH + length);
	*pushed = (struct http2_message){ .die_at = INT64_MAX, .length = GRPC_PREFIX_LENGTH + length };
	grpc_frame_prefix(pushed->bytes, (uint32_t)length);
	if (length > 0)
		memcpy(pushed->bytes + GRPC_PREFIX_LENGTH, message, length);

	if (output->last)
		output->last->next = pushed;
	else
		output->first = pushed;
	output->last = pushed;
	output->bytes += pushed->length;
	return pushed;
}

static void message_free(struct http2_message *message)
{
	http2_values_remove(message);
	mem_free(message);
}

/* Out of the queue. What the record still holds of it is freed with the record. */
static void message_leave(struct http2_message *message)
{
	message->stream = NULL;
	message->next = NULL;
	if (!message->in_record)
		message_free(message);
}

static void record_note(struct http2_record *record, struct http2_message *message)
{
	if (!message->values || message->in_record)
		return;
	message->in_record = true;
	message->next_in_record = record->first;
	record->first = message;
}

void http2_output_pull(struct http2_output *output, struct http2_record *record, uint8_t *out, size_t length)
{
	assert(length <= output->bytes);
	output->bytes -= length;
	while (length > 0) {
		struct http2_message *message = output->first;
		size_t part = message->length - message->pulled;
		if (part > length)
			part = length;
		memcpy(out, message->bytes + message->pulled, part);
		out += part;
		length -= part;
		message->pulled += part;
		record_note(record, message);
		if (message->pulled < message->length)
			break;
		output->first = message->next;
		if (!output->first)
			output->last = NULL;
		message_leave(message);
	}
}

void http2_output_drop(struct http2_output *output, struct http2_message *message)
{
	assert(message->pulled == 0);
	struct http2_message *before = NULL;
	for (struct http2_message *at = output->first; at != message; at = at->next)
		before = at;
	if (before)
		before->next = message->next;
	else
		output->first = message->next;
	if (output->last == message)
		output->last = before;
	output->bytes -= message->length;
	message_leave(message);
}

size_t http2_output_clear(struct http2_output *output)
{
	size_t cleared = output->bytes;
	for (struct http2_message *message = output->first, *next; message; message = next) {
		next = message->next;
		message_leave(message);
	}
	*output = (struct http2_output){ 0 };
	return cleared;
}

bool http2_output_torn(const struct http2_output *output)
{
	return output->first && output->first->pulled > 0;
}

void http2_record_clear(struct http2_record *record)
{
	for (struct http2_message *message = record->first, *next; message; message = next) {
		next = message->next_in_record;
		message->next_in_record = NULL;
		message->in_record = false;
		if (!message->stream)
			message_free(message);
	}
	record->first = NULL;
}

/* Tags are keyed digests: their first bytes are as good as any hash of them. */
static size_t bucket_of(const uint8_t tag[16])
{
	return ((size_t)tag[0] << 8 | tag[1]) % HTTP2_VALUES_BUCKETS;
}

void http2_values_add(struct http2_values *values, struct http2_message *message, const uint8_t tag[16], int64_t die_at)
{
	struct http2_message **bucket = &values->buckets[bucket_of(tag)];
	message->values = true;
	message->die_at = die_at;
	memcpy(message->tag, tag, sizeof message->tag);
	message->next_value = *bucket;
	if (*bucket)
		(*bucket)->value_link = &message->next_value;
	message->value_link = bucket;
	*bucket = message;
}

void http2_values_remove(struct http2_message *message)
{
	if (!message->value_link)
		return;
	*message->value_link = message->next_value;
	if (message->next_value)
		message->next_value->value_link = message->value_link;
	message->value_link = NULL;
	message->next_value = NULL;
}

static struct http2_message *with_tag(struct http2_message *from, const uint8_t tag[16])
{
	while (from && memcmp(from->tag, tag, sizeof from->tag) != 0)
		from = from->next_value;
	return from;
}

struct http2_message *http2_values_first(const struct http2_values *values, const uint8_t tag[16])
{
	return with_tag(values->buckets[bucket_of(tag)], tag);
}

struct http2_message *http2_values_next(const struct http2_message *message)
{
	return with_tag(message->next_value, message->tag);
}
