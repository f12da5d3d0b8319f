#include "pure/identity.h"

#include <stdbool.h>
#include <string.h>

static const char scheme[] = "spiffe://";

static const char *const role_names[] = {
	[ROLE_NONE] = "none",
	[ROLE_BOOKING] = "booking",
	[ROLE_RECIPIENT] = "recipient",
	[ROLE_AUDITOR] = "auditor",
	[ROLE_RIGHTS] = "rights",
	[ROLE_ADMIN] = "admin",
};

#define ROLE_COUNT (sizeof role_names / sizeof *role_names)

const char *role_name(enum role role)
{
	return (size_t)role < ROLE_COUNT ? role_names[role] : role_names[ROLE_NONE];
}

struct slice {
	const char *text;
	size_t length;
};

static bool slice_is(struct slice slice, const char *text)
{
	return slice.length == strlen(text) && memcmp(slice.text, text, slice.length) == 0;
}

/* SPIFFE-ID section 2.2: letters, digits, `.`, `-` and `_`; neither `.` nor `..`. And no longer than a name may be. */
static bool segment_valid(struct slice segment)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	if (segment.length == 0 || segment.length > IDENTITY_NAME_MAX)
		return false;
	for (size_t i = 0; i < segment.length; i++)
		if (memchr(allowed, segment.text[i], sizeof allowed - 1) == NULL)
			return false;
	return !slice_is(segment, ".") && !slice_is(segment, "..");
}

/* SPIFFE-ID section 2.1: as a segment, in lower case. */
static bool trust_domain_valid(struct slice domain)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_";
	if (domain.length == 0)
		return false;
	for (size_t i = 0; i < domain.length; i++)
		if (memchr(allowed, domain.text[i], sizeof allowed - 1) == NULL)
			return false;
	return true;
}

/* Cuts what stands before the next `/`, and that slash, from *rest. */
static struct slice next_segment(struct slice *rest)
{
	const char *slash = rest->length > 0 ? memchr(rest->text, '/', rest->length) : NULL;
	struct slice segment = { rest->text, slash != NULL ? (size_t)(slash - rest->text) : rest->length };
	size_t cut = segment.length + (slash != NULL);
	rest->text += cut;
	rest->length -= cut;
	return segment;
}

static enum role role_of(struct slice segment)
{
	for (size_t role = ROLE_NONE + 1; role < ROLE_COUNT; role++)
		if (slice_is(segment, role_names[role]))
			return (enum role)role;
	return ROLE_NONE;
}

static void copy_slice(char *out, struct slice slice)
{
	memcpy(out, slice.text, slice.length);
	out[slice.length] = '\0';
}

int identity_parse(const char *uri, size_t length, const char *trust_domain, struct identity *out)
{
	const size_t scheme_length = sizeof scheme - 1;
	if (length <= scheme_length || length > IDENTITY_URI_MAX || memcmp(uri, scheme, scheme_length) != 0)
		return -1;
	if (uri[length - 1] == '/')
		return -1; /* what is cut below has no empty last segment */

	struct slice rest = { uri + scheme_length, length - scheme_length };
	struct slice domain = next_segment(&rest);
	if (!trust_domain_valid(domain) || !slice_is(domain, trust_domain))
		return -1;

	enum role role = role_of(next_segment(&rest));
	struct slice name = next_segment(&rest);
	if (role == ROLE_NONE || !segment_valid(name))
		return -1;

	struct slice device = { "", 0 };
	if (role == ROLE_RECIPIENT) {
		device = rest.length > 0 ? next_segment(&rest) : (struct slice){ "default", strlen("default") };
		if (!segment_valid(device))
			return -1;
	}
	if (rest.length > 0)
		return -1;

	out->role = role;
	copy_slice(out->name, name);
	copy_slice(out->device, device);
	copy_slice(out->uri, (struct slice){ uri, length });
	return 0;
}
