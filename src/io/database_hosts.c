#include "io/database_hosts.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Settings that are set anew for each attempt. */
static bool differs_by_host(const char *keyword)
{
	return strcmp(keyword, "host") == 0 || strcmp(keyword, "hostaddr") == 0 || strcmp(keyword, "port") == 0 ||
		strcmp(keyword, "target_session_attrs") == 0;
}

static const char *option_value(const PQconninfoOption *options, const char *keyword)
{
	for (const PQconninfoOption *option = options; option && option->keyword; option++) {
		if (strcmp(option->keyword, keyword) == 0 && option->val && option->val[0])
			return option->val;
	}
	return NULL;
}

static size_t list_count(const char *list)
{
	size_t count = list ? 1 : 0;
	for (; list && *list; list++)
		count += *list == ',';
	return count;
}

/* The element of a comma-separated list, on the heap; NULL when it is empty or not there. */
static char *list_element(const char *list, size_t index)
{
	if (!list)
		return NULL;
	for (; index > 0; index--) {
		list = strchr(list, ',');
		if (!list)
			return NULL;
		list++;
	}
	size_t length = strcspn(list, ",");
	return length ? mem_strndup(list, length) : NULL;
}

static void add_setting(struct database_hosts *hosts, const char *keyword, const char *value)
{
	size_t count = hosts->setting_count + 1;
	hosts->keywords = mem_realloc(hosts->keywords, (count + 1) * sizeof *hosts->keywords);
	hosts->values = mem_realloc(hosts->values, (count + 1) * sizeof *hosts->values);
	hosts->keywords[count - 1] = mem_strdup(keyword);
	hosts->values[count - 1] = mem_strdup(value);
	hosts->keywords[count] = NULL;
	hosts->values[count] = NULL;
	hosts->setting_count = count;
}

/* As libpq pairs the lists: one port serves all hosts, else the counts must agree. */
static int fill_hosts(struct database_hosts *hosts, const PQconninfoOption *given, const PQconninfoOption *defaults,
	char *error, size_t error_size)
{
	const char *host = option_value(given, "host");
	const char *address = option_value(given, "hostaddr");
	const char *port = option_value(given, "port");
	if (!host && !address && !option_value(given, "service")) {
		host = option_value(defaults, "host");
		address = option_value(defaults, "hostaddr");
	}
	if (!port)
		port = option_value(defaults, "port");
	size_t count = list_count(address ? address : host);
	hosts->count = count ? count : 1;
	if (host && address && list_count(host) != hosts->count) {
		snprintf(error, error_size, "the connection string names %zu hosts, but %zu addresses",
			list_count(host), hosts->count);
		return -1;
	}
	size_t ports = list_count(port);
	if (ports > 1 && ports != hosts->count) {
		snprintf(
			error, error_size, "the connection string names %zu hosts, but %zu ports", hosts->count, ports);
		return -1;
	}
	hosts->hosts = mem_calloc(hosts->count, sizeof *hosts->hosts);
	for (size_t i = 0; i < hosts->count; i++) {
		hosts->hosts[i].host = list_element(host, i);
		hosts->hosts[i].address = list_element(address, i);
		hosts->hosts[i].port = list_element(port, ports > 1 ? i : 0);
	}
	return 0;
}

/* libpq quotes what it stumbles over, which may be a piece of a password; but the name of an unknown setting helps. */
static void explain_parse_error(const char *message, char *error, size_t error_size)
{
	static const char unknown[] = "invalid connection option";
	if (message && strncmp(message, unknown, sizeof unknown - 1) == 0)
		snprintf(error, error_size, "the connection string cannot be read: %.*s", (int)strcspn(message, "\n"),
			message);
	else
		snprintf(error, error_size,
			"the connection string cannot be read: quote values with spaces, encode special characters in "
			"a URI");
}

int database_hosts_init(struct database_hosts *hosts, const char *conninfo, char *error, size_t error_size)
{
	*hosts = (struct database_hosts){ 0 };
	char *message = NULL;
	PQconninfoOption *given = PQconninfoParse(conninfo, &message);
	if (!given) {
		explain_parse_error(message, error, error_size);
		PQfreemem(message);
		return -1;
	}
	PQconninfoOption *defaults = PQconndefaults(); /* the environment: PGHOST and its like */
	int status = fill_hosts(hosts, given, defaults, error, error_size);
	const char *session = option_value(given, "target_session_attrs");
	if (!session)
		session = option_value(defaults, "target_session_attrs");
	hosts->prefer_standby = session && strcmp(session, "prefer-standby") == 0;
	for (const PQconninfoOption *option = given; option->keyword; option++) {
		if (option->val && !differs_by_host(option->keyword))
			add_setting(hosts, option->keyword, option->val);
	}
	if (session && !hosts->prefer_standby)
		add_setting(hosts, "target_session_attrs", session);
	PQconninfoFree(defaults);
	PQconninfoFree(given);
	if (status != 0)
		database_hosts_release(hosts);
	return status;
}

void database_hosts_release(struct database_hosts *hosts)
{
	for (size_t i = 0; i < hosts->setting_count; i++) {
		mem_free(hosts->keywords[i]);
		mem_free(hosts->values[i]);
	}
	mem_free(hosts->keywords);
	mem_free(hosts->values);
	for (size_t i = 0; hosts->hosts && i < hosts->count; i++) {
		mem_free(hosts->hosts[i].host);
		mem_free(hosts->hosts[i].address);
		mem_free(hosts->hosts[i].port);
	}
	mem_free(hosts->hosts);
	*hosts = (struct database_hosts){ 0 };
}

const char *database_hosts_setting(const struct database_hosts *hosts, const char *keyword)
{
	for (size_t i = 0; i < hosts->setting_count; i++) {
		if (strcmp(hosts->keywords[i], keyword) == 0)
			return hosts->values[i];
	}
	return NULL;
}

bool database_host_is_name(const struct database_host *host)
{
	struct in6_addr binary;
	if (host->address || !host->host || host->host[0] == '/' ||
		host->host[0] == '@') /* @: an abstract unix socket */
		return false;
	return inet_pton(AF_INET, host->host, &binary) != 1 && inet_pton(AF_INET6, host->host, &binary) != 1;
}

bool host_cursor_advance(struct host_cursor *cursor, const struct database_hosts *hosts, size_t address_count)
{
	if (++cursor->address < address_count)
		return true;
	cursor->address = 0;
	if (++cursor->host < hosts->count)
		return true;
	cursor->host = 0;
	cursor->any = !cursor->any && hosts->prefer_standby;
	return cursor->any;
}
