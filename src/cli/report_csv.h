#ifndef NEEDTOKNOW_CLI_REPORT_CSV_H
#define NEEDTOKNOW_CLI_REPORT_CSV_H

#include <needtoknow/v1/audit.pb-c.h>
#include <stdio.h>

/*
 * A subject report as comma-separated values, a line for each thing that happened; `record` says which: DISCLOSURE,
 * RELEASE (what was to be sent), DELIVERY, DELETION or RIGHT. Each line repeats what it belongs to, so that it can be
 * filtered and sorted.
 */
void report_csv_print(FILE *file, const Needtoknow__V1__GetSubjectReportResponse *message);

#endif
