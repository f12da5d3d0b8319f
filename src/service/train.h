#ifndef NEEDTOKNOW_SERVICE_TRAIN_H
#define NEEDTOKNOW_SERVICE_TRAIN_H

#include "service/call.h"
#include "service/departure.h"

/*
 * One database transaction that carries many calls' writes. While one is being committed the next gathers at the
 * platform; it takes the ledger's head, reads the time, decides for each call aboard, writes all with array parameters,
 * moves the head once and commits. Trains are serial, across all workers: the order of the ledger is the order in which
 * everything happened.
 */
struct train;

struct train_config {
	const char *conninfo;
	uint32_t max_calls; /* [256] aboard */
};

enum train_health {
	TRAIN_DOWN, /* no database */
	TRAIN_FAILING, /* the last train could not be written */
	TRAIN_UNKNOWN, /* the last COMMIT was not answered for certain */
	TRAIN_CLOCK, /* the database's clock stepped */
	TRAIN_RUNNING,
};

struct train *train_new(struct service *service, const struct train_config *config, struct key_table *keys);
/* Ends the connection: calls aboard and waiting fail. NULL is allowed, as to train_free(). */
void train_close(struct train *train);
void train_free(struct train *train);
enum train_health train_health(const struct train *train);
/* Calls are being committed, or were a moment ago: whoever has all the time in the world should let them have theirs.
 */
bool train_is_busy(const struct train *train);

/* Each train tells the other workers, signed with this name, which must outlive the train; NULL: nobody listens. */
void train_notify(struct train *train, const char *name);

/* What is told: by whom, and what more than entries there is. 0, or -1 and *out is empty: not of a train. */
struct train_news {
	char sender[24];
	bool policy; /* another one was put in force */
	bool recipients; /* one was changed, suspended or resumed, or lost a device */
	bool lifted; /* a restriction was: what was held may go on */
};
int train_news_read(const char *payload, struct train_news *out);

/* Microseconds for which the oldest of a class has been waiting while full trains come and go: whoever comes now will
 * wait about as long. 0 when nobody waits, when the next train takes all, and when none arrives, which has other names
 * than overload. */
int64_t train_waited(const struct train *train, enum train_class train_class);

/* A step's way of committing: STEP_WAIT until the call is committed, then STEP_NEXT. Failed: the call is answered. */
enum step_result train_board(struct call *call);

/* The call begins to read: what is written from now on by others makes it read again. */
void train_reading(struct call *call);
/* It goes on from what `reader` has read, and is as old as that. */
void train_reading_with(struct call *call, const struct call *reader);
/* The call ends: it no longer waits for the train. */
void train_leave(struct call *call);

/* Lets go of all whose train has arrived. For whoever pushes what others have committed, which must not overtake. */
void train_disembark(struct train *train);
/* The same at the end of a turn, unless the next train's lock is just being waited for; nonzero when there were any. */
int train_disembark_unhurried(struct train *train);
/* Has the train leave if anybody waits. At the end of a turn; nonzero when it did something. */
int train_depart(struct train *train);

struct train_counters {
	uint64_t trains, calls, entries, failures, bisections, again, unknown;
	uint64_t shed; /* requests that did not come in, since those before them waited too long */
};
void train_count_shed(struct train *train);
const struct train_counters *train_counters(const struct train *train);

#endif
