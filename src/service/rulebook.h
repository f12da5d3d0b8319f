#ifndef NEEDTOKNOW_SERVICE_RULEBOOK_H
#define NEEDTOKNOW_SERVICE_RULEBOOK_H

#include "pure/policy.h"
#include "service/batch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The policies that are in use: the one in force, and those under which something was shared that still lives. With
 * each of their rules go the statements that read what it needs from the company's views: made once, each naming
 * exactly its columns (P2).
 */
struct rulebook;
struct rules; /* one policy in use */
struct recorded;
struct policy_ordered;

/* A row of a source as it was asked for. */
struct source_read {
	struct read_kind kind;
	struct statement statement;
	size_t field_count;
	const struct policy_field *const *fields; /* in the order of the statement's columns */
};

/* One release's sources, each read by one statement. */
struct release_read {
	size_t count;
	const struct source_read *const *sources;
};

struct rule {
	const struct rules *rules;
	const struct policy_service *service;
	const struct source_read
		*subject; /* does the subject exist; the same as `consent` when that is in the subject's row */
	const struct source_read
		*booking; /* does the booking exist and is it the subject's; NULL with `booking: none` */
	const struct source_read *consent; /* `requires`; NULL when there is none */
	const struct release_read *releases; /* as many as the service has */
};

/* What a source answered for one key. */
struct source_answer {
	const struct source_read *read;
	int rows; /* more than one: the key is not one; nothing of it may be used */
	struct source_value {
		const char *bytes; /* NULL: SQL's NULL. In the call's arena */
		size_t length;
	} * values; /* field_count */
};

struct rulebook *rulebook_new(struct service *service, const char *source_dsn, const char *policy_file, bool strict);
void rulebook_free(struct rulebook *rulebook);

/* The state database is up: loads what is needed there, checks the file's policy against the sources, and activates it
 * where it is new. */
void rulebook_open(struct rulebook *rulebook);
/* Reads the file again; the policy in force stays when the new one is refused. */
void rulebook_reload(struct rulebook *rulebook);

/* Reads the file again because somebody asked for it, and says what became of it. */
struct policy_order {
	const uint8_t *expected; /* the digest that was approved, 32 bytes */
	const char *actor; /* who asks, for the ledger */
	const char *approved_by;
	void (*done)(void *context, const struct policy_ordered *what);
	void *context;
};
struct policy_ordered {
	enum policy_order_result {
		POLICY_ORDER_ACTIVATED,
		POLICY_ORDER_IN_FORCE, /* it was already */
		POLICY_ORDER_OTHER, /* the file is not the one that was approved */
		POLICY_ORDER_REFUSED,
		POLICY_ORDER_UNAVAILABLE, /* a database did not answer */
	} result;
	const uint8_t *digest; /* the file's; NULL when it is no policy */
	const struct recorded *recorded; /* of ACTIVATED; else NULL */
	const char *why; /* one sentence of REFUSED and UNAVAILABLE; else "" */
};
/* What it points to is copied. 0, and done() is called once, possibly from within; or -1: another reload is under way.
 */
int rulebook_order(struct rulebook *rulebook, const struct policy_order *order);
/* Whoever asked with this context is no longer there to be told. */
void rulebook_order_forget(struct rulebook *rulebook, const void *context);

/* Another worker may have put another policy in force: looks, at most once a second. */
void rulebook_refresh(struct rulebook *rulebook);
/* Another worker has: nothing is decided by what this one knows until it has looked. */
void rulebook_outdated(struct rulebook *rulebook);

/* NULL until there is one. Not for decisions while it is outdated. */
const struct rules *rulebook_in_force(const struct rulebook *rulebook);
bool rulebook_is_known(const struct rulebook *rulebook); /* not outdated */
/* True: decide by rulebook_in_force(). False: the call waits, and is run again when that is known; when it cannot be
 * known it fails. For the release() of each method that asks: rulebook_leave(). */
bool rulebook_is_current(struct rulebook *rulebook, struct call *call);
void rulebook_leave(struct call *call);
/* NULL when that policy is not, or cannot be, in use. */
const struct rules *rulebook_number(const struct rulebook *rulebook, int number);
/* For reading what was shared under it, not for sharing: also one that does not fit the sources any more. NULL when
 * this worker does not know it (yet), or no longer can read it. It lives as long as the rulebook. */
const struct policy *rulebook_policy(struct rulebook *rulebook, int number);
/* It is known, and cannot be used: it does not fit the company's database, or this version cannot read it. */
bool rulebook_is_unfit(const struct rulebook *rulebook, int number);
/* Why there is no policy in force; "" when there is. */
const char *rulebook_why(const struct rulebook *rulebook);

/* All that are in use, one after the other; NULL begins, and ends. */
const struct rules *rulebook_next(const struct rulebook *rulebook, const struct rules *after);

int rules_number(const struct rules *rules);
const struct policy *rules_policy(const struct rules *rules);
/* Does the subject exist? */
const struct source_read *rules_subject(const struct rules *rules);
const struct rule *rules_find(const struct rules *rules, const char *service);
/* What holds now of the rule of that service under which something was shared: what a narrower policy that is in force
 * since leaves of it. NULL as rulebook_number(). */
const struct rule *rulebook_rule_now(struct rulebook *rulebook, int number, const char *service);

/* Asks a source for a row; `answer` must stay until the call's reads are back. A key that cannot be one is answered
 * with no row. */
void source_ask(struct call *call, const struct source_read *read, const char *key, const char *subject_id,
	struct source_answer *answer);

#endif
