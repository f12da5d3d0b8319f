#include "client/address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* 1 to 65535, digits alone. */
static int port_valid(const char *text)
{
	size_t length = strlen(text);

	if (length == 0 || length > 5 || strspn(text, "0123456789") != length)
		return 0;
	long port = strtol(text, NULL, 10);
	return port >= 1 && port <= 65535;
}

static int host_valid(const char *host)
{
	size_t length = strlen(host);

	return length > 0 &&
		strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == length;
}

int address_parse(const char *text, struct address *out)
{
	struct address address = { 0 };
	struct in_addr ipv4;
	struct in6_addr ipv6;
	const char *host = text, *rest;
	size_t length;

	if (text[0] == '[') {
		host = text + 1;
		length = strcspn(host, "]");
		rest = host + length;
		if (*rest != ']')
			return -1;
		rest++;
	} else {
		length = strcspn(host, ":");
		rest = host + length;
	}
	if (length > ADDRESS_HOST_MAX || (*rest != '\0' && *rest != ':'))
		return -1;
	memcpy(address.host, host, length);
	const char *port = *rest == ':' ? rest + 1 : ADDRESS_DEFAULT_PORT;
	if (!port_valid(port))
		return -1;
	memcpy(address.port, port, strlen(port) + 1);

	if (text[0] == '[') {
		address.numeric = 1;
		if (inet_pton(AF_INET6, address.host, &ipv6) != 1)
			return -1;
	} else {
		address.numeric = inet_pton(AF_INET, address.host, &ipv4) == 1;
		if (!host_valid(address.host))
			return -1;
	}
	*out = address;
	return 0;
}
