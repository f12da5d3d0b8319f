#ifndef NEEDTOKNOW_IO_DATABASE_INTERNAL_H
#define NEEDTOKNOW_IO_DATABASE_INTERNAL_H

#include "io/database.h"
#include "io/database_hosts.h"

#include <event2/dns.h>
#include <event2/util.h>
#include <uthash.h>

/*
 * What the files of the database connection share; for them alone. database.c holds the pipeline: segments go in,
 * results come out. database_connect.c holds the connection's life and is the only one to change its state.
 * database_wipe.c knows libpq's insides.
 */

enum database_state {
	STATE_WAITING, /* no connection; the timer starts the next attempt */
	STATE_RESOLVING, /* a host's name */
	STATE_CONNECTING, /* PQconnectPoll() */
	STATE_SETTING_UP, /* the session's settings are on their way */
	STATE_UP,
	STATE_FAILING, /* broken or no longer wanted; taken down at the turn's end, not within a caller's call */
};

/* A statement as this connection knows it. Lives as long as the database; the flags as long as a connection. */
struct prepared {
	char *name;
	char *text;
	bool ready; /* the server said so */
	struct segment *within; /* the segment that prepares it, not yet answered; NULL */
	int position; /* in that segment */
	struct prepared *sibling; /* prepared later in the same segment */
	UT_hash_handle hh;
};

struct segment {
	struct segment *next;
	void (*done)(void *context, const struct database_outcome *outcome);
	void *context;
	int64_t sent_at;
	int items; /* answers due: of statements and preparations */
	int statements; /* of them, statements */
	int commit; /* which statement is a COMMIT; -1 */
	bool sendable; /* the connection was up when it was opened */
	struct prepared *first_prepared, *last_prepared;
};

/* What has arrived of the oldest segment. */
struct receipt {
	int items;
	bool failed;
	bool warned;
	char sqlstate[6];
	char message[256];
	PGresult **results; /* [capacity]; reused */
	int count, capacity;
};

struct database {
	struct loop *loop;
	struct database_config config;
	struct database_handler handler;
	enum database_state state;
	bool was_up; /* on_up was called for this connection */
	struct loop_timer timer;
	bool timer_set; /* in STATE_UP: the oldest segment's answer is awaited */
	struct loop_hook hook;

	PGconn *connection;
	struct event *readable, *writable;
	struct loop_urgent urgent;
	bool unflushed; /* libpq holds bytes that the socket has not been offered */
	char trouble[512]; /* why the connection fails, or this round of attempts */
	char reported[512]; /* the trouble last reported */

	struct database_hosts hosts;
	struct host_cursor cursor;
	struct evdns_base *resolver;
	struct lookup *lookup; /* under way */
	char (*addresses)[INET6_ADDRSTRLEN]; /* of the cursor's host, once resolved; NULL when it needs no resolving */
	size_t address_count;
	int64_t back_off; /* microseconds */

	struct prepared *prepared; /* by name */
	struct segment *open; /* being filled */
	struct segment *oldest, *newest; /* sent, in order */
	struct segment *spare;
	size_t in_flight;
	uint64_t handed_over; /* callbacks that may have brought work */
	struct receipt receipt;
};

/* database.c */
struct segment *segment_open(struct database *database, bool sendable);
/* Reads what the server sent and hands it over. */
void database_receive(struct database *database);
/* The same between two events; and what it brought about is sent at once. */
void database_hurry(void *context);
/* Ends every segment with LOST and `message`; the connection must be gone. */
void database_lose_segments(struct database *database, const char *message);
void database_count_notice(void *context, const PGresult *notice);

/* database_connect.c */
/* The timer's callback: what it means depends on the state. */
void database_on_timer(void *context);
/* The connection is not to be used any more: the first reason counts. Takes effect at the end of the turn. */
void database_fail(struct database *database, const char *reason);
/* Takes a failing connection down. Segments end as LOST, then on_down. */
void database_take_down(struct database *database);
/* Closes the connection and cancels what was under way, without a word to anybody. */
void database_disconnect(struct database *database);
/* The first segment is under way: the answer is awaited from now on. */
void database_await_answer(struct database *database);

#endif
