#include "io/database_wipe.h"

#include "base/memory.h"

#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* libpq-int.h wants this one first, which replaces printf() and its like (none here), and libkrb5-dev installed. */
#include <postgresql/internal/c.h>

#include <postgresql/internal/libpq-int.h>

/* What pqReadData() wants to find free before it reads, and a little for headers. */
#define READ_ROOM ((size_t)16384)
/* Names, formats and lengths of a statement's messages beside the parameters' bytes. */
#define MESSAGE_ROOM ((size_t)8192)

/* When more than this waits, libpq has tried to send it; and where it could not, it has read. */
#define SEND_AT 8192
/* Then it reads anew for each of a statement's messages, so this much must be free; it is more than sockets hold. */
#define BLOCKED_ROOM ((size_t)1 << 20)
/* The size to which an empty buffer may stay, and that which it then gets. */
#define EMPTY_KEPT ((size_t)1 << 20)
#define EMPTY_SMALL ((size_t)64 << 10)

_Static_assert(PG_VERSION_NUM >= 150000, "pipeline mode as it is used here came with libpq 15");

bool database_wipe_fits(const PGconn *connection)
{
	/* Fields from all over the structure, the last of them behind all that depends on how libpq was configured. */
	return connection->sock == PQsocket(connection) && connection->be_pid == PQbackendPID(connection) &&
		connection->errorMessage.data == PQerrorMessage(connection);
}

void database_wipe_result(PGresult *result)
{
	if (!result)
		return;
	/* Values, column names and error texts lie in these blocks, which PQclear() frees without looking at them. */
	for (PGresult_data *block = result->curBlock; block; block = block->next)
		mem_wipe(block->space + sizeof block->next, malloc_usable_size(block) - sizeof block->next);
	mem_wipe(result->cmdStatus, sizeof result->cmdStatus);
}

/* Moves a buffer of libpq's to a larger block and wipes the old one. Without memory, libpq tries itself. */
static void grow(char **buffer, int *size, size_t used, size_t needed)
{
	size_t larger = (size_t)*size;
	while (larger < needed)
		larger *= 2;
	if (larger > INT_MAX)
		return;
	char *moved = malloc(larger); /* libpq will free() it */
	if (!moved)
		return;
	memcpy(moved, *buffer, used);
	mem_wipe(*buffer, (size_t)*size);
	free(*buffer);
	*buffer = moved;
	*size = (int)larger;
}

static size_t message_length(const char *message)
{
	const unsigned char *bytes = (const unsigned char *)message;
	return (size_t)bytes[1] << 24 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 8 | (size_t)bytes[4];
}

bool database_wipe_quotes_no_value(const char *sqlstate)
{
	static const char *const classes[] = { "00", "01", "08", "25", "26", "28", "3D", "40", "42", "53", "54", "55",
		"57", "58" };
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
		if (strncmp(sqlstate, classes[i], 2) == 0)
			return true;
	}
	return false;
}

/*
 * The fields of an error, up to the empty one: a code, then a string. libpq would copy them into buffers that it frees
 * as they are, so what may quote a value is covered before libpq sees it: all fields but severity, SQLSTATE and
 * position in PostgreSQL's source.
 */
static void cover_error(char *fields, size_t length)
{
	static const char harmless[] = "SVCFLR";
	const char *sqlstate = NULL;
	for (int pass = 0; pass < 2; pass++) {
		for (size_t at = 0; at < length && fields[at];
			at += 1 + strnlen(fields + at + 1, length - at - 1) + 1) {
			char *text = fields + at + 1;
			if (pass == 0 && fields[at] == 'C')
				sqlstate = text;
			if (pass == 1 && !strchr(harmless, fields[at]))
				memset(text, '*', strnlen(text, length - at - 1));
		}
		if (sqlstate && database_wipe_quotes_no_value(sqlstate))
			return;
	}
}

/* The bytes that the unread messages will take once the last of them is there as a whole. Looks at each of them for
 * errors. */
static size_t expected_input(const PGconn *connection)
{
	size_t at = (size_t)connection->inStart;
	size_t end = (size_t)connection->inEnd;
	while (at + 5 <= end) { /* a message's kind, then its length, which counts itself */
		char *message = connection->inBuffer + at;
		size_t length = message_length(message);
		if ((*message == 'E' || *message == 'N') && length >= 4 && length < end - at)
			cover_error(message + 5, length - 4);
		at += 1 + length;
	}
	return (at > end ? at : end) - (size_t)connection->inStart;
}

static void reserve_input(PGconn *connection, size_t room)
{
	size_t needed = expected_input(connection) + room;
	if (connection->inStart > 0) { /* as pqReadData() does before it counts what is free */
		size_t unread = (size_t)(connection->inEnd - connection->inStart);
		memmove(connection->inBuffer, connection->inBuffer + connection->inStart, unread);
		mem_wipe(connection->inBuffer + unread, (size_t)connection->inStart);
		connection->inCursor -= connection->inStart;
		connection->inEnd = (int)unread;
		connection->inStart = 0;
	}
	if (needed > (size_t)connection->inBufSize)
		grow(&connection->inBuffer, &connection->inBufSize, (size_t)connection->inEnd, needed);
}

void database_wipe_reserve_input(PGconn *connection)
{
	reserve_input(connection, READ_ROOM);
}

void database_wipe_reserve_output(PGconn *connection, size_t length)
{
	size_t needed = (size_t)connection->outCount + length + MESSAGE_ROOM;
	if (connection->outCount >= SEND_AT)
		reserve_input(connection, BLOCKED_ROOM);
	if (needed > (size_t)connection->outBufSize)
		grow(&connection->outBuffer, &connection->outBufSize, (size_t)connection->outCount, needed);
}

void database_wipe_sent(PGconn *connection)
{
	if (connection->outCount >= SEND_AT)
		database_wipe_reserve_input(connection);
}

/* An empty buffer that grew for one large value gives way to a small one, since it is wiped as a whole. */
static void wipe_empty(char **buffer, int *size)
{
	mem_wipe(*buffer, (size_t)*size);
	char *small = (size_t)*size > EMPTY_KEPT ? malloc(EMPTY_SMALL) : NULL;
	if (!small)
		return;
	free(*buffer);
	*buffer = small;
	*size = (int)EMPTY_SMALL;
}

static void wipe_text(PQExpBufferData *text)
{
	if (!PQExpBufferDataBroken(*text) && text->maxlen > 0)
		mem_wipe(text->data, text->maxlen);
	text->len = 0;
}

void database_wipe_buffers(PGconn *connection)
{
	if (connection->inStart == connection->inEnd) {
		wipe_empty(&connection->inBuffer, &connection->inBufSize);
		connection->inStart = connection->inCursor = connection->inEnd = 0;
	} else {
		mem_wipe(connection->inBuffer, (size_t)connection->inStart);
	}
	if (connection->outCount == 0)
		wipe_empty(&connection->outBuffer, &connection->outBufSize);
	if (connection->status == CONNECTION_OK && !connection->result && !connection->error_result) {
		wipe_text(&connection->errorMessage); /* of errors that were handed over */
		connection->errorReported = 0;
		wipe_text(&connection->workBuffer);
	}
}

void database_wipe_connection(PGconn *connection)
{
	database_wipe_result(connection->result);
	database_wipe_result(connection->next_result);
	mem_wipe(connection->inBuffer, (size_t)connection->inBufSize);
	mem_wipe(connection->outBuffer, (size_t)connection->outBufSize);
	connection->inStart = connection->inCursor = connection->inEnd = 0;
	connection->outCount = 0; /* what was not sent by now is not wanted any more */
	wipe_text(&connection->errorMessage);
	wipe_text(&connection->workBuffer);
}
