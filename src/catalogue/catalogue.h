#ifndef NEEDTOKNOW_CATALOGUE_CATALOGUE_H
#define NEEDTOKNOW_CATALOGUE_CATALOGUE_H

#include "io/database.h"
#include "pure/policy.h"
#include "pure/source_select.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * A policy against the live database, before it takes effect. For each source: the view is there, with every column
 * that the policy names; its key is of a type whose values have one form only; a lookup by key does not scan. And the
 * role may read these columns and no others (P2).
 */
struct catalogue;

enum catalogue_result {
	CATALOGUE_FIT, /* the policy may take effect; there may be warnings */
	CATALOGUE_UNFIT, /* it may not; at least one problem is an error */
	CATALOGUE_UNAVAILABLE, /* the database did not answer: nothing is known, ask again */
};

struct catalogue_problem {
	enum catalogue_severity {
		CATALOGUE_WARNING,
		CATALOGUE_ERROR
	} severity;
	const char *message; /* one line for an operator: what was found, what is needed, the nearest known name */
	enum catalogue_remedy {
		CATALOGUE_REMEDY_QUEUE, /* a change queue, as in deploy/sql/reference.sql */
		CATALOGUE_REMEDY_NAME, /* a name in the policy, or what the view shows under it, is to be changed */
		CATALOGUE_REMEDY_GRANT, /* what `needtoknow policy grants` writes */
		CATALOGUE_REMEDY_REVOKE, /* rights upon `relation` are to be taken away */
		CATALOGUE_REMEDY_ROLE, /* the role is too mighty: another one is needed */
		CATALOGUE_REMEDY_INDEX, /* the column behind the key wants one */
		CATALOGUE_REMEDY_WAIT, /* for the database */
	} remedy;
	const char *relation; /* CATALOGUE_REMEDY_REVOKE: quoted as SQL wants it; else NULL */
};

/* How a source is looked up by key: PostgreSQL's plan, as EXPLAIN tells it, a line each. */
struct catalogue_plan {
	const char *text;
	const char *cost; /* as its first line has it, `0.29..8.31`; never NULL */
	bool by_key; /* false: a problem says what it does instead */
};

/*
 * Asks on `database`, which connects with the role that is to serve the sources. `strict`: rights beyond the policy's
 * are errors rather than warnings. `done` is called once, possibly from within; the catalogue is the caller's then. The
 * policy must outlive the catalogue.
 */
void catalogue_check(struct database *database, const struct policy *policy, bool strict,
	void (*done)(void *context, struct catalogue *catalogue), void *context);
/* NULL is allowed. */
void catalogue_free(struct catalogue *catalogue);

enum catalogue_result catalogue_result(const struct catalogue *catalogue);
size_t catalogue_problem_count(const struct catalogue *catalogue);
/* In the order of the sources, the privileges last. */
const struct catalogue_problem *catalogue_problem_at(const struct catalogue *catalogue, size_t index);

/* Of a source, by its index in the policy. NULL: it was not asked for, since a problem came before it. */
const struct catalogue_plan *catalogue_plan(const struct catalogue *catalogue, size_t source);

/* Of a source of the policy that was found FIT: what source_select() needs. */
enum key_type catalogue_key_type(const struct catalogue *catalogue, const struct policy_source *source);
/* Of its `subject` column; of a source without one, that of the subjects' key. */
enum key_type catalogue_subject_type(const struct catalogue *catalogue, const struct policy_source *source);

#endif
