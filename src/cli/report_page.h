#ifndef NEEDTOKNOW_CLI_REPORT_PAGE_H
#define NEEDTOKNOW_CLI_REPORT_PAGE_H

#include "cli/html.h"

#include <needtoknow/v1/audit.pb-c.h>
#include <stdio.h>

/*
 * A subject report as a page that can be printed and sent to the client (GDPR art. 12(1): concise, intelligible, in
 * plain language). One HTML file that loads nothing: no script, no link, no picture. Staff appear by their role; no
 * other person's identifier, and no word of ours, is in it.
 *
 * `vkey`: the verifier key of the ledger's checkpoints; NULL: the page says that it is to be asked for.
 */
void report_page_print(
	FILE *file, enum language language, const Needtoknow__V1__GetSubjectReportResponse *message, const char *vkey);
/* The same without what is around it, for a page that has more to say: sections that begin with a second heading. */
void report_page_sections(struct page *page, const Needtoknow__V1__GetSubjectReportResponse *message, const char *vkey);

#endif
