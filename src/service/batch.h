#ifndef NEEDTOKNOW_SERVICE_BATCH_H
#define NEEDTOKNOW_SERVICE_BATCH_H

#include "service/call.h"
#include "service/column.h"

/*
 * Reads. All calls that ask for the same thing in one turn of the loop are answered by one statement with array
 * parameters; a call that has asked returns STEP_WAIT and is run again when its rows are in.
 */
enum read_from {
	READ_STATE, /* our own tables */
	READ_AUDIT, /* our own tables, for auditors: a replica where there is one */
	READ_LISTING, /* our own tables, for what may take long: a connection of its own, so that it delays no decision
		       */
	READ_SOURCE, /* one of the company's views */
};

struct read_kind {
	const struct statement *statement; /* its first result column is the row's ord (int8, from 1) */
	enum read_from from;
	struct database
		*source; /* with READ_SOURCE: that view's own connection, so that a slow view delays nobody else's */
	enum pg_type types[COLUMNS_MAX]; /* of the parameters, up to the first 0 */
	/* One row of the answer for this call; not called when there is none. Columns count from 1 on. `target` is what
	 * was asked with. */
	void (*row)(struct call *call, void *target, const PGresult *result, int row);
};

struct batches;

struct batches *batches_new(struct service *service);
/* The service ends: what still waits to be asked fails. */
void batches_close(struct batches *batches);
void batches_free(struct batches *batches);

/*
 * Asks. `cells` are copied. call->reads counts it until it is answered; on failure call_fail() says
 * DATABASE_UNAVAILABLE or SOURCE_UNAVAILABLE. `kind` must live as long as the batches (a policy's kinds stay with the
 * rulebook).
 */
void batch_read(struct call *call, const struct read_kind *kind, void *target, const struct cell *cells);

/* Sends what was asked since the last time; nonzero when anything was sent. At the end of a turn. */
int batches_flush(struct batches *batches);
/* Values of a result row. A NULL text is NULL; numbers and times must not be NULL. */
const char *row_text(const PGresult *result, int row, int column, struct call *call); /* copied into the call's arena */
int64_t row_int(const PGresult *result, int row, int column);
int64_t row_time(const PGresult *result, int row, int column); /* TIME_NONE when NULL */
bool row_bool(const PGresult *result, int row, int column); /* false when NULL */
bool row_is_null(const PGresult *result, int row, int column);
/* Copies exactly `size` bytes. 0, or -1 when NULL or of another length. */
int row_bytes(const PGresult *result, int row, int column, void *out, size_t size);

#endif
