#include "pure/time.h"
#include "rpc/audited.h"
#include "rpc/methods.h"
#include "rpc/repeat.h"
#include "rpc/request.h"
#include "service/batch.h"
#include "service/disclosure.h"
#include "service/train.h"
#include "sql.h"

#include <needtoknow/v1/rights.pb-c.h>

#include <stdio.h>
#include <string.h>

#define REASON_TEXT_MAX 500
#define EXTENDED_MONTHS 3

/*
 * ListRequests, ExtendRequest: the register of what clients asked for, and the date by which GDPR art. 12(3) wants it
 * answered. Both are recorded as auditors' questions are: the register says who asked for what, and whoever moves a
 * date answers for it.
 */

/* ---- a line of the register ---- */

static char **lines(struct call *call, char *text, size_t *count)
{
	size_t most = 1;
	*count = 0;
	if (!text || !*text)
		return NULL;
	for (const char *at = text; *at; at++)
		most += *at == '\n';
	char **out = call_alloc(call, most * sizeof *out);
	for (char *line = text; out && line;) {
		char *end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		out[(*count)++] = line;
		line = end;
	}
	return out;
}

static char *text_or_empty(struct call *call, const PGresult *result, int row, int column)
{
	const char *text = row_text(result, row, column, call);
	return (char *)(text ? text : "");
}

/* NULL: the arena is full, and the call has failed. */
static Needtoknow__V1__RightsRequest *line_message(struct call *call, const PGresult *result, int row)
{
	Needtoknow__V1__RightsRequest *message = call_alloc(call, sizeof *message);
	if (!message)
		return NULL;
	needtoknow__v1__rights_request__init(message);
	message->overdue = row_bool(result, row, 2);
	message->caller = text_or_empty(call, result, row, 4);
	message->request_id = text_or_empty(call, result, row, 5);
	message->subject_id = text_or_empty(call, result, row, 6);
	message->kind = (Needtoknow__V1__RightsRequestKind)row_int(result, row, 7);
	message->purpose = text_or_empty(call, result, row, 8);
	message->columns = lines(call, text_or_empty(call, result, row, 9), &message->n_columns);
	message->channel = (Needtoknow__V1__Channel)row_int(result, row, 10);
	message->received_at = timestamp_message(call, row_time(result, row, 11));
	message->due_at = timestamp_message(call, row_time(result, row, 12));
	message->extended_because = text_or_empty(call, result, row, 13);
	message->state = (Needtoknow__V1__RightsRequestState)row_int(result, row, 14);
	message->answered_at = timestamp_message(call, row_time(result, row, 15));
	message->ledger_index = (uint64_t)row_int(result, row, 16);
	return message;
}

/* ---- ListRequests ---- */

struct listed {
	struct audited audited;
	const char *subject_id; /* NULL: every client's */
	bool open_only;
	char scope[140];
	size_t scope_length;
	int32_t page_size;
	struct position {
		int64_t asked_at; /* when it was last recorded that this listing is being read */
		int64_t now; /* of the first page: what was overdue then comes first */
		/* The last line that was given. */
		int64_t due_at;
		uint8_t key[16];
		uint8_t late[8]; /* the first of them: it was open and overdue */
	} position;
	bool more;
	Needtoknow__V1__RightsRequest **found;
	size_t count;
};

static enum step_result list_decode(struct call *call)
{
	const Needtoknow__V1__ListRequestsRequest *request = (const Needtoknow__V1__ListRequestsRequest *)call->request;
	struct listed *listed = call_alloc(call, sizeof *listed);
	bool found;
	if (!listed)
		return STEP_NEXT;
	call->state = listed;
	if (*request->subject_id && !request_identifier(call, "subject_id", request->subject_id))
		return STEP_DONE;
	listed->subject_id = listed->audited.subject_id =
		audited_given(&listed->audited, "subject_id", request->subject_id);
	listed->open_only = request->open_only;
	audited_given(&listed->audited, "open_only", request->open_only ? "true" : "");
	listed->scope_length =
		(size_t)snprintf(listed->scope, sizeof listed->scope, "%d %s", request->open_only, request->subject_id);
	listed->position = (struct position){ .now = TIME_NONE, .due_at = TIME_NONE, .late = { 1 } };
	if (!request_page_size(call, request->page_size, &listed->page_size) ||
		!request_page_token(call, request->page_token, listed->scope, listed->scope_length, &listed->position,
			sizeof listed->position, &found))
		return STEP_DONE;
	audited_begin_page(call, &listed->audited, found, &listed->position.asked_at);
	listed->found = call_alloc(call, (size_t)listed->page_size * sizeof *listed->found);
	return STEP_NEXT;
}

static void list_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct listed *listed = target;
	struct position *position = &listed->position;
	listed->more = listed->count == (size_t)listed->page_size;
	Needtoknow__V1__RightsRequest *message = listed->more ? NULL : line_message(call, result, row);
	if (!message)
		return;
	position->now = row_time(result, row, 1);
	position->late[0] = row_bool(result, row, 2);
	row_bytes(result, row, 3, position->key, sizeof position->key);
	position->due_at = row_time(result, row, 12);
	listed->found[listed->count++] = message;
}

static const struct read_kind list_all = {
	.statement = &sql_rights_requests_all,
	.from = READ_LISTING,
	.types = { PG_TIMESTAMPTZ, PG_BOOL, PG_TIMESTAMPTZ, PG_UUID, PG_INT4 },
	.row = list_row,
};

static const struct read_kind list_open = {
	.statement = &sql_rights_requests_open,
	.from = READ_LISTING,
	.types = { PG_TIMESTAMPTZ, PG_BOOL, PG_TIMESTAMPTZ, PG_UUID, PG_INT4 },
	.row = list_row,
};

static const struct read_kind list_of_subject = {
	.statement = &sql_rights_requests_of_subject,
	.from = READ_LISTING,
	.types = { PG_TIMESTAMPTZ, PG_BOOL, PG_TIMESTAMPTZ, PG_UUID, PG_INT4, PG_TEXT, PG_BOOL },
	.row = list_row,
};

static enum step_result list_ask(struct call *call)
{
	struct listed *listed = call->state;
	const struct position *position = &listed->position;
	batch_read(call,
		listed->subject_id          ? &list_of_subject
			: listed->open_only ? &list_open
					    : &list_all,
		listed,
		(struct cell[]){ cell_number(position->now), cell_number(position->late[0]),
			cell_number(position->due_at), cell_bytes(position->key, 16),
			cell_number(listed->page_size + 1), cell_text(listed->subject_id),
			cell_number(listed->open_only) });
	return STEP_NEXT;
}

static enum step_result list_reply(struct call *call)
{
	const struct listed *listed = call->state;
	Needtoknow__V1__ListRequestsResponse response = NEEDTOKNOW__V1__LIST_REQUESTS_RESPONSE__INIT;
	if (call->awaited)
		return STEP_WAIT;
	response.requests = listed->found;
	response.n_requests = listed->count;
	if (listed->more)
		response.next_page_token = reply_page_token(
			call, listed->scope, listed->scope_length, &listed->position, sizeof listed->position);
	if (call->failed)
		return STEP_NEXT;
	return audited_reply(
		call, &response.base, "PAGE_TOO_LARGE", "the page is larger than 4 MiB: ask for a smaller one");
}

const struct method rights_list_requests = {
	.path = "/needtoknow.v1.RightsService/ListRequests",
	.role = ROLE_RIGHTS,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__list_requests_request__descriptor,
	.steps = { list_decode, audited_ask, audited_commit, list_ask, list_reply },
	.again = 1,
	.board = audited_board,
	.train_class = TRAIN_SHARE,
};

/* ---- ExtendRequest ---- */

struct extension {
	struct audited audited;
	const char *reason;
	uint8_t key[16];
	Needtoknow__V1__RightsRequest *line; /* NULL: there is none */
	int64_t received_at, due_at;
	enum extend_verdict {
		EXTEND_GOOD,
		EXTEND_ANSWERED,
		EXTEND_AGAIN,
		EXTEND_OVERDUE,
	} verdict;
};

static enum step_result extend_decode(struct call *call)
{
	const Needtoknow__V1__ExtendRequestRequest *request =
		(const Needtoknow__V1__ExtendRequestRequest *)call->request;
	struct extension *extension = call_alloc(call, sizeof *extension);
	if (!extension)
		return STEP_NEXT;
	call->state = extension;
	if (!request_identifier(call, "request_id", request->request_id) ||
		!request_text(call, "reason", request->reason, REASON_TEXT_MAX))
		return STEP_DONE;
	if (!*request->reason) {
		request_refuse(call, "BAD_TEXT", "reason",
			"reason is missing: GDPR art. 12(3) extends the month where a request is complex or there are "
			"many, and wants the client told why");
		return STEP_DONE;
	}
	extension->reason = request->reason;
	audited_begin(&extension->audited);
	audited_given(&extension->audited, "caller", request->caller);
	audited_given(&extension->audited, "request_id", request->request_id);
	audited_given(&extension->audited, "reason", request->reason);
	repeat_key(
		call->service, *request->caller ? request->caller : call->actor, request->request_id, extension->key);
	return STEP_NEXT;
}

static void extend_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct extension *extension = target;
	extension->line = line_message(call, result, row);
	extension->received_at = row_time(result, row, 11);
	extension->due_at = row_time(result, row, 12);
	extension->audited.subject_id = row_text(result, row, 6, call);
	subject_read(result, row, 17, &extension->audited.subject);
}

static const struct read_kind extend_read = {
	.statement = &sql_rights_request_by_key,
	.from = READ_STATE,
	.types = { PG_UUID },
	.row = extend_row,
};

static enum step_result extend_ask(struct call *call)
{
	struct extension *extension = call->state;
	call_disregard(call);
	extension->line = NULL;
	call_key(call, KEY_REQUEST, extension->key, sizeof extension->key, KEY_EXCLUSIVE);
	batch_read(call, &extend_read, extension, (struct cell[]){ cell_bytes(extension->key, sizeof extension->key) });
	return STEP_NEXT;
}

static enum step_result extend_gather(struct call *call)
{
	const struct extension *extension = call->state;
	if (call->awaited)
		return STEP_WAIT;
	if (!extension->line)
		return call_refuse(call,
			&(struct status){ .code = GRPC_NOT_FOUND,
				.reason = "UNKNOWN_REQUEST",
				.message = "the register has no request of that caller under that id" });
	/* Whatever answers a request writes something of its subject's. */
	if (extension->audited.subject_id)
		call_key(call, KEY_SUBJECT, extension->audited.subject_id, strlen(extension->audited.subject_id),
			KEY_SHARED);
	return STEP_NEXT;
}

static enum step_result extend_commit(struct call *call)
{
	return train_board(call);
}

static enum extend_verdict extend_decide(const struct extension *extension, int64_t now)
{
	if (extension->line->state != NEEDTOKNOW__V1__RIGHTS_REQUEST_STATE__RIGHTS_REQUEST_STATE_OPEN)
		return EXTEND_ANSWERED;
	if (*extension->line->extended_because)
		return EXTEND_AGAIN;
	return now > extension->due_at ? EXTEND_OVERDUE : EXTEND_GOOD;
}

static enum boarding extend_board(struct call *call, struct departure *departure)
{
	struct extension *extension = call->state;
	extension->verdict = extend_decide(extension, departure_now(departure));
	if (extension->verdict != EXTEND_GOOD)
		return BOARD_NOTHING;
	extension->due_at = time_add_months(extension->received_at, EXTENDED_MONTHS);
	departure_write(departure, WRITE_RIGHTS_REQUEST_EXTENDED,
		(struct cell[]){ cell_bytes(extension->key, sizeof extension->key), cell_number(extension->due_at),
			cell_text(extension->reason) });
	return audited_board(call, departure);
}

static enum step_result extend_reply(struct call *call)
{
	static const struct {
		const char *reason, *message;
	} refusals[] = {
		[EXTEND_ANSWERED] = { "ALREADY_ANSWERED", "that request has been answered" },
		[EXTEND_AGAIN] = { "ALREADY_EXTENDED", "GDPR art. 12(3) extends the month once" },
		[EXTEND_OVERDUE] = { "OVERDUE", "the month of GDPR art. 12(3) has passed: answer at once" },
	};
	const struct extension *extension = call->state;
	Needtoknow__V1__ExtendRequestResponse response = NEEDTOKNOW__V1__EXTEND_REQUEST_RESPONSE__INIT;
	if (extension->verdict != EXTEND_GOOD)
		return call_refuse(call,
			&(struct status){ .code = GRPC_FAILED_PRECONDITION,
				.reason = refusals[extension->verdict].reason,
				.message = refusals[extension->verdict].message });
	response.request = extension->line;
	response.request->extended_because = (char *)extension->reason;
	response.request->due_at = timestamp_message(call, extension->due_at);
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

const struct method rights_extend_request = {
	.path = "/needtoknow.v1.RightsService/ExtendRequest",
	.role = ROLE_RIGHTS,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__extend_request_request__descriptor,
	.steps = { extend_decode, extend_ask, extend_gather, extend_commit, extend_reply },
	.again = 1,
	.board = extend_board,
	.train_class = TRAIN_CONTROL,
};
