#ifndef NEEDTOKNOW_IO_DATABASE_WIPE_H
#define NEEDTOKNOW_IO_DATABASE_WIPE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Overwrites the copies of values that libpq makes and forgets: in its results, and in its buffers, whose bytes stay
 * behind when they are consumed and whose old block stays behind when they grow. libpq has no interface for that, so
 * database_wipe.c, and nothing else, reads its internal structures; database_check_library() and database_wipe_fits()
 * make sure that they are those of the library that runs.
 */

/* Are the structures of this connection, which is up, where the headers say? */
bool database_wipe_fits(const PGconn *connection);

/* All that the result holds: values, and the text of an error, which may quote one. Only PQclear() may follow. */
void database_wipe_result(PGresult *result);

/*
 * Does an error of this SQLSTATE's class speak of structure and circumstances alone? Others (invalid input, violated
 * constraints, exceptions that functions raise) may quote a value in their texts, which are covered with asterisks.
 */
bool database_wipe_quotes_no_value(const char *sqlstate);

/*
 * To be called before libpq reads from its buffer or into it: gives the buffer room for the longest message that has
 * begun to arrive and for what pqReadData() asks for besides, so that libpq never moves it itself. Covers errors that
 * may quote a value.
 */
void database_wipe_reserve_input(PGconn *connection);
/* The same behind a statement's PQsend*(), which reads when it cannot send. */
void database_wipe_sent(PGconn *connection);
/* Room for output: before a statement with this many bytes of parameters. */
void database_wipe_reserve_output(PGconn *connection, size_t length);

/* What has been consumed of the input and sent of the output. */
void database_wipe_buffers(PGconn *connection);

/* Everything, unread bytes and the half-built result too: only PQfinish() may follow. */
void database_wipe_connection(PGconn *connection);

#endif
