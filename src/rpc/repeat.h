#ifndef NEEDTOKNOW_RPC_REPEAT_H
#define NEEDTOKNOW_RPC_REPEAT_H

#include "pure/secret.h"
#include "service/call.h"
#include "service/departure.h"
#include "service/disclosure.h"
#include "service/ledger.h"

#include <libpq-fe.h>

/*
 * AIP-155: a request id, once it was answered OK, repeats its answer and not its effect; with other content it is
 * refused. What Share did stands in the disclosure that it made, what other methods did in needtoknow.request; one id
 * is used by one of them. Kept for 30 days, or as long as its disclosures live.
 */
struct repeat {
	uint8_t key[16]; /* keyed hash of the caller and the request id; what the request makes has it as its id */
	uint8_t digest[16]; /* of what is asked */
	bool in_disclosure; /* Share's: what was answered stands in the disclosure */
	enum repeat_found {
		REPEAT_NEW,
		REPEAT_SAME, /* answered OK before: it is answered with the same again */
		REPEAT_OTHER, /* used with other content */
	} found;
	bool read;
	/* With REPEAT_SAME, of a method other than Share. */
	int64_t recorded_at;
	size_t disclosure_count;
	size_t index_count;
	uint64_t *indices; /* of the entries whose receipts were answered, in their order */
};

/* Names what is asked: by whom, under which request id, with which content. */
void repeat_name(const struct call *call, struct repeat *repeat, const char *request_id,
	const struct secret_field *content, size_t count);

/* The key of that caller's request of that id. */
void repeat_key(const struct service *service, const char *caller, const char *request_id, uint8_t out[16]);

/* Declares the request id and asks whether it was used. For methods other than Share, which asks with its facts. */
void repeat_ask(struct call *call, struct repeat *repeat);
/* From five columns: the digests of the disclosure and of the request of that key; its indices, time and number of
 * disclosures. */
void repeat_read(struct call *call, const PGresult *result, int row, int column, struct repeat *out);

/* In the train: what is repeated from later on, with these disclosures and receipts, in the answer's order. */
void repeat_board(struct departure *departure, const struct repeat *repeat, const struct disclosure *const *disclosures,
	size_t disclosure_count, const struct recorded *const *receipts, size_t receipt_count);
/* In the train: the refusal of a request id that was used with other content, about nobody. */
struct recorded repeat_refuse(struct call *call, struct departure *departure);

/* What is answered to a repeat, from what was recorded. */
struct recall {
	struct disclosure *disclosures;
	size_t count, size;
	int64_t now;
	int64_t recorded_at; /* of entries whose bodies are gone */
	struct ledger_line *lines;
	size_t line_count;
};
/* Asks for the disclosures and the receipts; they are in when call->awaited is 0. NULL when the call has failed. */
struct recall *recall_ask(struct call *call, const struct repeat *repeat);
/* Afterwards: true, all of it was there. False: it was removed meanwhile, being too old; the call has been answered. */
bool recall_is_whole(struct call *call, const struct recall *recall);
/* Then, for the answer; in the call's arena. NULL when the call has failed. */
Needtoknow__V1__Disclosure **recall_disclosures(struct call *call, const struct recall *recall);
Needtoknow__V1__Receipt **recall_receipts(struct call *call, struct recall *recall);

/* One disclosure by its id. */
struct recall *recall_one(struct call *call, const uint8_t disclosure_id[16]);

#endif
