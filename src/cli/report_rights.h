#ifndef NEEDTOKNOW_CLI_REPORT_RIGHTS_H
#define NEEDTOKNOW_CLI_REPORT_RIGHTS_H

#include "cli/html.h"

#include <needtoknow/v1/audit.pb-c.h>

/* The sections of a report's page that speak of the law: what is kept and why, what the client asked for, and may ask
 * for, of whom. */
void report_rights_print(const struct page *page, const Needtoknow__V1__GetSubjectReportResponse *message);
/* What may be asked alone. */
void report_rights_list(const struct page *page, const char *controller, const char *officer);

#endif
