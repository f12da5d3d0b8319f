#include "cli/audit_failure.h"

#include "cli/failure.h"
#include "cli/output.h"

#include <string.h>

static const struct {
	const char *reason, *hint;
} known[] = {
	{ "UNKNOWN_SUBJECT",
		"nothing was ever shared of this client's, or they were forgotten; is this their client number?" },
	{ "UNKNOWN_RECIPIENT", "`needtoknow recipient list` (role admin) lists those that are registered" },
	{ "BAD_PAGE_TOKEN", "begin again: the first page is another token's" },
};

enum exit_code audit_failure(const struct invocation *invocation, const struct needtoknow_status *status)
{
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (strcmp(status->reason, known[i].reason) == 0)
			return failure_report_as(invocation, status, EXIT_FAILED, known[i].hint);
	}
	return failure_report(invocation, status);
}
