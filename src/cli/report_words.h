#ifndef NEEDTOKNOW_CLI_REPORT_WORDS_H
#define NEEDTOKNOW_CLI_REPORT_WORDS_H

#include "cli/html.h"
#include "cli/report.h"

#include <stdbool.h>

/* Words of a report's page that more than one of its sections has. */

/* `door code`; `phone number (booking)` where the page's report has another source's phone number too. */
void words_field(const struct page *page, const char *field);
/* `first name, home address` */
void words_fields(const struct page *page, const Needtoknow__V1__ReportedRelease *release);
/* The provider's name; of staff, who are no recipients (art. 15), that they are ours. */
void words_who(const struct page *page, const Needtoknow__V1__ReportedRecipient *recipient);
/* The same with what it was for. */
void words_who_and_service(const struct page *page, const Needtoknow__V1__ReportedRecipient *recipient);
const char *words_service(const Needtoknow__V1__ReportedRecipient *recipient);
/* Yes or no, and a sentence. `again`: of what will be sent to someone who has it already. */
void words_answer(const struct page *page, const struct report_status *status, bool again);
void words_status(const struct page *page, const struct report_status *status, bool again);

#endif
