#ifndef NEEDTOKNOW_CLI_REPORT_TEXT_H
#define NEEDTOKNOW_CLI_REPORT_TEXT_H

#include <needtoknow/v1/audit.pb-c.h>
#include <stdio.h>

/* A subject report for auditors, in the contract's words: everything that is in it, to be read. */
void report_text_print(FILE *file, const Needtoknow__V1__GetSubjectReportResponse *message);

#endif
