#include "base/memory.h"
#include "pure/time.h"
#include "rpc/methods.h"
#include "rpc/request.h"
#include "service/access.h"
#include "service/batch.h"
#include "service/delivery.h"
#include "service/refusal.h"
#include "service/service.h"
#include "service/train.h"
#include "sql.h"

#include <needtoknow/v1/delivery.pb-c.h>

#include <string.h>

/*
 * Fetch: an app asks again for what is due of one disclosure. The same reading, the same entries and the same decision
 * as a delivery on a stream; here the values are the answer.
 */
/* Of one release. An app that fetches in a loop would fill the ledger. */
#define FETCHES_MAX 1000

struct fetch {
	uint8_t id[16];
	bool found;
	int64_t read_at;
	struct access access;
	unsigned
		sent; /* bit n: release n was sent before, to this device at least; else its row is in needtoknow.due */
	int16_t serial[POLICY_RELEASES_MAX]; /* of the next delivery id of each release */
	struct due facts; /* what all of its releases have in common */
	const struct rule *rule;
	size_t count;
	struct due *dues;
	struct shipment *shipments;
	bool *withheld;
	Needtoknow__V1__Reason refused;
	const char *held;
	int64_t next_due; /* of what is not due yet; INT64_MAX */
};

/* ---- decode ---- */

static enum step_result fetch_decode(struct call *call)
{
	const Needtoknow__V1__FetchRequest *request = (const Needtoknow__V1__FetchRequest *)call->request;
	struct fetch *fetch = call_alloc(call, sizeof *fetch);
	if (!fetch)
		return STEP_NEXT;
	call->state = fetch;
	return request_uuid(call, "disclosure_id", request->disclosure_id, fetch->id) ? STEP_NEXT : STEP_DONE;
}

/* ---- ask: the disclosure, if it is this recipient's ---- */

static void fetch_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct fetch *fetch = target;
	struct disclosure *disclosure = &fetch->facts.disclosure;
	fetch->found = true;
	fetch->read_at = row_time(result, row, 1);
	memcpy(disclosure->id, fetch->id, sizeof disclosure->id);
	disclosure->booking_id = row_text(result, row, 2, call);
	disclosure->subject_id = row_text(result, row, 3, call);
	disclosure->service = row_text(result, row, 4, call);
	disclosure->policy_number = (int)row_int(result, row, 5);
	disclosure->starts_at = row_time(result, row, 6);
	disclosure->ends_at = row_time(result, row, 7);
	disclosure->expires_at = row_time(result, row, 8);
	disclosure->created_at = row_time(result, row, 9);
	disclosure->state = (int)row_int(result, row, 10);
	disclosure->withheld = (unsigned)row_int(result, row, 11);
	disclosure->recipient_id = call->name;
	fetch->rule = disclosure_rule_now(call, disclosure);
	disclosure->expires_at = disclosure_expires_at(disclosure, fetch->rule);
	due_read_facts(call, result, row, 12, fetch->rule, &fetch->facts);
}

static void serial_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct fetch *fetch = target;
	int64_t release = row_int(result, row, 1);
	(void)call;
	if (release < 0 || release >= POLICY_RELEASES_MAX)
		return;
	if (row_bool(result, row, 3))
		fetch->sent |= 1u << release;
	fetch->serial[release] = (int16_t)(row_int(result, row, 2) + 1);
}

static const struct read_kind fetch_facts = {
	.statement = &sql_fetch_facts,
	.from = READ_STATE,
	.types = { PG_UUID, PG_TEXT },
	.row = fetch_row,
};

static const struct read_kind sent_serials = {
	.statement = &sql_sent_serials,
	.from = READ_STATE,
	.types = { PG_UUID, PG_TEXT },
	.row = serial_row,
};

static enum step_result fetch_ask(struct call *call)
{
	struct fetch *fetch = call->state;
	uint8_t id[16];
	if (!rulebook_is_current(service_rulebook(call->service), call))
		return STEP_WAIT;
	memcpy(id, fetch->id, sizeof id);
	*fetch = (struct fetch){ .next_due = INT64_MAX };
	memcpy(fetch->id, id, sizeof id);
	batch_read(call, &fetch_facts, fetch, (struct cell[]){ cell_bytes(fetch->id, 16), cell_text(call->name) });
	batch_read(call, &sent_serials, fetch, (struct cell[]){ cell_bytes(fetch->id, 16), cell_text(call->device) });
	access_ask(call, &fetch->access);
	return STEP_NEXT;
}

/* ---- look: is it live, and what of it is due? ---- */

static enum step_result fetch_refuse(struct call *call, enum grpc_code code, const char *reason, const char *message)
{
	return call_refuse(call, &(struct status){ .code = code, .reason = reason, .message = message });
}

static enum step_result refuse_ended(struct call *call, const struct fetch *fetch)
{
	const struct disclosure *disclosure = &fetch->facts.disclosure;
	return fetch_refuse(call, GRPC_FAILED_PRECONDITION, reason_name(disclosure_ended_reason(disclosure->state)),
		"this disclosure has ended");
}

static enum step_result refuse_not_due(struct call *call, const struct fetch *fetch)
{
	char due_at[TIME_TEXT_MAX] = "";
	struct status status = { .code = GRPC_FAILED_PRECONDITION,
		.reason = "NOT_DUE",
		.message = "nothing of this disclosure is due yet" };
	if (fetch->next_due != INT64_MAX) {
		time_format(fetch->next_due, due_at);
		status.metadata[0].key = "due_at";
		status.metadata[0].value = due_at;
	}
	return call_refuse(call, &status);
}

/* A narrower policy may have it due later than its row says. */
static int64_t row_due_at(const struct call *call, const struct fetch *fetch, size_t number)
{
	const struct disclosure *disclosure = &fetch->facts.disclosure;
	const struct rule *shared = disclosure_rule(call, disclosure);
	const struct rule *rule = shared ? shared : fetch->rule;
	return disclosure_due_at(disclosure, &rule->service->releases[number]);
}

static void add_release(struct call *call, struct fetch *fetch, size_t number)
{
	const struct policy_release *release = &fetch->rule->service->releases[number];
	int64_t due_at = disclosure_due_at(&fetch->facts.disclosure, release);
	if (fetch->facts.disclosure.withheld & 1u << number)
		return;
	if (due_at > fetch->read_at) {
		fetch->next_due = due_at < fetch->next_due ? due_at : fetch->next_due;
		return;
	}
	struct due *due = &fetch->dues[fetch->count];
	*due = fetch->facts;
	memset(&due->key, 0, sizeof due->key);
	memcpy(due->key.disclosure, fetch->id, sizeof fetch->id);
	due->key.release = (int16_t)number;
	due->key.serial = fetch->serial[number];
	due->device = access_queue(&fetch->access, call);
	release_send_keys(call, &due->key, due->device);
	due->perhaps = *due->device != '\0';
	due->due_at = fetch->sent & 1u << number ? TIME_NONE : row_due_at(call, fetch, number);
	shipment_ask(call, &fetch->shipments[fetch->count], due, fetch->rule);
	fetch->count++;
}

static enum step_result fetch_look(struct call *call)
{
	struct fetch *fetch = call->state;
	struct disclosure *disclosure = &fetch->facts.disclosure;
	if (call->awaited)
		return STEP_WAIT;
	if (access_is_barred(&fetch->access))
		return access_refuse(call, &fetch->access);
	if (!fetch->found)
		return fetch_refuse(call, GRPC_NOT_FOUND, "UNKNOWN_DISCLOSURE", "there is no disclosure of that id");
	bool live = disclosure->state == NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_ACTIVE;
	/* It is kept, also beyond its time (GDPR art. 18), and not read. */
	if (live && fetch->facts.facts.subject_rights & SUBJECT_RESTRICTED)
		return refusal_reply(call, NEEDTOKNOW__V1__REASON__REASON_RESTRICTED, NULL);
	if (!live || disclosure->expires_at <= fetch->read_at)
		return refuse_ended(call, fetch);
	if (!fetch->rule)
		return fetch_refuse(call, GRPC_UNAVAILABLE, "POLICY_UNAVAILABLE",
			"the policy under which this was shared cannot be used now");
	fetch->dues = call_alloc(call, fetch->rule->service->release_count * sizeof *fetch->dues);
	fetch->shipments = call_alloc(call, fetch->rule->service->release_count * sizeof *fetch->shipments);
	fetch->withheld = call_alloc(call, fetch->rule->service->release_count * sizeof *fetch->withheld);
	for (size_t i = 0; i < fetch->rule->service->release_count; i++)
		if (fetch->serial[i] > FETCHES_MAX)
			return fetch_refuse(call, GRPC_RESOURCE_EXHAUSTED, "TOO_MANY_FETCHES",
				"this disclosure was fetched too often; keep what was sent until it ends");
	if (call->failed)
		return STEP_NEXT;
	call_key(call, KEY_POLICY, "", 0, KEY_SHARED);
	call_key(call, KEY_DISCLOSURE, fetch->id, sizeof fetch->id, KEY_SHARED);
	call_key(call, KEY_RECIPIENT, call->name, strlen(call->name), KEY_SHARED);
	if (disclosure->subject_id)
		call_key(call, KEY_SUBJECT, disclosure->subject_id, strlen(disclosure->subject_id), KEY_SHARED);
	for (size_t i = 0; i < fetch->rule->service->release_count; i++)
		add_release(call, fetch, i);
	return fetch->count ? STEP_NEXT : refuse_not_due(call, fetch);
}

static enum step_result fetch_gather(struct call *call)
{
	return call->awaited ? STEP_WAIT : STEP_NEXT;
}

/* ---- commit: the entries that name the values ---- */

static enum step_result fetch_commit(struct call *call)
{
	return train_board(call);
}

static enum boarding fetch_board(struct call *call, struct departure *departure)
{
	struct fetch *fetch = call->state;
	bool boarded = false;
	if (!fetch->access.known)
		access_board_device(departure, call->name, call->device);
	fetch->refused = NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED;
	fetch->held = NULL;
	for (size_t i = 0; i < fetch->count; i++) {
		struct shipment *shipment = &fetch->shipments[i];
		Needtoknow__V1__Reason reason;
		const char *why = "";
		fetch->withheld[i] = true;
		switch (shipment_check(shipment, departure_now(departure), &reason, &why)) {
		case SHIPMENT_GOOD:
			shipment->reason = NEEDTOKNOW__V1__REASON__REASON_FETCHED;
			shipment_board(call, departure, shipment, call->device, shipment->due->due_at != TIME_NONE);
			fetch->withheld[i] = false;
			boarded = true;
			break;
		case SHIPMENT_REFUSED:
			fetch->refused = reason;
			shipment_withhold(call, departure, shipment->due, shipment->rule, reason);
			boarded = true;
			break;
		case SHIPMENT_HELD:
			fetch->held = why;
			break;
		}
	}
	return boarded || !fetch->access.known ? BOARDED : BOARD_NOTHING;
}

/* ---- reply: only now may the values leave ---- */

static enum step_result reply_values(
	struct call *call, const struct fetch *fetch, const Needtoknow__V1__FetchResponse *response)
{
	static const struct status ok = { .code = GRPC_OK };
	int64_t die_at = values_die_at(call, &fetch->facts.disclosure);
	if (!call->stream || !die_at)
		return call_unavailable(call, "DATABASE_UNAVAILABLE");
	size_t length = needtoknow__v1__fetch_response__get_packed_size(response);
	uint8_t *bytes = mem_alloc(length);
	needtoknow__v1__fetch_response__pack(response, bytes);
	server_stream_send_values(call->stream, bytes, length, fetch->id, die_at);
	server_stream_finish(call->stream, &ok);
	mem_free(bytes);
	return STEP_DONE;
}

static enum step_result fetch_reply(struct call *call)
{
	struct fetch *fetch = call->state;
	Needtoknow__V1__FetchResponse response = NEEDTOKNOW__V1__FETCH_RESPONSE__INIT;
	response.deliveries = call_alloc(call, fetch->count * sizeof *response.deliveries);
	for (size_t i = 0; response.deliveries && i < fetch->count; i++)
		if (!fetch->withheld[i])
			response.deliveries[response.n_deliveries++] = shipment_message(call, &fetch->shipments[i]);
	if (call->failed)
		return STEP_NEXT;
	if (!response.n_deliveries && fetch->refused != NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED)
		return refusal_reply(call, fetch->refused, NULL);
	if (!response.n_deliveries)
		return fetch_refuse(call, GRPC_FAILED_PRECONDITION, fetch->held,
			"what is due is held back; the company's operator can see why");
	return reply_values(call, fetch, &response);
}

static void fetch_doubted(struct call *call)
{
	const struct fetch *fetch = call->state;
	for (size_t i = 0; i < fetch->count; i++)
		shipment_wipe(&fetch->shipments[i]);
}

const struct method delivery_fetch = {
	.path = "/needtoknow.v1.DeliveryService/Fetch",
	.role = ROLE_RECIPIENT,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__fetch_request__descriptor,
	.steps = { fetch_decode, fetch_ask, fetch_look, fetch_gather, fetch_commit, fetch_reply },
	.again = 1,
	.board = fetch_board,
	.train_class = TRAIN_DELIVERY,
	.doubted = fetch_doubted,
	.release = rulebook_leave,
};
