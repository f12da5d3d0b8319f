#ifndef NEEDTOKNOW_RPC_AUDITED_H
#define NEEDTOKNOW_RPC_AUDITED_H

#include "service/call.h"
#include "service/departure.h"
#include "service/subject.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Whoever audits is recorded (P9): each question of an auditor's is an entry itself, AUDITED, committed before anything
 * is read for the answer. Its `fields` are the method and the names of what was given; the subject stands in it as a
 * pseudonym, a recipient by its id, and neither where it was not found.
 *
 * A method's state begins with a struct audited, filled by its decode step; audited_ask and audited_commit follow as
 * steps, audited_board is its board function:
 *
 *	.steps = { report_decode, audited_ask, audited_commit, report_read, ... },
 *	.again = 1,
 *	.board = audited_board,
 *	.train_class = TRAIN_SHARE,
 */
#define AUDITED_SHAPE_MAX 15

struct audited {
	bool first_page; /* else it was recorded with the first */
	const char *subject_id, *recipient_id; /* asked after; NULL: nobody in particular */
	size_t shape_count;
	const char *shape[AUDITED_SHAPE_MAX]; /* names of what was given in the request */
	struct subject subject; /* `known` once asked; without that nothing of it is told */
	bool recipient_known;
};

/* Of a question without pages; of a first page. */
void audited_begin(struct audited *audited);
/*
 * Of a page behind a token: *asked_at is the position's memory of when the listing was recorded (`found`: from the
 * token). A token that is kept and read on from an hour later is another question, and *asked_at is set to now.
 */
void audited_begin_page(struct call *call, struct audited *audited, bool found, int64_t *asked_at);
/* `given` (empty is not given) was asked after under this name. Returns it, or NULL. */
const char *audited_given(struct audited *audited, const char *name, const char *given);

/* Steps. */
enum step_result audited_ask(struct call *call);
enum step_result audited_commit(struct call *call);
enum boarding audited_board(struct call *call, struct departure *departure);

/* Answers; what the client could not take in one message is refused with this reason, RESOURCE_EXHAUSTED. */
enum step_result audited_reply(
	struct call *call, const ProtobufCMessage *response, const char *reason, const char *message);

#endif
