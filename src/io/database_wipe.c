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

/* An input buffer larger than this, once empty, gives way to a small one: the next value of that size is far off. */
#define INPUT_KEPT ((size_t)4 << 20)
#define INPUT_SMALL ((size_t)64 << 10)

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

/* Moves a buffer of libpq's to a larger block and wipes the old one. Without memory, libpq tries and complains itself.
 */
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

/* The bytes that the unread messages will take once the last of them is there as a whole. */
static size_t expected_input(const PGconn *connection)
{
	size_t at = (size_t)connection->inStart;
	size_t end = (size_t)connection->inEnd;
	while (at + 5 <= end) { /* a message's kind, then its length, which counts itself */
		const unsigned char *length = (const unsigned char *)connection->inBuffer + at + 1;
		at += 1 +
			((size_t)length[0] << 24 | (size_t)length[1] << 16 | (size_t)length[2] << 8 |
				(size_t)length[3]);
	}
	return (at > end ? at : end) - (size_t)connection->inStart;
}

void database_wipe_reserve_input(PGconn *connection)
{
	size_t needed = expected_input(connection) + READ_ROOM;
	if (connection->inStart > 0) { /* as pqReadData() does before it counts what is free */
		size_t unread = (size_t)(connection->inEnd - connection->inStart);
		memmove(connection->inBuffer, connection->inBuffer + connection->inStart, unread);
		connection->inCursor -= connection->inStart;
		connection->inEnd = (int)unread;
		connection->inStart = 0;
	}
	if (needed > (size_t)connection->inBufSize)
		grow(&connection->inBuffer, &connection->inBufSize, (size_t)connection->inEnd, needed);
}

void database_wipe_reserve_output(PGconn *connection, size_t length)
{
	size_t needed = (size_t)connection->outCount + length + MESSAGE_ROOM;
	if (needed > (size_t)connection->outBufSize)
		grow(&connection->outBuffer, &connection->outBufSize, (size_t)connection->outCount, needed);
}

/* What was used of a buffer is wiped with it, so one that grew for a single large value would cost every turn. */
static void shrink_input(PGconn *connection)
{
	char *small = malloc(INPUT_SMALL);
	if (!small)
		return;
	mem_wipe(connection->inBuffer, (size_t)connection->inBufSize);
	free(connection->inBuffer);
	connection->inBuffer = small;
	connection->inBufSize = (int)INPUT_SMALL;
	connection->inStart = connection->inCursor = connection->inEnd = 0;
}

void database_wipe_buffers(PGconn *connection)
{
	if (connection->inStart == connection->inEnd && (size_t)connection->inBufSize > INPUT_KEPT)
		shrink_input(connection);
	mem_wipe(connection->inBuffer, (size_t)connection->inStart);
	mem_wipe(connection->inBuffer + connection->inEnd, (size_t)(connection->inBufSize - connection->inEnd));
	mem_wipe(connection->outBuffer + connection->outCount, (size_t)(connection->outBufSize - connection->outCount));
}

static void wipe_text(PQExpBufferData *text)
{
	if (!PQExpBufferDataBroken(*text) && text->data && text->maxlen > 0)
		mem_wipe(text->data, text->maxlen);
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
