#include "rpc/objection.h"

#include "pure/decision.h"
#include "pure/purpose.h"
#include "service/batch.h"
#include "service/disclosure.h"
#include "service/service.h"
#include "sql.h"

#include <string.h>

/* ---- read ---- */

/* Room for one more of `size` bytes, in the arena; false when the call has failed. */
static bool make_room(struct call *call, void **all, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return true;
	size_t larger = *room ? *room * 2 : 8;
	void *moved = call_alloc(call, larger * size);
	if (!moved)
		return false;
	if (count)
		memcpy(moved, *all, count * size);
	*all = moved;
	*room = larger;
	return true;
}

static void objection_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct objections *out = target;
	if (make_room(call, (void **)&out->all, out->count, &out->size, sizeof *out->all))
		out->all[out->count++] = (struct objection){ .kind = (int)row_int(result, row, 1),
			.purpose = row_text(result, row, 2, call),
			.raised_at = row_time(result, row, 3),
			.upheld = row_bool(result, row, 4) };
}

static void open_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct objections *out = target;
	if (make_room(call, (void **)&out->open, out->open_count, &out->open_size, sizeof *out->open) &&
		!row_bytes(result, row, 1, out->open[out->open_count], sizeof *out->open))
		out->open_count++;
}

static const struct read_kind rights_objected = {
	.statement = &sql_rights_objected,
	.from = READ_STATE,
	.types = { PG_TEXT },
	.row = objection_row,
};

static const struct read_kind requests_to_weigh = {
	.statement = &sql_requests_to_weigh,
	.from = READ_STATE,
	.types = { PG_TEXT, PG_TEXT },
	.row = open_row,
};

void objections_ask(struct call *call, const char *subject_id, const char *purpose, struct objections *out)
{
	memset(out, 0, sizeof *out);
	batch_read(call, &rights_objected, out, (struct cell[]){ cell_text(subject_id) });
	batch_read(call, &requests_to_weigh, out, (struct cell[]){ cell_text(subject_id), cell_text(purpose) });
}

const struct objection *objections_find(const struct objections *objections, int kind, const char *purpose)
{
	for (size_t i = 0; i < objections->count; i++)
		if (objections->all[i].kind == kind && !strcmp(objections->all[i].purpose, purpose))
			return &objections->all[i];
	return NULL;
}

void objections_weighed(struct departure *departure, const struct objections *objections)
{
	for (size_t i = 0; i < objections->open_count; i++)
		departure_write(departure, WRITE_RIGHTS_REQUEST_STATE,
			(struct cell[]){ cell_bytes(objections->open[i], sizeof *objections->open),
				cell_number(NEEDTOKNOW__V1__RIGHTS_REQUEST_STATE__RIGHTS_REQUEST_STATE_ANSWERED),
				cell_number(departure_now(departure)) });
}

/* ---- what a purpose rests on ---- */

static unsigned basis_of(const struct policy_service *service)
{
	unsigned bases = service->legal_basis == LEGAL_BASIS_CONSENT ? BASIS_CONSENT : 0;
	if (purpose_is_direct_marketing(service->purpose))
		return bases | BASIS_MARKETING;
	if (bases)
		return bases;
	return objection_bars(service) ? BASIS_WEIGHED : BASIS_BINDING;
}

unsigned purpose_bases(const struct call *call, const char *purpose)
{
	const struct rulebook *rulebook = service_rulebook(call->service);
	const struct rules *rules = NULL;
	unsigned bases = 0;
	/* Also what lives on of a policy that is not in force any more may be objected to. */
	while ((rules = rulebook_next(rulebook, rules))) {
		const struct policy *policy = rules_policy(rules);
		for (size_t i = 0; i < policy_service_count(policy); i++) {
			const struct policy_service *service = policy_service_at(policy, i);
			if (!*purpose || !strcmp(purpose, service->purpose))
				bases |= basis_of(service);
		}
	}
	return bases;
}

/* ---- in the train ---- */

struct recorded objection_entry(struct call *call, struct departure *departure, struct asked *asked,
	Needtoknow__V1__EntryKind kind, Needtoknow__V1__Reason reason, int right, const char *purpose,
	const char *remark)
{
	struct entry_draft draft;
	entry_begin(&draft, call, kind);
	draft.entry.reason = reason;
	draft.entry.purpose = (char *)purpose;
	if (right == RIGHT_CONSENT_WITHDRAWN)
		draft.entry.legal_basis = (char *)legal_basis_name(LEGAL_BASIS_CONSENT);
	return asked_entry(call, departure, asked, &draft, remark);
}

struct recorded objection_raise(struct call *call, struct departure *departure, struct asked *asked,
	Needtoknow__V1__Reason reason, int right, const char *purpose, const char *remark)
{
	Needtoknow__V1__EntryKind kind = right == RIGHT_CONSENT_WITHDRAWN
		? NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_CONSENT_WITHDRAWN
		: NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_OBJECTION_RAISED;
	struct recorded recorded = objection_entry(call, departure, asked, kind, reason, right, purpose, remark);
	departure_write(departure, WRITE_RIGHT,
		(struct cell[]){ cell_text(asked->subject_id), cell_number(right), cell_text(purpose),
			cell_number(departure_now(departure)), cell_number((int64_t)recorded.index) });
	return recorded;
}

/* ---- who comes back ---- */

void objections_carry_over(struct call *call, struct departure *departure, struct asked *asked,
	const struct suppressed *suppressed, struct recorded *recorded)
{
	for (size_t i = 0; i < suppressed->count; i++)
		recorded[i] = objection_raise(call, departure, asked, NEEDTOKNOW__V1__REASON__REASON_CARRIED_OVER,
			suppressed->all[i].kind, suppressed->all[i].purpose, NULL);
}

Needtoknow__V1__ReportedRight **objections_carried_over(
	struct call *call, const struct suppressed *suppressed, int64_t raised_at)
{
	Needtoknow__V1__ReportedRight **rights = call_alloc(call, (suppressed->count + 1) * sizeof *rights);
	for (size_t i = 0; !call->failed && i < suppressed->count; i++) {
		rights[i] = call_alloc(call, sizeof *rights[i]);
		if (!rights[i])
			break;
		needtoknow__v1__reported_right__init(rights[i]);
		rights[i]->kind = (Needtoknow__V1__RightKind)suppressed->all[i].kind;
		rights[i]->purpose = (char *)suppressed->all[i].purpose;
		rights[i]->raised_at = timestamp_message(call, raised_at);
	}
	return call->failed ? NULL : rights;
}
