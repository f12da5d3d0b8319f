#include "service/ender.h"

#include "service/ending.h"
#include "service/queue.h"
#include "service/service.h"
#include "service/train.h"

#include <assert.h>
#include <string.h>

#define KIND(name) NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_##name
#define REASON(name) NEEDTOKNOW__V1__REASON__REASON_##name
#define STATE(name) NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_##name
#define CAUSE(name) NEEDTOKNOW__V1__WITHDRAWAL_CAUSE__WITHDRAWAL_CAUSE_##name

static const struct {
	Needtoknow__V1__EntryKind kind;
	Needtoknow__V1__Reason reason;
	Needtoknow__V1__DisclosureState state;
	Needtoknow__V1__WithdrawalCause cause;
} whys[] = {
	[END_EXPIRED] = { KIND(EXPIRED), REASON(EXPIRED), STATE(EXPIRED), CAUSE(EXPIRED) },
	[END_AGREEMENT] = { KIND(EXPIRED), REASON(AGREEMENT_NOT_IN_FORCE), STATE(EXPIRED), CAUSE(EXPIRED) },
	[END_SUSPENDED] = { KIND(REVOKED), REASON(SUSPENDED), STATE(SUSPENDED), CAUSE(SUSPENDED) },
	[END_ERASED] = { KIND(REVOKED), REASON(ERASED), STATE(ERASED), CAUSE(ERASED) },
	[END_DEVICE] = { .reason = REASON(DEVICE_REVOKED), .cause = CAUSE(REVOKED) },
};

struct end {
	const struct call *reader; /* only in the first step */
	struct ender *ender;
	enum end_why why;
	struct ending ending;
};

static enum step_result end_ask(struct call *call)
{
	const struct end *end = call->state;
	const struct disclosure *disclosure = &end->ending.disclosure;
	if (call->tries)
		return STEP_DONE; /* something else happened to it: whoever looks next sees it */
	train_reading_with(call, end->reader);
	ending_keys(call, disclosure);
	/* It was suspended, or its agreement over, when that was read: is it still? */
	if (end->why != END_EXPIRED && end->why != END_ERASED)
		call_key(call, KEY_RECIPIENT, disclosure->recipient_id, strlen(disclosure->recipient_id), KEY_SHARED);
	/* What is restricted (GDPR art. 18) does not expire: was it meanwhile? */
	else if (disclosure->subject_id)
		call_key(call, KEY_SUBJECT, disclosure->subject_id, strlen(disclosure->subject_id), KEY_SHARED);
	return STEP_NEXT;
}

static enum step_result end_commit(struct call *call)
{
	return train_board(call);
}

static enum boarding end_board(struct call *call, struct departure *departure)
{
	struct end *end = call->state;
	if (end->why == END_EXPIRED && departure_now(departure) < end->ending.disclosure.expires_at)
		return BOARD_AGAIN;
	if (end->why == END_DEVICE)
		ending_board_devices(call, departure, &end->ending);
	else
		ending_board(call, departure, &end->ending);
	return BOARDED;
}

static enum step_result end_done(struct call *call)
{
	const struct end *end = call->state;
	if (end->why == END_DEVICE)
		ending_devices_committed(call, &end->ending);
	else
		ending_committed(call, &end->ending);
	return STEP_DONE;
}

static void end_release(struct call *call)
{
	const struct end *end = call->state;
	struct ender *ender = end->ender;
	ender->failed |= call->failed;
	if (!--ender->ending)
		ender->done(ender->context);
}

static const struct method end_method = {
	.steps = { end_ask, end_commit, end_done },
	.board = end_board,
	.train_class = TRAIN_CONTROL,
	.release = end_release,
};

void ender_end(struct ender *ender, struct call *reader, enum end_why why, const PGresult *result, int row, int column)
{
	struct call *call = call_new_own(reader->service, &end_method);
	struct end *end = call_alloc(call, sizeof *end);
	int failed = ending_read(call, result, row, column, &end->ending);
	assert(!failed);
	end->ender = ender;
	end->reader = reader;
	end->why = why;
	end->ending.kind = whys[why].kind;
	end->ending.reason = whys[why].reason;
	end->ending.state = whys[why].state;
	end->ending.cause = whys[why].cause;
	call->state = end;
	ender->ending++;
	call_run(call);
}
