#ifndef NEEDTOKNOW_IO_DATABASE_H
#define NEEDTOKNOW_IO_DATABASE_H

#include "base/buffer.h"
#include "io/loop.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One non-blocking connection to PostgreSQL in pipeline mode, which reconnects by itself with jittered back-off (0.1 s
 * to 2 s). Work is a queue of segments: a run of prepared statements ended by one Sync. What is queued in one turn of
 * the loop leaves as one write (LOOP_PHASE_DATABASE). Parameters and results are binary.
 */
struct database;

/* One prepared statement. Static ones come from the files in src/sql (sql.h); sources' are made from the policy. */
struct statement {
	/* Stands for its text for good: another text needs another name. Prepared when a connection first uses it. */
	const char *name;
	const char *text;
	int parameters;
};

struct database_config {
	const char *name; /* in log lines, and application_name: `state`, `source`, ... */
	const char *conninfo; /* a libpq URI or keyword string; may name several hosts */
	uint32_t connect_timeout_ms; /* [5000; 2000 where there are several hosts] the string's connect_timeout counts
					more */
	uint32_t lock_timeout_ms; /* [0: the server's] set on the session */
	uint32_t statement_timeout_ms; /* [0: the server's] set on the session */
	/* Not answered in this time after it was sent: the connection is closed and its segments are LOST. [30000] */
	uint32_t answer_timeout_ms;
	/* Lookups by key alone: plans are generic and never scan (plan_cache_mode, enable_seqscan and so on). */
	bool keyed_plans;
	/* Its answers hold up everybody: they are looked for between the loop's other events (loop_urge()). One a loop.
	 */
	bool urgent;
	/* Results hold personal data: PGresults and libpq's own buffers are overwritten once handed over (P3). */
	bool wipe;
	const char *listen; /* a channel to LISTEN on, or NULL */
};

struct database_handler {
	void (*on_up)(void *context); /* connected and set up; segments may be sent */
	void (*on_down)(void *context); /* after every segment's done() was called with LOST */
	/* And once, with NULL, whenever LISTEN was set up again. */
	void (*on_notify)(void *context, const char *payload);
	void *context;
	/*
	 * One line for the operator: why a connection was lost, or why none is to be had (once for each reason, not for
	 * each attempt). May be NULL. Holds no value and no password.
	 */
	void (*on_trouble)(void *context, const char *reason);
};

enum database_result {
	DATABASE_OK,
	DATABASE_FAILED, /* the server said no: see sqlstate. The rest of the segment was not executed */
	DATABASE_LOST, /* the connection went away: whether it was executed is unknown */
	DATABASE_DOWN, /* it was never sent */
};

struct database_outcome {
	enum database_result result;
	char sqlstate[6]; /* of the error; "" without one */
	/*
	 * The server's primary message, or why the connection was lost; for the log, never shown to a caller. ""
	 * without one. Where values are to be wiped, the message of an error that may quote one is withheld.
	 */
	const char *message;
	int failed; /* which statement failed, from 0 (their number: the implicit commit behind them did); -1 */
	bool warned; /* a WARNING came with it: a COMMIT may then not be what it says */
	int count; /* results, one a statement that succeeded: all of them, those before `failed`, or none when LOST */
	PGresult **results; /* freed, and wiped where asked for, when done() returns */
};

/* SQLSTATE classes 22, 23 and P0: what is wrong is somebody's data, not the database. */
bool database_is_about_data(const char *sqlstate);

/*
 * Copies the config. Connects from the loop's first turn on, to one host and address of the connection string after
 * another; names are looked up by the loop (/etc/hosts and DNS, not what else nsswitch.conf knows), not by libpq, which
 * would block. The session speaks UTC, ISO dates and UTF-8 and dies after 5 s idle in a transaction; keepalives and
 * tcp_user_timeout are set unless the connection string sets them.
 */
struct database *database_new(
	struct loop *loop, const struct database_config *config, const struct database_handler *handler);
/* Waiting segments end as LOST; on_down is not called. Not from a callback of the same database. NULL is allowed. */
void database_free(struct database *database);
bool database_up(const struct database *database);
/* Ends the connection (LOST) at the end of the turn and connects anew. For a caller that distrusts its state. */
void database_reset(struct database *database);
/* Segments sent or queued and not yet answered. */
size_t database_in_flight(const struct database *database);

#define DATABASE_MAX_PARAMETERS 64 /* of a statement */

/* A binary parameter; its bytes are copied by database_add(). */
struct parameter {
	const void *value; /* NULL is SQL's NULL */
	size_t length;
};

/*
 * A segment is opened, filled and sent within one turn; the next segment_open() comes after the send. The pipeline is
 * one implicit transaction a segment unless BEGIN is one of its statements. `done` is called exactly once, possibly
 * from within database_send() (DOWN). An error inside an open transaction block leaves it open and failed: send a
 * ROLLBACK.
 */
void database_open(struct database *database);
void database_add(struct database *database, const struct statement *statement, const struct parameter *parameters);
/*
 * A statement without parameters that is not prepared: BEGIN, COMMIT, ROLLBACK, SET. A COMMIT to which the server
 * answers that it rolled back, since the transaction had failed before, makes the segment FAILED (25P02).
 */
void database_add_text(struct database *database, const char *text);
void database_send(
	struct database *database, void (*done)(void *context, const struct database_outcome *outcome), void *context);

/*
 * Do libpq and the headers that this was built with agree? The wiping of libpq's buffers depends on it. 0, or -1 with a
 * line for the operator.
 */
int database_check_library(char *error, size_t error_size);

#endif
