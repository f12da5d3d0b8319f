#ifndef NEEDTOKNOW_PURE_IDENTITY_H
#define NEEDTOKNOW_PURE_IDENTITY_H

#include <stddef.h>

/*
 * Who a caller is: the one URI subject alternative name of its certificate, spiffe://<trust-domain>/<role>/<name>, and
 * for a recipient spiffe://<trust-domain>/recipient/<recipient_id>[/<device>] (SPIFFE-ID standard, section 2; the
 * device left out means `default`).
 */
enum role {
	ROLE_NONE,
	ROLE_BOOKING,
	ROLE_RECIPIENT,
	ROLE_AUDITOR,
	ROLE_RIGHTS,
	ROLE_ADMIN,
};

#define IDENTITY_NAME_MAX 128 /* bytes of a name, a recipient's id or a device */
#define IDENTITY_URI_MAX 512

struct identity {
	enum role role;
	char name[IDENTITY_NAME_MAX + 1]; /* a recipient's id; else who it is within the role */
	char device[IDENTITY_NAME_MAX + 1]; /* recipients only */
	char uri[IDENTITY_URI_MAX + 1];
};

/*
 * 0, or -1 when `uri` is not exactly of that form, its trust domain is not `trust_domain`, or the role is unknown.
 * Anything doubtful (an empty segment, a percent escape, a query, a port, an upper-case trust domain, a NUL) is
 * refused.
 */
int identity_parse(const char *uri, size_t length, const char *trust_domain, struct identity *out);

/* `booking`, `recipient`, ...; `none`. */
const char *role_name(enum role role);

#endif
