#ifndef NEEDTOKNOW_CLI_ENTRY_QUERY_H
#define NEEDTOKNOW_CLI_ENTRY_QUERY_H

#include "cli/command.h"

#include <needtoknow/v1/audit.pb-c.h>

/* Which entries of the ledger are asked for, from the flags of a command. */
struct entry_query {
	Needtoknow__V1__EntryFilter filter;
	Google__Protobuf__Timestamp from, until;
};

/* The lines of a command's table that entry_query_read() reads. */
#define ENTRY_QUERY_FLAGS                                                                                              \
	{ "subject", "ID", "about this client", false }, { "recipient", "ID", "about this recipient", false },         \
		{ "booking", "ID", "about this booking", false },                                                      \
		{ "disclosure", "ID", "about this disclosure", false },                                                \
		{ "service", "NAME", "about this service", false },                                                    \
		{ "purpose", "TERM", "for this purpose, such as dpv:ServiceProvision", false },                        \
		{ "actor", "ID", "done by this caller: a SPIFFE id, or `system`", false },                             \
		{ "kinds", "A,B", "of these kinds, such as DELIVERED,REFUSED", false },                                \
		{ "from", "TIME", "recorded at this time or later", false },                                           \
	{                                                                                                              \
		"until", "TIME", "recorded before this time", false                                                    \
	}

/* EXIT_OK, or EXIT_USAGE after a line that says what is wrong. The strings are the invocation's; released in any case.
 */
enum exit_code entry_query_read(const struct invocation *invocation, struct entry_query *out);
void entry_query_release(struct entry_query *query);

#endif
