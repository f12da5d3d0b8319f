#ifndef NEEDTOKNOW_CLI_RECORD_TEXT_H
#define NEEDTOKNOW_CLI_RECORD_TEXT_H

#include <needtoknow/v1/rights.pb-c.h>
#include <stdio.h>

/* What the company has about a client: for the desk to read, and as a table of the columns. */
void record_text_print(FILE *file, const char *subject_id, const Needtoknow__V1__GetSubjectRecordResponse *message);
void record_csv_print(FILE *file, const Needtoknow__V1__GetSubjectRecordResponse *message);

#endif
