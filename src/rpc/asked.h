#ifndef NEEDTOKNOW_RPC_ASKED_H
#define NEEDTOKNOW_RPC_ASKED_H

#include "rpc/repeat.h"
#include "service/call.h"
#include "service/departure.h"
#include "service/rulebook.h"
#include "service/subject.h"

#include <google/protobuf/timestamp.pb-c.h>
#include <needtoknow/v1/rights.pb-c.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What a client asked for under the GDPR, whatever it is: who, through which channel, when; the request id, the entry
 *and the line of the register of requests. A method's state begins with a struct asked:
 *
 *	.steps = { x_decode, asked_ask, asked_gather, x_..., x_commit, x_reply, ... },
 *	.again = 1,
 *	.board = x_board,
 *	.train_class = TRAIN_CONTROL,
 *
 * x_decode fills it with asked_decode(); x_board begins with asked_board() and goes on where that says ASKED_NEW.
 */
struct asked {
	const char *request_id, *subject_id;
	Needtoknow__V1__RightsRequestKind kind;
	Needtoknow__V1__Channel channel;
	int64_t received_at;
	const char *purpose; /* of an objection; else "" */
	const char *columns; /* of a rectification or a registration, a line each; else NULL */
	struct repeat repeat;

	bool registered; /* the company has just given it this number: nobody is asked whether it exists */

	/* In when asked_gather() has gone on. */
	bool stored; /* something of the subject is known here: asked of our own tables alone */
	bool source_knows; /* where not: the company's database knows it */
	bool erased; /* art. 17 was exercised, and holds */
	struct subject subject;
	struct source_answer subject_row;
	int64_t began_at; /* the database's time of the first reading, before anything was done for it */

	bool reused; /* the request id was used for something else */
	struct recorded recorded; /* the first entry of it */
};

/*
 * The four fields that each request has, looked at in this order, and what else it is: `content` (at most
 * ASKED_CONTENT_MAX) is what a repeat must have the same. False: it has been answered INVALID_ARGUMENT. `subject_id` is
 * NULL for Register, which has none yet.
 */
#define ASKED_CONTENT_MAX 8
struct asked_fields {
	const char *request_id, *subject_id;
	Needtoknow__V1__Channel channel;
	const Google__Protobuf__Timestamp *received_at;
};
bool asked_decode(struct call *call, struct asked *asked, Needtoknow__V1__RightsRequestKind kind,
	const struct asked_fields *fields, const struct secret_field *content, size_t count);

/*
 * Steps. asked_ask declares the request id and the subject (KEY_EXCLUSIVE: whatever was decided of them before is
 * decided again) and reads them; asked_gather waits, and asks the company's database whether it knows the subject only
 * where nothing is known of it here: a right of somebody of whom something was shared waits for no database of the
 * company's. It has answered NOT_FOUND (UNKNOWN_SUBJECT) or INVALID_ARGUMENT (BAD_TIMESTAMP: received in the future)
 * when it returns STEP_DONE. A repeat is not looked at.
 */
enum step_result asked_ask(struct call *call);
enum step_result asked_gather(struct call *call);

/* In the train. */
enum asked_answer {
	ASKED_NEW,
	ASKED_BEFORE, /* with the same content: board nothing (BOARD_NOTHING), answer as it was answered */
	ASKED_OTHERWISE, /* the refusal is aboard, `reused` set (BOARDED) */
};
enum asked_answer asked_board(struct call *call, struct departure *departure, struct asked *asked);

/* An entry about the subject, with its pseudonym (its key is made with the first) and `remark` beside it (NULL: none).
 * It is `asked->recorded` where it is the first. The caller has begun the draft and filled the rest. */
struct entry_draft;
struct recorded asked_entry(struct call *call, struct departure *departure, struct asked *asked,
	struct entry_draft *draft, const char *remark);
/* After the entries: the line of the register, and what is answered to a repeat. */
void asked_register(struct call *call, struct departure *departure, const struct asked *asked,
	Needtoknow__V1__RightsRequestState state, const struct disclosure *const *disclosures, size_t disclosure_count,
	const struct recorded *const *receipts, size_t receipt_count);
/* The line alone, for what takes more than one train: repeat_board() is the last one's. */
void asked_line(struct call *call, struct departure *departure, const struct asked *asked,
	Needtoknow__V1__RightsRequestState state);
/* A refusal by the law's rules: an entry REFUSED with this reason and a line of the register; *out is the entry. Later,
 * refusal_reply(). A refusal is evaluated again when it is asked again: it has no repeat. */
void asked_refuse(struct call *call, struct departure *departure, struct asked *asked, Needtoknow__V1__Reason reason,
	struct recorded *out);

#endif
