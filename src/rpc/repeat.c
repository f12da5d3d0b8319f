#include "rpc/repeat.h"

#include "base/buffer.h"
#include "pure/identifier.h"
#include "service/batch.h"
#include "service/service.h"
#include "sql.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REMEMBERED_MAX ((size_t)1 << 20)

/* ---- the request id ---- */

void repeat_key(const struct service *service, const char *caller, const char *request_id, uint8_t out[16])
{
	struct secret_field id[] = { { caller, strlen(caller) }, { request_id, strlen(request_id) } };
	uint8_t digest[32];
	secret_hmac(service_secret(service, SECRET_DISCLOSURE_ID), id, 2, digest);
	memcpy(out, digest, 16);
	out[6] = (uint8_t)((out[6] & 0x0f) | 0x80); /* RFC 9562: version 8, the variant */
	out[8] = (uint8_t)((out[8] & 0x3f) | 0x80);
}

void repeat_name(const struct call *call, struct repeat *repeat, const char *request_id,
	const struct secret_field *content, size_t count)
{
	uint8_t digest[32];
	repeat_key(call->service, call->actor, request_id, repeat->key);
	secret_hmac(service_secret(call->service, SECRET_DISCLOSURE_ID), content, count, digest);
	memcpy(repeat->digest, digest, sizeof repeat->digest);
}

/* `17 18 21` */
static void read_indices(struct call *call, const char *text, struct repeat *out)
{
	out->index_count = 0;
	out->indices = call_alloc(call, (strlen(text) / 2 + 1) * sizeof *out->indices);
	while (out->indices && *text) {
		char *end;
		out->indices[out->index_count++] = strtoull(text, &end, 10);
		assert(end != text);
		text = end + strspn(end, " ");
	}
}

void repeat_read(struct call *call, const PGresult *result, int row, int column, struct repeat *out)
{
	uint8_t digest[16];
	out->read = true;
	out->found = REPEAT_NEW;
	if (!row_bytes(result, row, column, digest, sizeof digest))
		out->found =
			!out->in_disclosure || memcmp(digest, out->digest, sizeof digest) ? REPEAT_OTHER : REPEAT_SAME;
	/* What a method other than Share made stands there too. */
	if (row_bytes(result, row, column + 1, digest, sizeof digest))
		return;
	out->found = memcmp(digest, out->digest, sizeof digest) ? REPEAT_OTHER : REPEAT_SAME;
	out->recorded_at = row_time(result, row, column + 3);
	out->disclosure_count = (size_t)row_int(result, row, column + 4);
	const char *indices = row_text(result, row, column + 2, call);
	read_indices(call, indices ? indices : "", out);
}

static void repeat_row(struct call *call, void *target, const PGresult *result, int row)
{
	repeat_read(call, result, row, 1, target);
}

static const struct read_kind request_seen = {
	.statement = &sql_request_seen,
	.from = READ_STATE,
	.types = { PG_UUID },
	.row = repeat_row,
};

void repeat_ask(struct call *call, struct repeat *repeat)
{
	repeat->read = false;
	call_key(call, KEY_REQUEST, repeat->key, sizeof repeat->key, KEY_EXCLUSIVE);
	batch_read(call, &request_seen, repeat, (struct cell[]){ cell_bytes(repeat->key, sizeof repeat->key) });
}

/* ---- in the train ---- */

void repeat_board(struct departure *departure, const struct repeat *repeat, const struct disclosure *const *disclosures,
	size_t disclosure_count, const struct recorded *const *receipts, size_t receipt_count)
{
	/* Arrays of arrays do not unnest by row: they come as texts. */
	struct buffer ids, indices;
	buffer_init(&ids, REMEMBERED_MAX);
	buffer_init(&indices, REMEMBERED_MAX);
	int failed = 0;
	for (size_t i = 0; i < disclosure_count; i++) {
		char text[UUID_TEXT_LENGTH + 2];
		uuid_format(disclosures[i]->id, text + 1);
		text[0] = ' ';
		failed |= buffer_append(&ids, i ? text : text + 1, strlen(i ? text : text + 1));
	}
	for (size_t i = 0; i < receipt_count; i++) {
		char text[24];
		int length = snprintf(text, sizeof text, i ? " %" PRIu64 : "%" PRIu64, receipts[i]->index);
		failed |= buffer_append(&indices, text, (size_t)length);
	}
	assert(!failed);
	(void)failed;
	departure_write(departure, WRITE_REQUEST,
		(struct cell[]){ cell_bytes(repeat->key, sizeof repeat->key),
			cell_bytes(repeat->digest, sizeof repeat->digest),
			cell_bytes(ids.length ? (const void *)ids.data : "", ids.length),
			cell_bytes(indices.length ? (const void *)indices.data : "", indices.length),
			cell_number(departure_now(departure)) });
	buffer_release(&ids);
	buffer_release(&indices);
}

struct recorded repeat_refuse(struct call *call, struct departure *departure)
{
	struct entry_draft draft;
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_REFUSED);
	draft.entry.reason = NEEDTOKNOW__V1__REASON__REASON_REQUEST_ID_REUSED;
	return departure_entry(departure, &draft.entry);
}

/* ---- the same answer again ---- */

static void recall_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct recall *recall = target;
	if (recall->count < recall->size)
		disclosure_read(call, result, row, &recall->disclosures[recall->count++], &recall->now);
}

static const struct read_kind disclosures_of_request = {
	.statement = &sql_disclosures_of_request,
	.from = READ_STATE,
	.types = { PG_UUID },
	.row = recall_row,
};

static const struct read_kind disclosure_by_id = {
	.statement = &sql_disclosure_by_id,
	.from = READ_STATE,
	.types = { PG_UUID },
	.row = recall_row,
};

static struct recall *recall_new(struct call *call, size_t size, size_t lines)
{
	struct recall *recall = call_alloc(call, sizeof *recall);
	if (!recall)
		return NULL;
	*recall = (struct recall){ .size = size, .line_count = lines };
	recall->disclosures = call_alloc(call, (size + 1) * sizeof *recall->disclosures);
	recall->lines = call_alloc(call, (lines + 1) * sizeof *recall->lines);
	return call->failed ? NULL : recall;
}

struct recall *recall_ask(struct call *call, const struct repeat *repeat)
{
	struct recall *recall = recall_new(call, repeat->disclosure_count, repeat->index_count);
	if (!recall)
		return NULL;
	batch_read(call, &disclosures_of_request, recall, (struct cell[]){ cell_bytes(repeat->key, 16) });
	recall->recorded_at = repeat->recorded_at;
	for (size_t i = 0; i < repeat->index_count; i++)
		ledger_read(call, repeat->indices[i], &recall->lines[i]);
	return recall;
}

struct recall *recall_one(struct call *call, const uint8_t disclosure_id[16])
{
	struct recall *recall = recall_new(call, 1, 1);
	if (recall)
		batch_read(call, &disclosure_by_id, recall, (struct cell[]){ cell_bytes(disclosure_id, 16) });
	return recall;
}

bool recall_is_whole(struct call *call, const struct recall *recall)
{
	if (recall->count == recall->size)
		return true;
	call_unavailable(call, "DATABASE_UNAVAILABLE"); /* the next try is a new request */
	return false;
}

Needtoknow__V1__Disclosure **recall_disclosures(struct call *call, const struct recall *recall)
{
	Needtoknow__V1__Disclosure **messages = call_alloc(call, (recall->count + 1) * sizeof *messages);
	for (size_t i = 0; messages && i < recall->count; i++)
		messages[i] = disclosure_message(call, &recall->disclosures[i], recall->now);
	return call->failed ? NULL : messages;
}

Needtoknow__V1__Receipt **recall_receipts(struct call *call, struct recall *recall)
{
	Needtoknow__V1__Receipt **messages = call_alloc(call, (recall->line_count + 1) * sizeof *messages);
	for (size_t i = 0; messages && i < recall->line_count; i++) {
		/* Its entry may be older than bodies are kept. */
		if (!recall->lines[i].length)
			recall->lines[i].recorded.at = recall->recorded_at;
		messages[i] = receipt_message(call, &recall->lines[i].recorded);
	}
	return call->failed ? NULL : messages;
}
