#ifndef TESTS_DATABASE_FIXTURE_H
#define TESTS_DATABASE_FIXTURE_H

#include <stddef.h>
#include <sys/types.h>

/*
 * A private PostgreSQL server, in a directory of its own, on a unix socket (trusted) and on 127.0.0.1 (TLS possible,
 * SCRAM passwords). It dies with the test. Every function ends the process with a line when it cannot do its work.
 */
struct database_fixture {
	char directory[64];
	int port;
	pid_t server;
};

void database_fixture_start(struct database_fixture *fixture);
/* Stops the server and removes its directory. */
void database_fixture_stop(struct database_fixture *fixture);

/* For tests of a server that goes away. */
void database_fixture_server_stop(struct database_fixture *fixture);
void database_fixture_server_start(struct database_fixture *fixture);

/* A connection string for the unix socket, as superuser; `more` is appended. Valid until the next call. */
const char *database_fixture_conninfo(const struct database_fixture *fixture, const char *more);

/* Runs SQL as superuser, on a connection of its own. The first value of the last result, "" without one; valid until
 * the next call. */
const char *database_fixture_query(const struct database_fixture *fixture, const char *sql);

/* A TCP port of 127.0.0.1 on which nothing listens. */
int database_fixture_free_port(void);

#endif
