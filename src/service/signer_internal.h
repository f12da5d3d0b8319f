#ifndef NEEDTOKNOW_SERVICE_SIGNER_INTERNAL_H
#define NEEDTOKNOW_SERVICE_SIGNER_INTERNAL_H

#include "service/seen_checkpoint.h"
#include "service/signer.h"
#include "service/tile_writer.h"

/* What signer.c (who signs, when, and whether) and signer_tree.c (what is signed) share. For no other file. */

#define SIGNER_KEYS_TEXT_MAX (NOTE_KEYS_MAX * NOTE_KEY_TEXT_MAX)
#define SIGNER_RETRY_INTERVAL (10 * TIME_SECOND) /* after the entries and the head did not fit */

/*
 * What it is at. One statement or run of statements is on its way at a time; each answer says what comes next.
 *
 *   tick -> NEWS -> (elected, first time) EDGES -> CHECKING -> ROWS -> ... -> ROWS -> PUBLISHING -> idle
 *                \-> idle: not elected, nothing new, or signing has stopped
 */
enum signer_state {
	SIGNER_IDLE,
	SIGNER_NEWS,
	SIGNER_EDGES,
	SIGNER_CHECKING,
	SIGNER_ROWS,
	SIGNER_STORING, /* tiles alone */
	SIGNER_PUBLISHING,
};

struct signer {
	struct service *service;
	const struct service_config *config;
	struct database *database;
	struct loop_timer timer;
	struct seen_checkpoint *seen;
	struct signer_counters counters;
	char verifier_keys[SIGNER_KEYS_TEXT_MAX];

	enum signer_state state;
	bool elected; /* this session has the lock */
	bool continues; /* this session's database goes on from what was seen */
	bool checking, recording; /* a call of ours is under way: for the root, for KEY_ROTATED */
	bool recorded; /* the ledger names our keys */
	bool disk_trouble;
	uint64_t complained_size; /* of a checkpoint in the database that none of our keys has signed */
	int64_t ticked_at; /* loop time */
	int64_t retry_at; /* loop time before which the entries are not looked at again */
	char why[700];

	/* The news: the head, and the last checkpoint in the database. */
	struct merkle_frontier head;
	struct checkpoint published; /* size 0: none */
	struct tile_writer *writer; /* NULL: not resumed yet */
	unsigned checked; /* of what was signed before, the stored tiles go on from so many */
	struct checkpoint signing; /* on its way */
	char *note;

	/* Being finished. */
	int64_t deadline; /* loop time; 0: not asked */
	bool asked_fresh, fresh; /* the news under way, and the last ones, were asked for after that */
	uint64_t last_size; /* entries that the first of them told */
	void (*done)(void *context);
	void *done_context;
};

/* Nothing is signed until this is no longer so. Told once. */
void signer_stop(struct signer *signer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The database said no to a statement, or was lost. */
void signer_refused(struct signer *signer, const struct database_outcome *outcome);
/* The ledger is not the one of which `than` was signed. */
void signer_say_other(struct signer *signer, const struct checkpoint *than);
/* The tree is that of the head: it is signed, unless it was. */
void signer_reached_head(struct signer *signer);

/* Brings the tree to the head that the news told, and checks it on the way. */
void signer_tree_follow(struct signer *signer);
/* It is built anew, from what is stored, when it is next needed. */
void signer_tree_forget(struct signer *signer);

#endif
