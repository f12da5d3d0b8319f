#include "rpc/audited.h"

#include "pure/time.h"
#include "service/batch.h"
#include "service/disclosure.h"
#include "service/service.h"
#include "service/train.h"
#include "sql.h"

#include <assert.h>
#include <string.h>

#define ASKING_LASTS (3600 * TIME_SECOND)
/* What gRPC clients take in one message unless told otherwise. */
#define REPLY_BYTES_MAX ((size_t)4 << 20)

void audited_begin(struct audited *audited)
{
	audited->first_page = true;
}

void audited_begin_page(struct call *call, struct audited *audited, bool found, int64_t *asked_at)
{
	int64_t now = service_guess_time(call->service);
	audited->first_page = !found || now - *asked_at > ASKING_LASTS;
	if (audited->first_page)
		*asked_at = now;
}

const char *audited_given(struct audited *audited, const char *name, const char *given)
{
	if (!given || !*given)
		return NULL;
	assert(audited->shape_count < AUDITED_SHAPE_MAX);
	audited->shape[audited->shape_count++] = name;
	return given;
}

static void pseudonym_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct audited *audited = target;
	(void)call;
	subject_read(result, row, 1, &audited->subject);
}

static const struct read_kind pseudonym_read = {
	.statement = &sql_subject_pseudonym,
	.from = READ_STATE,
	.types = { PG_TEXT },
	.row = pseudonym_row,
};

static void recipient_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct audited *audited = target;
	(void)call;
	(void)result;
	(void)row;
	audited->recipient_known = true;
}

static const struct read_kind recipient_read = {
	.statement = &sql_recipient_by_id,
	.from = READ_STATE,
	.types = { PG_TEXT },
	.row = recipient_row,
};

/* The key is declared: nobody is named by a pseudonym that was destroyed meanwhile. */
enum step_result audited_ask(struct call *call)
{
	struct audited *audited = call->state;
	if (!audited->first_page)
		return STEP_NEXT;
	call_disregard(call);
	audited->subject.known = audited->recipient_known = false;
	if (audited->subject_id) {
		call_key(call, KEY_SUBJECT, audited->subject_id, strlen(audited->subject_id), KEY_SHARED);
		batch_read(call, &pseudonym_read, audited, (struct cell[]){ cell_text(audited->subject_id) });
	}
	if (audited->recipient_id)
		batch_read(call, &recipient_read, audited, (struct cell[]){ cell_text(audited->recipient_id) });
	return STEP_NEXT;
}

enum step_result audited_commit(struct call *call)
{
	const struct audited *audited = call->state;
	if (call->awaited)
		return STEP_WAIT;
	return audited->first_page ? train_board(call) : STEP_NEXT;
}

enum boarding audited_board(struct call *call, struct departure *departure)
{
	const struct audited *audited = call->state;
	struct entry_draft draft;
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_AUDITED);
	draft.entry.fields = draft.fields;
	draft.fields[draft.entry.n_fields++] = strrchr(call->method->path, '/') + 1;
	for (size_t i = 0; i < audited->shape_count; i++)
		draft.fields[draft.entry.n_fields++] = (char *)audited->shape[i];
	if (audited->recipient_known)
		draft.entry.recipient_id = (char *)audited->recipient_id;
	if (audited->subject.known) {
		draft.entry.subject_pseudonym.data = (uint8_t *)audited->subject.pseudonym;
		draft.entry.subject_pseudonym.len = sizeof audited->subject.pseudonym;
	}
	struct recorded recorded = departure_entry(departure, &draft.entry);
	if (audited->subject.known)
		departure_write(departure, WRITE_ENTRY_REFERENCE,
			(struct cell[]){ cell_number((int64_t)recorded.index), cell_bytes(NULL, 0),
				cell_text(audited->subject_id), cell_text(NULL), cell_text(NULL), cell_text(NULL) });
	return BOARDED;
}

enum step_result audited_reply(
	struct call *call, const ProtobufCMessage *response, const char *reason, const char *message)
{
	if (protobuf_c_message_get_packed_size(response) <= REPLY_BYTES_MAX)
		return call_reply(call, response);
	return call_refuse(
		call, &(struct status){ .code = GRPC_RESOURCE_EXHAUSTED, .reason = reason, .message = message });
}
