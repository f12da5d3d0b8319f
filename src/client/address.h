#ifndef NEEDTOKNOW_CLIENT_ADDRESS_H
#define NEEDTOKNOW_CLIENT_ADDRESS_H

/* Where needtoknow listens, as people write it: `host:port`, `host`, `[::1]:8443`, `[::1]`. */
#define ADDRESS_HOST_MAX 253 /* RFC 1035, a name without its last dot */
#define ADDRESS_DEFAULT_PORT "8443"

struct address {
	char host[ADDRESS_HOST_MAX + 1]; /* without brackets */
	char port[6];
	int numeric; /* an IP address, not a name */
};

/* 0 or -1. */
int address_parse(const char *text, struct address *out);

#endif
