#ifndef NEEDTOKNOW_CLI_REPORT_H
#define NEEDTOKNOW_CLI_REPORT_H

#include <needtoknow/v1/audit.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a subject report comes to: of each field, who has it at the moment of the report, and until when. Pure. What is
 * not confirmed as deleted counts as held, and what was sent counts as received.
 */
enum holding {
	HOLDING_OVERDUE, /* ordered to delete, not confirmed, and the time for it is over; time: that was given */
	HOLDING_ENDED, /* may no longer use it, no order to delete is known; time: since when */
	HOLDING_UNCONFIRMED, /* ordered to delete, not confirmed; time: by which to delete */
	HOLDING_HELD, /* has it and may use it; time: until when */
	HOLDING_RESTRICTED, /* has it and may not use it, GDPR art. 18 */
	HOLDING_RETAINED, /* keeps it because of a law; time: until when, or TIME_NONE */
	HOLDING_DUE, /* should have been sent it; time: since when */
	HOLDING_PLANNED, /* will be sent it; time: when */
	HOLDING_DELETED, /* time: when that was confirmed */
	HOLDING_NEVER, /* it ended before it was sent */
	HOLDING_COUNT
};

struct report_status {
	enum holding holding;
	int64_t time; /* TIME_NONE: none is known */
	const char *ground; /* of HOLDING_RETAINED */
};

/* Of one release of a disclosure. `now`: report->made_at. */
struct report_status report_status(const Needtoknow__V1__ReportedDisclosure *disclosure,
	const Needtoknow__V1__ReportedRelease *release, int64_t now);

/* One line of a report that was given a field, over all its disclosures. */
struct report_holder {
	const Needtoknow__V1__ReportedRecipient *recipient;
	/* What is the case, the most pressing first: of several times the one that tells the most. What was deleted is
	 * left out while it holds the same field of another disclosure; that nothing was sent, when anything else is.
	 */
	struct report_status statuses[HOLDING_COUNT];
	size_t count;
};

struct report_field {
	const char *name; /* of the message */
	bool held; /* somebody has it */
	struct report_holder *holders; /* in the report's order */
	size_t count;
};

struct report {
	struct report_field *fields; /* those that someone holds first, then by name */
	size_t count;
};

/* Refers to the message. */
void report_init(struct report *report, const Needtoknow__V1__GetSubjectReportResponse *message);
void report_release(struct report *report);

#endif
