#ifndef NEEDTOKNOW_SERVICE_RULEBOOK_INTERNAL_H
#define NEEDTOKNOW_SERVICE_RULEBOOK_INTERNAL_H

#include "io/database.h"
#include "io/loop.h"
#include "pure/identity.h"
#include "service/rulebook.h"

#include <uthash.h>

/*
 * What rulebook.c (what is in use, and taking policies into use), rulebook_known.c (what other workers have put in
 * force), rulebook_file.c (the policy file) and rulebook_order.c (calls that wait to know, and who asked for a reload)
 * share. For no other file.
 */

#define UNFIT_MAX 64
#define REFRESH_INTERVAL INT64_C(1000000)
#define APPROVER_MAX 512

struct rulebook {
	struct service *service;
	const char *source_dsn;
	const char *policy_file;
	bool strict;
	struct database *catalogue; /* a connection for looking at the company's catalogue */
	struct view *views;
	struct rules *all; /* in use */
	const struct rules *in_force;
	char why[1024];
	struct loop_timer retry, refresh;
	int64_t refreshed_at;

	/* Others' activations that were heard of, and how many of them are known to be looked up. */
	uint64_t heard, asked, known;
	struct waiter *waiting; /* calls that must know */
	bool lost; /* the policy in force cannot be used here, and the file is not to replace it */

	/* A reload that somebody asked for. */
	bool ordered; /* it is under way */
	bool order_waits; /* for what is under way */
	struct policy_order order;
	uint8_t expected[32];
	char actor[IDENTITY_URI_MAX + 1], approved_by[APPROVER_MAX];

	/* What is being taken into use, one after the other. */
	bool opening, activating;
	bool checking; /* the first of the pending, against the company's database */
	struct policy_text {
		int number; /* 0: the file's, not yet known to the database */
		bool in_force;
		struct policy *policy;
		struct policy_text *next;
	} * pending;
	int highest;
	struct archived *archive; /* policies that cannot be used any more */
	int unfit[UNFIT_MAX]; /* policies kept from before that cannot be used; looked at again at the next start or
				 reload */
	size_t unfit_count;
};

/* rulebook.c */

/* NULL: not in use. It may not be stored yet. */
struct rules *rulebook_find(const struct rulebook *rulebook, int number);
/* Puts one that is in use in force, in the ledger. */
void rulebook_activate(struct rulebook *rulebook, struct rules *rules);
/* Takes the policy, to be checked when its turn comes; `number` 0: it is the file's. */
void rulebook_add_pending(struct rulebook *rulebook, struct policy *policy, int number, bool in_force);
/* Checks the next of the pending; after the last one what was being opened is open. */
void rulebook_take_next(struct rulebook *rulebook);
/* What is under way has failed: whoever asked and whoever waits is told. `why` may be the rulebook's own. */
void rulebook_give_up(struct rulebook *rulebook, enum policy_order_result result, const char *why);
/* What was asked for, or put in force by others, meanwhile has its turn as soon as nothing else is under way. */
void rulebook_look_again(struct rulebook *rulebook);
void rulebook_remember_unfit(struct rulebook *rulebook, int number);

/* rulebook_known.c */

/* Asks the database for every policy that was ever in force; then takes those that are not in use yet. */
void rulebook_ask_known(struct rulebook *rulebook);
/* Another worker put a policy in force that this one cannot use: it must not go on with the one before. */
void rulebook_lose(struct rulebook *rulebook, int number);

/* rulebook_file.c */

/* The file's policy: in force already, known from before, or new. */
void rulebook_take_file(struct rulebook *rulebook);

/* rulebook_order.c */

/* Runs all who wait now; those whom nobody can tell fail. */
void rulebook_release_waiting(struct rulebook *rulebook, bool told);
/* Tells whoever asked, once; nobody may have. */
void rulebook_finish_order(struct rulebook *rulebook, enum policy_order_result result, const struct policy *policy,
	const struct recorded *recorded, const char *why);

#endif
