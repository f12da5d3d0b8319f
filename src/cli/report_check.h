#ifndef NEEDTOKNOW_CLI_REPORT_CHECK_H
#define NEEDTOKNOW_CLI_REPORT_CHECK_H

#include "cli/html.h"

#include <needtoknow/v1/audit.pb-c.h>

/* The last section of a report's page: each line of the ledger that it rests on, and how to verify it offline. */
void report_check_print(
	const struct page *page, const Needtoknow__V1__GetSubjectReportResponse *message, const char *vkey);

#endif
