#include "pure/decision.h"
#include "pure/time.h"
#include "rpc/asked.h"
#include "rpc/change.h"
#include "rpc/methods.h"
#include "service/batch.h"
#include "service/company.h"
#include "service/erasing.h"
#include "service/erasure_list.h"
#include "service/refusal.h"
#include "service/service.h"
#include "service/train.h"
#include "sql.h"

#include <stdio.h>
#include <string.h>

/* As many disclosures as an answer names. */
#define WITHDRAWN_MAX 1024
#define RIGHT_ERASED 1 /* of needtoknow.right_in_force */

/* What was done under this request id before. Its row outlives what was answered: a restore takes that back, and has
 * the erasure recorded again (service/erasure_again.h). */
struct erasure_before {
	bool found;
	const char *subject_id; /* NULL: forgotten since */
	uint64_t index;
	int64_t recorded_at;
};

/*
 * Erase: art. 17, 19. One train records it, refuses from then on whatever would be shared of the client, and withdraws
 * what is live; that waits for no database of the company's. Then the company is asked to erase (service/erasing.h),
 * and what it answered is recorded in another train. The answer is read from what is recorded, the first time and
 * again.
 */
struct erase {
	struct asked asked;
	struct erasure_before before;
	bool dry_run, cancel_bookings;
	struct change *live; /* to be withdrawn in the first train */
	unsigned bookings; /* of what is live */
	bool refused;
	struct recorded refusal;
	int64_t recorded_at, forget_after;
	bool planned; /* of a dry run: the company is asked */
	bool told, erasing_began;
	struct erasing erasing;
	bool noting;
	struct erasure_note note;
	/* What is answered. */
	struct erased_columns columns;
	struct disclosure *withdrawn;
	size_t withdrawn_count;
	int64_t now;
	struct recall *recall;
};

/* ---- decode ---- */

static enum step_result erase_decode(struct call *call)
{
	const Needtoknow__V1__EraseRequest *request = (const Needtoknow__V1__EraseRequest *)call->request;
	struct erase *erase = call_alloc(call, sizeof *erase);
	if (!erase)
		return STEP_NEXT;
	call->state = erase;
	struct asked_fields fields = { request->request_id, request->subject_id, request->channel,
		request->received_at };
	uint8_t flags[2] = { request->dry_run != 0, request->cancel_bookings != 0 };
	struct secret_field content[] = { { flags, sizeof flags } };
	if (!asked_decode(call, &erase->asked, NEEDTOKNOW__V1__RIGHTS_REQUEST_KIND__RIGHTS_REQUEST_KIND_ERASE, &fields,
		    content, 1))
		return STEP_DONE;
	erase->dry_run = request->dry_run;
	erase->cancel_bookings = request->cancel_bookings;
	return company_configured(service_company(call->service)) ? STEP_NEXT : company_refuse(call);
}

/* ---- ask and gather ---- */

static void before_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct erasure_before *before = target;
	*before = (struct erasure_before){ .found = true,
		.subject_id = row_text(result, row, 1, call),
		.index = (uint64_t)row_int(result, row, 2),
		.recorded_at = row_time(result, row, 3) };
}

static const struct read_kind erasure_before = {
	.statement = &sql_erasure_before,
	.from = READ_STATE,
	.types = { PG_UUID },
	.row = before_row,
};

static enum step_result erase_ask(struct call *call)
{
	struct erase *erase = call->state;
	/* It says for how long the key is kept. */
	if (!rulebook_is_current(service_rulebook(call->service), call))
		return STEP_WAIT;
	asked_ask(call);
	erase->before.found = false;
	batch_read(call, &erasure_before, &erase->before, (struct cell[]){ cell_bytes(erase->asked.repeat.key, 16) });
	erase->live = change_ask_subject(call, erase->asked.subject_id, 0);
	return STEP_NEXT;
}

/* The booking that would be cancelled; NULL: none. A newsletter is withdrawn without being asked about; somebody who is
 * to come to the client's is not. Where it is not known what it is, it is taken for a booking. */
static const char *booking_of(struct call *call, const struct change *live, size_t place)
{
	const struct disclosure *disclosure = &live->all[place].disclosure;
	const struct policy_service *service = disclosure_service(call, disclosure);
	bool is_booking = !service || service->needs_booking;
	return is_booking && change_is_active(disclosure, live->now) ? disclosure->booking_id : NULL;
}

static bool counted_before(struct call *call, const struct change *live, size_t place, const char *booking)
{
	for (size_t i = 0; i < place; i++) {
		const char *other = booking_of(call, live, i);
		if (other && !strcmp(other, booking))
			return true;
	}
	return false;
}

static unsigned count_bookings(struct call *call, const struct change *live)
{
	unsigned bookings = 0;
	for (size_t i = 0; i < live->count; i++) {
		const char *booking = booking_of(call, live, i);
		if (booking && !counted_before(call, live, i, booking))
			bookings++;
	}
	return bookings;
}

/* It is not done twice: it is answered from what is recorded. How it was asked for nobody knows any more; of whom, one
 * does. */
static void take_for_repeat(struct call *call, struct erase *erase)
{
	struct repeat *repeat = &erase->asked.repeat;
	const char *subject_id = erase->before.subject_id;
	if (!subject_id || strcmp(subject_id, erase->asked.subject_id) != 0) {
		repeat->found = REPEAT_OTHER;
		return;
	}
	repeat->indices = call_alloc(call, sizeof *repeat->indices);
	if (!repeat->indices)
		return;
	repeat->indices[0] = erase->before.index;
	repeat->index_count = 1;
	repeat->disclosure_count = 0;
	repeat->recorded_at = erase->before.recorded_at;
	repeat->found = REPEAT_SAME;
}

static enum step_result erase_gather(struct call *call)
{
	struct erase *erase = call->state;
	if (call->awaited)
		return STEP_WAIT;
	/* What records nothing is nobody's repeat. */
	if (erase->dry_run)
		erase->asked.repeat.found = REPEAT_NEW;
	else if (erase->asked.repeat.found == REPEAT_NEW && erase->before.found)
		take_for_repeat(call, erase);
	enum step_result result = asked_gather(call);
	if (result != STEP_NEXT || erase->asked.repeat.found != REPEAT_NEW)
		return result;
	const struct rules *rules = rulebook_in_force(service_rulebook(call->service));
	if (!rules)
		return call_unavailable(call, "POLICY_UNAVAILABLE");
	erase->forget_after =
		erase->asked.began_at + policy_retention(rules_policy(rules))->subject_key_after_erasure.keep;
	erase->bookings = count_bookings(call, erase->live);
	/* The rest is ended behind it. */
	if (erase->live->count > CHANGE_MAX)
		erase->live->count = CHANGE_MAX;
	for (size_t i = 0; i < erase->live->count; i++)
		ending_keys(call, &erase->live->all[i].disclosure);
	return STEP_NEXT;
}

/* ---- plan: a dry run ---- */

static enum step_result refuse_bookings(struct call *call, const struct erase *erase)
{
	Needtoknow__V1__Reason reason = NEEDTOKNOW__V1__REASON__REASON_ACTIVE_BOOKINGS;
	struct status status = {
		.code = reason_code(reason), .reason = reason_name(reason), .message = reason_message(reason)
	};
	status.metadata[0].key = "bookings";
	status.metadata[0].value = arena_printf(call->arena, "%u", erase->bookings);
	if (erase->refused) {
		status.metadata[1].key = "ledger_index";
		status.metadata[1].value = arena_printf(call->arena, "%llu", (unsigned long long)erase->refusal.index);
	}
	return call_refuse(call, &status);
}

static Needtoknow__V1__ErasedColumn **columns_message(struct call *call, const struct erased_columns *columns)
{
	Needtoknow__V1__ErasedColumn **messages = call_alloc(call, (columns->count + 1) * sizeof *messages);
	for (size_t i = 0; messages && i < columns->count; i++) {
		const struct erased_column *column = &columns->all[i];
		Needtoknow__V1__ErasedColumn *message = messages[i] = call_alloc(call, sizeof *message);
		if (!message)
			return NULL;
		needtoknow__v1__erased_column__init(message);
		message->column = (char *)column->name;
		message->outcome = column->held ? NEEDTOKNOW__V1__ERASURE_OUTCOME__ERASURE_OUTCOME_HELD
						: NEEDTOKNOW__V1__ERASURE_OUTCOME__ERASURE_OUTCOME_ERASED;
		message->ground = (char *)(column->ground ? column->ground : "");
		message->law = (char *)(column->law ? column->law : "");
		message->since = timestamp_message(call, column->since);
		message->until = timestamp_message(call, column->until);
	}
	return messages;
}

/* Fills in what every answer has, and answers. */
static enum step_result reply(struct call *call, const struct erase *erase, Needtoknow__V1__EraseResponse *response)
{
	response->columns = columns_message(call, &erase->columns);
	response->n_columns = response->columns ? erase->columns.count : 0;
	response->key_destroyed_after = timestamp_message(call, erase->forget_after);
	return call->failed ? STEP_NEXT : call_reply(call, &response->base);
}

static enum step_result reply_plan(struct call *call, const struct erase *erase)
{
	Needtoknow__V1__EraseResponse response = NEEDTOKNOW__V1__ERASE_RESPONSE__INIT;
	response.withdrawn = call_alloc(call, (erase->live->count + 1) * sizeof *response.withdrawn);
	if (!response.withdrawn)
		return STEP_NEXT;
	for (; response.n_withdrawn < erase->live->count; response.n_withdrawn++)
		response.withdrawn[response.n_withdrawn] =
			disclosure_message(call, &erase->live->all[response.n_withdrawn].disclosure, erase->live->now);
	return reply(call, erase, &response);
}

static enum step_result plan(struct call *call, struct erase *erase)
{
	if (erase->bookings && !erase->cancel_bookings)
		return refuse_bookings(call, erase);
	if (!erase->planned) {
		erase->planned = true;
		erasing_ask_company(call, erase->asked.repeat.key, erase->asked.subject_id, true, &erase->columns);
	}
	return call->awaited ? STEP_WAIT : reply_plan(call, erase);
}

/* ---- commit ---- */

static enum step_result erase_commit(struct call *call)
{
	struct erase *erase = call->state;
	return erase->dry_run ? plan(call, erase) : train_board(call);
}

static void withdraw(struct call *call, struct departure *departure, struct ending *ending)
{
	ending->kind = NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_REVOKED;
	ending->reason = NEEDTOKNOW__V1__REASON__REASON_ERASED;
	ending->state = NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_ERASED;
	ending->cause = NEEDTOKNOW__V1__WITHDRAWAL_CAUSE__WITHDRAWAL_CAUSE_ERASED;
	ending_board(call, departure, ending);
}

static enum boarding erase_board(struct call *call, struct departure *departure)
{
	struct erase *erase = call->state;
	struct asked *asked = &erase->asked;
	const struct recorded *receipts[] = { &asked->recorded };
	struct entry_draft draft;
	enum asked_answer answer = asked_board(call, departure, asked);
	if (answer != ASKED_NEW)
		return answer == ASKED_BEFORE ? BOARD_NOTHING : BOARDED;
	erase->refused = erase->bookings && !erase->cancel_bookings;
	if (erase->refused) {
		asked_refuse(call, departure, asked, NEEDTOKNOW__V1__REASON__REASON_ACTIVE_BOOKINGS, &erase->refusal);
		return BOARDED;
	}
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_ERASED);
	asked_entry(call, departure, asked, &draft, NULL);
	departure_write(departure, WRITE_RIGHT,
		(struct cell[]){ cell_text(asked->subject_id), cell_number(RIGHT_ERASED), cell_text(""),
			cell_number(departure_now(departure)), cell_number((int64_t)asked->recorded.index) });
	for (size_t i = 0; i < erase->live->count; i++)
		withdraw(call, departure, &erase->live->all[i]);
	departure_write(departure, WRITE_ERASURE,
		(struct cell[]){ cell_bytes(asked->repeat.key, sizeof asked->repeat.key), cell_text(asked->subject_id),
			cell_number(departure_now(departure)), cell_number(erase->forget_after),
			cell_number((int64_t)asked->recorded.index) });
	asked_register(call, departure, asked, NEEDTOKNOW__V1__RIGHTS_REQUEST_STATE__RIGHTS_REQUEST_STATE_OPEN, NULL, 0,
		receipts, 1);
	return BOARDED;
}

/* ---- wait: until the company has answered ---- */

static void run_again(void *context)
{
	call_run(context);
}

static void tell(struct call *call, struct erase *erase)
{
	if (erase->told)
		return;
	erase->told = true;
	for (size_t i = 0; i < erase->live->count; i++)
		if (erase->live->all[i].state)
			ending_committed(call, &erase->live->all[i]);
}

static enum step_result erase_wait(struct call *call)
{
	struct erase *erase = call->state;
	if (erase->asked.reused)
		return refusal_reply(call, NEEDTOKNOW__V1__REASON__REASON_REQUEST_ID_REUSED, &erase->asked.recorded);
	if (erase->refused)
		return refuse_bookings(call, erase);
	tell(call, erase);
	if (!erase->erasing_began) {
		erase->erasing_began = true;
		erasing_start(&erase->erasing, call->service, erase->asked.repeat.key, run_again, call);
	}
	if (erase->erasing.running)
		return STEP_WAIT;
	if (erase->erasing.complete)
		return STEP_NEXT;
	return call_refuse(call,
		&(struct status){ .code = GRPC_UNAVAILABLE,
			.reason = "SOURCE_UNAVAILABLE",
			.message = "the erasure is recorded, and nothing of this client is shared any more; the "
				   "company's database has not answered yet and is asked until it does: ask again with "
				   "the same request_id to be told" });
}

/* ---- recall what is answered ---- */

static void outcome_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct erase *erase = target;
	erase->recorded_at = row_time(result, row, 1);
	erase->forget_after = row_time(result, row, 2);
	if (row_is_null(result, row, 3))
		return;
	struct erased_column *column = erased_columns_add(call, &erase->columns);
	if (!column)
		return;
	*column = (struct erased_column){ .name = row_text(result, row, 3, call),
		.held = row_bool(result, row, 4),
		.ground = row_text(result, row, 5, call),
		.law = row_text(result, row, 6, call),
		.since = row_time(result, row, 7),
		.until = row_time(result, row, 8) };
}

static const struct read_kind erasure_outcome = {
	.statement = &sql_erasure_outcome,
	.from = READ_STATE,
	.types = { PG_UUID },
	.row = outcome_row,
};

static void withdrew_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct erase *erase = target;
	if (erase->withdrawn_count < WITHDRAWN_MAX)
		disclosure_read(call, result, row, &erase->withdrawn[erase->withdrawn_count++], &erase->now);
}

static const struct read_kind erasure_withdrew = {
	.statement = &sql_erasure_withdrew,
	.from = READ_STATE,
	.types = { PG_UUID, PG_INT4 },
	.row = withdrew_row,
};

static enum step_result erase_recall(struct call *call)
{
	struct erase *erase = call->state;
	struct asked *asked = &erase->asked;
	const uint8_t *key = asked->repeat.key;
	erase->withdrawn = call_alloc(call, WITHDRAWN_MAX * sizeof *erase->withdrawn);
	if (!erase->withdrawn)
		return STEP_NEXT;
	batch_read(call, &erasure_outcome, erase, (struct cell[]){ cell_bytes(key, 16) });
	batch_read(call, &erasure_withdrew, erase, (struct cell[]){ cell_bytes(key, 16), cell_number(WITHDRAWN_MAX) });
	if (asked->repeat.found == REPEAT_SAME)
		erase->recall = recall_ask(call, &asked->repeat);
	return STEP_NEXT;
}

/* ---- note it where no backup that is restored takes it back ---- */

static enum step_result erase_note(struct call *call)
{
	struct erase *erase = call->state;
	if (call->awaited)
		return STEP_WAIT;
	if (!erase->noting) {
		struct erasure_line line = { .recorded_at = erase->recorded_at, .forget_after = erase->forget_after };
		memcpy(line.request_key, erase->asked.repeat.key, sizeof line.request_key);
		snprintf(line.subject_id, sizeof line.subject_id, "%s", erase->asked.subject_id);
		erase->noting = true;
		erasure_note_add(&erase->note, call->service, &line, run_again, call);
	}
	if (erase->note.running)
		return STEP_WAIT;
	if (erase->note.durable)
		return STEP_NEXT;
	return call_refuse(call,
		&(struct status){ .code = GRPC_UNAVAILABLE,
			.reason = "ERASURE_LIST_UNAVAILABLE",
			.message = "the client is erased; but the list that has it done again after a restore from a "
				   "backup cannot be written: see the daemon's log, and ask again with the same "
				   "request_id" });
}

/* ---- reply ---- */

static enum step_result erase_reply(struct call *call)
{
	struct erase *erase = call->state;
	Needtoknow__V1__EraseResponse response = NEEDTOKNOW__V1__ERASE_RESPONSE__INIT;
	if (erase->recall) {
		Needtoknow__V1__Receipt **receipts = recall_receipts(call, erase->recall);
		response.receipt = receipts && erase->recall->line_count ? receipts[0] : NULL;
	} else {
		response.receipt = receipt_message(call, &erase->asked.recorded);
	}
	response.withdrawn = call_alloc(call, (erase->withdrawn_count + 1) * sizeof *response.withdrawn);
	for (size_t i = 0; response.withdrawn && i < erase->withdrawn_count; i++, response.n_withdrawn++)
		response.withdrawn[i] = disclosure_message(call, &erase->withdrawn[i], erase->now);
	return call->failed ? STEP_NEXT : reply(call, erase, &response);
}

static void erase_release(struct call *call)
{
	struct erase *erase = call->state;
	if (erase) {
		erasing_forget(&erase->erasing);
		erasure_note_forget(&erase->note);
	}
	rulebook_leave(call);
}

const struct method rights_erase = {
	.path = "/needtoknow.v1.RightsService/Erase",
	.role = ROLE_RIGHTS,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__erase_request__descriptor,
	.steps = { erase_decode, erase_ask, erase_gather, erase_commit, erase_wait, erase_recall, erase_note,
		erase_reply },
	.again = 1,
	.board = erase_board,
	.train_class = TRAIN_CONTROL,
	.release = erase_release,
};
