#ifndef NEEDTOKNOW_IO_DATABASE_HOSTS_H
#define NEEDTOKNOW_IO_DATABASE_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The servers that a connection string names, one by one. libpq would walk through them itself, but it looks names up
 * while the caller waits, and in its non-blocking mode never gives up on a host that does not answer. So each attempt
 * is for one host and one address, and here is which.
 *
 * A name that comes from a service file (`service=`) alone is not seen here; libpq looks it up itself, and the loop
 * waits.
 */
struct database_host {
	char *host; /* a name, an address or a socket's directory; NULL: libpq's default */
	char *address; /* `hostaddr`, which spares the look-up; NULL */
	char *port; /* NULL: libpq's default */
};

struct database_hosts {
	char **keywords,
		**values; /* the connection string's settings that are the same for every host, NULL-terminated */
	size_t setting_count;
	struct database_host *hosts;
	size_t count;
	bool prefer_standby; /* target_session_attrs=prefer-standby: first round for standbys alone, second for any */
};

/* Where the attempts have come to. */
struct host_cursor {
	size_t host;
	size_t address; /* of those that the host's name stands for */
	bool any; /* the second round of prefer_standby */
};

/* 0, or -1 with a line that quotes nothing of the string but the name of an unknown setting, since it may hold a
 * password. */
int database_hosts_init(struct database_hosts *hosts, const char *conninfo, char *error, size_t error_size);
void database_hosts_release(struct database_hosts *hosts);

/* The value of a setting of the connection string, or NULL. */
const char *database_hosts_setting(const struct database_hosts *hosts, const char *keyword);

/* Must the name of this host be looked up before libpq sees it? */
bool database_host_is_name(const struct database_host *host);

/* To the next address, host or round. False, and back to the beginning, when all were tried. */
bool host_cursor_advance(struct host_cursor *cursor, const struct database_hosts *hosts, size_t address_count);

#endif
