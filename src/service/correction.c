#include "service/correction.h"

#include "base/fault.h"
#include "base/memory.h"
#include "pure/time.h"
#include "service/batch.h"
#include "service/delivery.h"
#include "service/queue.h"
#include "service/train.h"
#include "sql.h"

#include <stddef.h>
#include <string.h>

/* One look at many changes. It outlives its calls. */
struct look {
	struct change *changes;
	size_t count;
	unsigned calls; /* that still look */
	uint64_t corrected;
	void (*done)(void *context, uint64_t corrected);
	void *context;
};

static void leave_look(struct look *look)
{
	if (--look->calls)
		return;
	look->done(look->context, look->corrected);
	mem_free(look);
}

/* ---- one sending: is it what the sources say now? ---- */

struct correction {
	struct look *look;
	struct change *change;
	const struct call *reader; /* only in the first step */
	struct due due;
	struct shipment shipment;
	int64_t ledger_index, left_out; /* of the sending */
	bool done;
};

static enum step_result correction_ask(struct call *call)
{
	struct correction *correction = call->state;
	const struct due *due = &correction->due;
	if (call->tries)
		return STEP_DONE; /* somebody has just sent it, or it has ended: it is looked at again */
	train_reading_with(call, correction->reader);
	call_key(call, KEY_RELEASE, &due->key, offsetof(struct delivery_key, serial), KEY_EXCLUSIVE);
	call_key(call, KEY_DISCLOSURE, due->disclosure.id, sizeof due->disclosure.id, KEY_SHARED);
	call_key(call, KEY_POLICY, "", 0, KEY_SHARED);
	const struct rule *rule = disclosure_rule_now(call, &due->disclosure);
	if (!rule)
		return STEP_NEXT; /* its policy cannot be used: unread, it waits for that */
	correction->shipment =
		(struct shipment){ .due = due, .rule = rule, .release = &rule->service->releases[due->key.release] };
	/* What may not be sent now is not read (P2), and may have changed: it is compared when it may. */
	if (!shipment_is_barred(&correction->shipment, service_guess_time(call->service)))
		shipment_ask(call, &correction->shipment, due, rule);
	return STEP_NEXT;
}

/* Nothing is to be sent instead: it is the same, or nothing of it is sent any more. */
static bool is_right(const struct call *call, struct correction *correction)
{
	struct shipment *shipment = &correction->shipment;
	Needtoknow__V1__Reason reason;
	const char *why;
	switch (shipment_check(shipment, service_guess_time(call->service), &reason, &why)) {
	case SHIPMENT_REFUSED:
		return true;
	case SHIPMENT_HELD:
		return false; /* the queue holds it, until what is wrong is mended */
	case SHIPMENT_GOOD:
		break;
	}
	/* Fewer fields than were sent cannot be compared with what was sent: what is left of them is sent anew. */
	return shipment_left_out(call, shipment) == correction->left_out && !shipment_differs(shipment);
}

static enum step_result correction_compare(struct call *call)
{
	struct correction *correction = call->state;
	if (call->awaited)
		return STEP_WAIT;
	if (!correction->shipment.answers)
		return STEP_NEXT;
	bool right = is_right(call, correction);
	shipment_wipe(&correction->shipment);
	correction->done = right;
	return right ? STEP_DONE : STEP_NEXT;
}

static enum step_result correction_commit(struct call *call)
{
	return train_board(call);
}

static enum boarding correction_board(struct call *call, struct departure *departure)
{
	const struct correction *correction = call->state;
	const struct due *due = &correction->due;
	int64_t now = departure_now(departure), due_at = now;
	if (correction->shipment.release)
		due_at = disclosure_due_at(&due->disclosure, correction->shipment.release);
	departure_write(departure, WRITE_SENT_CORRECTED,
		(struct cell[]){ cell_bytes(due->key.disclosure, sizeof due->key.disclosure),
			cell_number(due->key.release), cell_number(due->key.serial),
			cell_number(correction->ledger_index), cell_number(due_at > now ? due_at : now) });
	return BOARDED;
}

static enum step_result correction_done(struct call *call)
{
	struct correction *correction = call->state;
	fault_point("correction.reopened");
	correction->done = true;
	correction->look->corrected++;
	queue_poke(service_queues(call->service), correction->due.disclosure.recipient_id);
	return STEP_DONE;
}

static void correction_doubted(struct call *call)
{
	const struct correction *correction = call->state;
	shipment_wipe(&correction->shipment);
}

static void correction_release(struct call *call)
{
	const struct correction *correction = call->state;
	if (!correction->done)
		correction->change->result = CHANGE_UNANSWERED;
	leave_look(correction->look);
}

static const struct method correction_method = {
	.steps = { correction_ask, correction_compare, correction_commit, correction_done },
	.board = correction_board,
	.train_class = TRAIN_DELIVERY,
	.doubted = correction_doubted,
	.release = correction_release,
};

/* ---- which sendings a change concerns ---- */

struct looked {
	struct look *look;
	struct change *change;
};

static bool lists(const char *lines, const char *name)
{
	size_t length = strlen(name);
	while (lines && *lines) {
		size_t line = strcspn(lines, "\n");
		if (line == length && !memcmp(lines, name, length))
			return true;
		lines += line + (lines[line] ? 1 : 0);
	}
	return false;
}

static bool concerns(const struct change *change, const struct policy *policy, const struct policy_release *release,
	const char *booking_id)
{
	for (size_t i = 0; i < release->field_count; i++) {
		const struct policy_field *field = release->fields[i];
		const char *key = field->source == policy_subjects(policy) ? change->subject_id : booking_id;
		if (!strcmp(field->source->name, change->source) && key && !strcmp(key, change->key) &&
			lists(change->columns, field->column))
			return true;
	}
	return false;
}

/* The policy's release by which that is sent; NULL and *known: it has none. Not known: this worker has yet to learn of
 * that policy. */
static const struct policy_release *release_now(const struct call *call, const struct disclosure *disclosure,
	int64_t number, const struct policy **policy, bool *known)
{
	struct rulebook *rulebook = service_rulebook(call->service);
	const struct rule *rule = disclosure_rule_now(call, disclosure);
	const struct policy_service *service;
	*policy = rule ? rules_policy(rule->rules) : rulebook_policy(rulebook, disclosure->policy_number);
	*known = *policy || rulebook_is_unfit(rulebook, disclosure->policy_number);
	if (!*policy)
		return NULL;
	service = rule ? rule->service : policy_service(*policy, disclosure->service);
	return service && number >= 0 && (size_t)number < service->release_count ? &service->releases[number] : NULL;
}

static void read_disclosure(struct call *call, const PGresult *result, int row, struct disclosure *out)
{
	*out = (struct disclosure){ .state = NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_ACTIVE };
	row_bytes(result, row, 8, out->id, sizeof out->id);
	out->booking_id = row_text(result, row, 9, call);
	out->subject_id = row_text(result, row, 10, call);
	out->recipient_id = row_text(result, row, 11, call);
	out->service = row_text(result, row, 12, call);
	out->policy_number = (int)row_int(result, row, 13);
	out->starts_at = row_time(result, row, 14);
	out->ends_at = row_time(result, row, 15);
	out->expires_at = row_time(result, row, 16);
	out->created_at = row_time(result, row, 17);
}

static void start_correction(struct call *reader, const struct looked *looked, const PGresult *result, int row)
{
	struct call *call = call_new_own(reader->service, &correction_method);
	struct correction *correction = call_alloc(call, sizeof *correction);
	struct due *due = &correction->due;
	read_disclosure(call, result, row, &due->disclosure);
	const struct rule *rule = disclosure_rule_now(call, &due->disclosure);
	due->disclosure.expires_at = disclosure_expires_at(&due->disclosure, rule);
	memcpy(due->key.disclosure, due->disclosure.id, sizeof due->key.disclosure);
	due->key.release = (int16_t)row_int(result, row, 5);
	due->key.serial = (int16_t)row_int(result, row, 6);
	due->repeat = !row_bytes(result, row, 7, due->commitment, sizeof due->commitment);
	due->latest = (int16_t)row_int(result, row, 18);
	due_read_facts(call, result, row, 19, rule, due);
	correction->left_out = row_int(result, row, 3);
	correction->ledger_index = row_int(result, row, 4);
	correction->look = looked->look;
	correction->change = looked->change;
	correction->reader = reader;
	call->state = correction;
	looked->look->calls++;
	call_run(call);
}

/* One sending of a disclosure that nothing has ended, or one such of which nothing was sent. */
static void sending_row(struct call *call, void *target, const PGresult *result, int row)
{
	const struct looked *looked = target;
	struct disclosure disclosure;
	const struct policy *policy;
	bool known;
	if (looked->change->result == CHANGE_NOBODYS)
		looked->change->result = CHANGE_LOOKED_AT;
	service_learn_time(call->service, row_time(result, row, 1));
	/* Nothing was sent; or it is sent again anyway; or its time is over, unless a train is on its way that moves
	 * its end: the second look sees that. */
	if (row_is_null(result, row, 4) || row_bool(result, row, 2) ||
		row_time(result, row, 16) <= row_time(result, row, 1))
		return;
	read_disclosure(call, result, row, &disclosure);
	if (call->failed)
		return;
	const struct policy_release *release = release_now(call, &disclosure, row_int(result, row, 5), &policy, &known);
	if (!known)
		looked->change->result = CHANGE_UNANSWERED;
	else if (release && concerns(looked->change, policy, release, disclosure.booking_id))
		start_correction(call, looked, result, row);
}

static const struct read_kind sendings_live = {
	.statement = &sql_sendings_live,
	.from = READ_STATE,
	.types = { PG_TEXT },
	.row = sending_row,
};

static enum step_result look_ask(struct call *call)
{
	struct look *look = call->state;
	struct looked *looked = call_alloc(call, look->count * sizeof *looked);
	if (!looked || !rulebook_is_known(service_rulebook(call->service)))
		return STEP_DONE;
	/* What is corrected from this reading is as old as it. */
	train_reading(call);
	for (size_t i = 0; i < look->count; i++) {
		looked[i] = (struct looked){ look, &look->changes[i] };
		look->changes[i].result = CHANGE_NOBODYS;
		batch_read(call, &sendings_live, &looked[i], (struct cell[]){ cell_text(look->changes[i].subject_id) });
	}
	return STEP_NEXT;
}

static enum step_result look_done(struct call *call)
{
	return call->awaited ? STEP_WAIT : STEP_DONE;
}

static void look_release(struct call *call)
{
	struct look *look = call->state;
	for (size_t i = 0; call->failed && i < look->count; i++)
		look->changes[i].result = CHANGE_UNANSWERED;
	leave_look(look);
}

static const struct method look_method = {
	.steps = { look_ask, look_done },
	.release = look_release,
};

void changes_look(struct service *service, struct change *changes, size_t count,
	void (*done)(void *context, uint64_t corrected), void *context)
{
	struct look *look = mem_calloc(1, sizeof *look);
	struct call *call = call_new_own(service, &look_method);
	look->changes = changes;
	look->count = count;
	look->calls = 1;
	look->done = done;
	look->context = context;
	for (size_t i = 0; i < count; i++)
		changes[i].result = CHANGE_UNANSWERED;
	call->state = look;
	call_run(call);
}
