#ifndef NEEDTOKNOW_PURE_TIME_H
#define NEEDTOKNOW_PURE_TIME_H

#include <google/protobuf/timestamp.pb-c.h>
#include <stdint.h>

/* Times are int64_t microseconds since 1970-01-01T00:00:00Z, PostgreSQL's precision. */
#define TIME_SECOND INT64_C(1000000)
#define TIME_NONE INT64_MIN /* absent */

/* 0, or -1: out of 0001-01-01..9999-12-31 or nanos out of range. NULL gives TIME_NONE. Nanoseconds below a microsecond
 * are cut. */
int time_from_timestamp(const Google__Protobuf__Timestamp *timestamp, int64_t *out);
/* Initialises *out. */
void time_to_timestamp(int64_t time, Google__Protobuf__Timestamp *out);

/* So many calendar months later, at the same time of day in UTC; where that month has no such day, on its last
 * (GDPR art. 12(3): "within one month"). */
int64_t time_add_months(int64_t time, int months);

/* RFC 3339 in UTC with as many digits as needed: 2026-11-23T12:00:00Z, 2026-11-23T12:00:00.250Z. TIME_NONE: nothing;
 * INT64_MAX: `infinity`. */
#define TIME_TEXT_MAX 40
void time_format(int64_t time, char out[TIME_TEXT_MAX]);
/* RFC 3339 with Z or an offset; no leap second, which no clock here can tell. 0 or -1. */
int time_parse(const char *text, int64_t *out);

#endif
