#include "pure/time.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define TIMESTAMP_MIN INT64_C(-62135596800) /* 0001-01-01T00:00:00Z, as timestamp.proto has it */
#define TIMESTAMP_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
#define SECONDS_PER_DAY 86400

static int64_t floor_divide(int64_t value, int64_t by)
{
	int64_t quotient = value / by;
	return value % by < 0 ? quotient - 1 : quotient;
}

static int64_t floor_remainder(int64_t value, int64_t by)
{
	int64_t remainder = value % by;
	return remainder < 0 ? remainder + by : remainder;
}

int time_from_timestamp(const Google__Protobuf__Timestamp *timestamp, int64_t *out)
{
	if (timestamp == NULL) {
		*out = TIME_NONE;
		return 0;
	}
	if (timestamp->seconds < TIMESTAMP_MIN || timestamp->seconds > TIMESTAMP_MAX || timestamp->nanos < 0 ||
		timestamp->nanos > 999999999)
		return -1;
	*out = timestamp->seconds * TIME_SECOND + timestamp->nanos / 1000;
	return 0;
}

void time_to_timestamp(int64_t time, Google__Protobuf__Timestamp *out)
{
	google__protobuf__timestamp__init(out);
	out->seconds = floor_divide(time, TIME_SECOND);
	out->nanos = (int32_t)floor_remainder(time, TIME_SECOND) * 1000;
}

/*
 * The Gregorian calendar, counted in years that begin in March, so that the day which is not always there is the last:
 * month lengths are then 31 30 31 30 31 31 30 31 30 31 31 28/29, which (153 * month + 2) / 5 adds up.
 */
enum {
	DAYS_PER_ERA = 146097,
	DAYS_0000_03_01_TO_EPOCH = 719468
};

static int64_t days_from_date(int64_t year, int month, int day)
{
	year -= month <= 2;
	int64_t era = floor_divide(year, 400);
	int64_t year_of_era = floor_remainder(year, 400);
	int64_t day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * DAYS_PER_ERA + day_of_era - DAYS_0000_03_01_TO_EPOCH;
}

static void date_from_days(int64_t days, int64_t *year, int *month, int *day)
{
	days += DAYS_0000_03_01_TO_EPOCH;
	int64_t era = floor_divide(days, DAYS_PER_ERA);
	int64_t day_of_era = floor_remainder(days, DAYS_PER_ERA);
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t march_month = (5 * day_of_year + 2) / 153;
	*day = (int)(day_of_year - (153 * march_month + 2) / 5 + 1);
	*month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
	*year = era * 400 + year_of_era + (*month <= 2);
}

void time_format(int64_t time, char out[TIME_TEXT_MAX])
{
	if (time == TIME_NONE || time == INT64_MAX) {
		snprintf(out, TIME_TEXT_MAX, "%s", time == TIME_NONE ? "" : "infinity");
		return;
	}
	int64_t seconds = floor_divide(time, TIME_SECOND);
	int microseconds = (int)floor_remainder(time, TIME_SECOND);
	int64_t days = floor_divide(seconds, SECONDS_PER_DAY);
	int second = (int)floor_remainder(seconds, SECONDS_PER_DAY);
	int64_t year;
	int month, day;
	date_from_days(days, &year, &month, &day);

	int length = snprintf(out, TIME_TEXT_MAX, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)year, month, day,
		second / 3600, second / 60 % 60, second % 60);
	char *end = out + length;
	size_t left = TIME_TEXT_MAX - (size_t)length;
	if (microseconds % 1000 != 0)
		snprintf(end, left, ".%06dZ", microseconds);
	else if (microseconds != 0)
		snprintf(end, left, ".%03dZ", microseconds / 1000);
	else
		snprintf(end, left, "Z");
}

/* Exactly `digits` digits, whose value lies in least..most, followed by `after` (0: by anything). Moves *text behind
 * them. */
static bool take_number(const char **text, int digits, int least, int most, char after, int *out)
{
	int value = 0;
	for (int i = 0; i < digits; i++, (*text)++) {
		if (**text < '0' || **text > '9')
			return false;
		value = value * 10 + (**text - '0');
	}
	*out = value;
	if (value < least || value > most)
		return false;
	return after == 0 || *(*text)++ == after;
}

/* `.` and one or more digits, or nothing. What is below a microsecond is cut. */
static bool take_fraction(const char **text, int *microseconds)
{
	*microseconds = 0;
	if (**text != '.')
		return true;
	(*text)++;
	int weight = 100000;
	const char *first = *text;
	for (; **text >= '0' && **text <= '9'; (*text)++, weight /= 10)
		*microseconds += (**text - '0') * weight;
	return *text > first;
}

/* `Z` or `+hh:mm`. */
static bool take_offset(const char **text, int *seconds)
{
	char sign = *(*text)++;
	*seconds = 0;
	if (sign == 'Z' || sign == 'z')
		return true;
	if (sign != '+' && sign != '-')
		return false;
	int hours, minutes;
	if (!take_number(text, 2, 0, 23, ':', &hours) || !take_number(text, 2, 0, 59, 0, &minutes))
		return false;
	*seconds = (hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
	return true;
}

static int days_in_month(int year, int month)
{
	return (int)(days_from_date(year + (month == 12), month % 12 + 1, 1) - days_from_date(year, month, 1));
}

int time_parse(const char *text, int64_t *out)
{
	int year, month, day, hour, minute, second, microseconds, offset;
	if (!take_number(&text, 4, 1, 9999, '-', &year) || !take_number(&text, 2, 1, 12, '-', &month) ||
		!take_number(&text, 2, 1, days_in_month(year, month), 0, &day))
		return -1;
	if (*text != 'T' && *text != 't')
		return -1;
	text++;
	if (!take_number(&text, 2, 0, 23, ':', &hour) || !take_number(&text, 2, 0, 59, ':', &minute) ||
		!take_number(&text, 2, 0, 59, 0, &second) || !take_fraction(&text, &microseconds) ||
		!take_offset(&text, &offset) || *text != '\0')
		return -1;

	int64_t seconds =
		days_from_date(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset;
	if (seconds < TIMESTAMP_MIN || seconds > TIMESTAMP_MAX)
		return -1;
	*out = seconds * TIME_SECOND + microseconds;
	return 0;
}

int64_t time_add_months(int64_t time, int months)
{
	const int64_t day_length = 86400 * TIME_SECOND;
	int64_t year;
	int month, day;
	date_from_days(floor_divide(time, day_length), &year, &month, &day);
	int64_t since = year * 12 + (month - 1) + months;
	year = floor_divide(since, 12);
	month = (int)floor_remainder(since, 12) + 1;
	int last = days_in_month((int)year, month);
	return days_from_date(year, month, day < last ? day : last) * day_length + floor_remainder(time, day_length);
}
