#include "database_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void give_up(const char *what, const char *why)
{
	fprintf(stderr, "database_fixture: %s: %s\n", what, why);
	exit(1);
}

/* The directory of PostgreSQL's server programs, which are not in the PATH. */
static const char *program_directory(void)
{
	static char directory[256];
	const char *chosen = getenv("NEEDTOKNOW_POSTGRESQL_BIN");
	if (chosen)
		return chosen;
	glob_t found;
	if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) != 0)
		give_up("PostgreSQL's server", "not found; set NEEDTOKNOW_POSTGRESQL_BIN");
	snprintf(directory, sizeof directory, "%s", found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	return directory;
}

/* The server refuses to run as root. */
static void become_server_user(void)
{
	const struct passwd *user = getpwnam("postgres");
	if (geteuid() != 0)
		return;
	if (!user || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)
		_exit(126);
}

/* Runs a program of PostgreSQL's (or any, by its path) in the fixture's directory; its output goes to the file `log`
 * there. */
static pid_t spawn(const struct database_fixture *fixture, const char *const *arguments)
{
	char path[512];
	snprintf(path, sizeof path, "%s/%s", arguments[0][0] == '/' ? "" : program_directory(), arguments[0]);
	pid_t child = fork();
	if (child < 0)
		give_up("fork", strerror(errno));
	if (child > 0)
		return child;
	become_server_user();
	prctl(PR_SET_PDEATHSIG, SIGQUIT); /* after the change of user, which resets it */
	int log = chdir(fixture->directory) == 0 ? open("log", O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
	if (log < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
		_exit(126);
	setenv("PATH", program_directory(), 1); /* initdb looks for itself there */
	execv(path, (char *const *)(uintptr_t)arguments);
	_exit(127);
}

static void run(const struct database_fixture *fixture, const char *const *arguments)
{
	int status;
	if (waitpid(spawn(fixture, arguments), &status, 0) < 0 || status != 0)
		give_up(arguments[0], "failed");
}

int database_fixture_free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	int probe = socket(AF_INET, SOCK_STREAM, 0);
	if (probe < 0 || bind(probe, (struct sockaddr *)&address, length) != 0 ||
		getsockname(probe, (struct sockaddr *)&address, &length) != 0)
		give_up("a free port", strerror(errno));
	close(probe);
	return ntohs(address.sin_port);
}

void database_fixture_server_start(struct database_fixture *fixture)
{
	char port[16];
	snprintf(port, sizeof port, "%d", fixture->port);
	const char *const arguments[] = { "postgres", "-D", "data", "-k", fixture->directory, "-p", port, "-c",
		"listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "shared_buffers=16MB", "-c",
		"max_connections=20", "-c", "ssl=on", "-c", "ssl_cert_file=server.crt", "-c", "ssl_key_file=server.key",
		NULL };
	fixture->server = spawn(fixture, arguments);
	const char *conninfo = database_fixture_conninfo(fixture, "");
	const struct timespec pause = { .tv_nsec = 10000000 };
	for (int tries = 0; PQping(conninfo) != PQPING_OK; tries++) {
		if (tries > 3000 || waitpid(fixture->server, NULL, WNOHANG) != 0)
			give_up("postgres", "does not start");
		nanosleep(&pause, NULL);
	}
}

void database_fixture_server_stop(struct database_fixture *fixture)
{
	kill(fixture->server, SIGINT); /* fast: sessions are ended */
	waitpid(fixture->server, NULL, 0);
	fixture->server = 0;
}

/* A test that ends early, by give_up() for one. */
static struct database_fixture *running;

static void stop_running(void)
{
	if (running)
		database_fixture_stop(running);
}

void database_fixture_start(struct database_fixture *fixture)
{
	static const char *const initdb[] = { "initdb", "-D", "data", "-U", "postgres", "-E", "UTF8", "--no-locale",
		"--no-sync", "--auth-local=trust", "--auth-host=scram-sha-256", NULL };
	static const char *const certificate[] = { "/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
		"ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout",
		"data/server.key", "-out", "data/server.crt", NULL };
	snprintf(fixture->directory, sizeof fixture->directory, "/tmp/needtoknow-test-XXXXXX");
	const struct passwd *user = getpwnam("postgres");
	if (!mkdtemp(fixture->directory))
		give_up(fixture->directory, strerror(errno));
	if (geteuid() == 0 && (!user || chown(fixture->directory, user->pw_uid, user->pw_gid) != 0))
		give_up("the user postgres", "is needed, since the server refuses to run as root");
	fixture->port = database_fixture_free_port();
	fixture->server = 0;
	running = fixture;
	atexit(stop_running);
	run(fixture, initdb);
	run(fixture, certificate);
	database_fixture_server_start(fixture);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	return remove(path);
}

void database_fixture_stop(struct database_fixture *fixture)
{
	running = NULL;
	if (fixture->server > 0) {
		kill(fixture->server, SIGQUIT);
		waitpid(fixture->server, NULL, 0);
	}
	nftw(fixture->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *database_fixture_conninfo(const struct database_fixture *fixture, const char *more)
{
	static char conninfo[512];
	snprintf(conninfo, sizeof conninfo, "host=%s port=%d user=postgres dbname=postgres %s", fixture->directory,
		fixture->port, more);
	return conninfo;
}

const char *database_fixture_query(const struct database_fixture *fixture, const char *sql)
{
	static char value[4096];
	PGconn *connection =
		PQconnectdb(database_fixture_conninfo(fixture, "options='-c client_min_messages=warning'"));
	PGresult *result = PQexec(connection, sql);
	ExecStatusType status = PQresultStatus(result);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		give_up(sql, PQerrorMessage(connection));
	snprintf(value, sizeof value, "%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
	PQclear(result);
	PQfinish(connection);
	return value;
}
