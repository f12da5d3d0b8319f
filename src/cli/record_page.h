#ifndef NEEDTOKNOW_CLI_RECORD_PAGE_H
#define NEEDTOKNOW_CLI_RECORD_PAGE_H

#include "cli/phrases.h"

#include <needtoknow/v1/rights.pb-c.h>
#include <stdio.h>

/*
 * What the company has about a client, as the answer that the client is sent (GDPR art. 12(1), 15, 19): their data word
 * for word, each with its origin and its end; who was given them and who was told of corrections, erasures and
 * restrictions; their rights. A page as report_page.h makes one: a file that loads nothing.
 */
void record_page_print(FILE *file, enum language language, const char *subject_id,
	const Needtoknow__V1__GetSubjectRecordResponse *message, const char *vkey);

#endif
