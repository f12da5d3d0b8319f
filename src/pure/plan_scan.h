#ifndef NEEDTOKNOW_PURE_PLAN_SCAN_H
#define NEEDTOKNOW_PURE_PLAN_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Does a plan find its rows by key? Reads the lines of PostgreSQL's EXPLAIN in its text form, made with enable_seqscan
 * off, so that a sequential scan in it means that there was no other way. A scan is a Seq Scan, or a walk over a whole
 * index; and where no index is entered with the key, the view cannot be looked up by it.
 */
#define PLAN_LINE_MAX 512

struct plan_scan {
	char open[PLAN_LINE_MAX]; /* an index scan whose condition was not seen yet; "" without one */
	char scan[PLAN_LINE_MAX]; /* the first scan, as EXPLAIN names it: "Seq Scan on client"; "" without one */
	bool keyed; /* an index was entered with the key, or with the subject: one person's bookings are few */
};

void plan_scan_init(struct plan_scan *scan);
void plan_scan_line(struct plan_scan *scan, const char *line, size_t length);
/* After the last line. NULL: by key. Otherwise what the plan does instead, in words; valid as long as *scan. */
const char *plan_scan_end(struct plan_scan *scan);

#endif
