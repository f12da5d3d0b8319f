#include "pure/time.h"

#include "support/check.h"

#include <stdio.h>
#include <time.h>

static Google__Protobuf__Timestamp timestamp(int64_t seconds, int32_t nanos)
{
	Google__Protobuf__Timestamp timestamp = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	timestamp.seconds = seconds;
	timestamp.nanos = nanos;
	return timestamp;
}

static void test_from_timestamp(void **state)
{
	(void)state;
	static const struct {
		int64_t seconds;
		int32_t nanos;
		int result;
		int64_t time;
	} cases[] = {
		{ 0, 0, 0, 0 },
		{ 1, 999999999, 0, 1999999 },
		{ 1, 1999, 0, 1000001 },
		{ -1, 1000, 0, -999999 },
		{ INT64_C(-62135596800), 0, 0, INT64_C(-62135596800000000) },
		{ INT64_C(253402300799), 999999999, 0, INT64_C(253402300799999999) },
		{ INT64_C(-62135596801), 999999999, -1, 0 },
		{ INT64_C(253402300800), 0, -1, 0 },
		{ INT64_MAX, 0, -1, 0 },
		{ INT64_MIN, 0, -1, 0 },
		{ 0, -1, -1, 0 },
		{ 0, 1000000000, -1, 0 },
		{ 0, INT32_MIN, -1, 0 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		Google__Protobuf__Timestamp given = timestamp(cases[i].seconds, cases[i].nanos);
		int64_t time = 77;
		assert_int_equal(time_from_timestamp(&given, &time), cases[i].result);
		assert_int_equal(time, cases[i].result == 0 ? cases[i].time : 77);
	}
	int64_t time = 77;
	assert_int_equal(time_from_timestamp(NULL, &time), 0);
	assert_true(time == TIME_NONE);
}

static void test_to_timestamp(void **state)
{
	(void)state;
	static const int64_t times[] = { 0, 1, -1, 999999, -999999, 1000000, -1000000, INT64_C(1795608000123456),
		INT64_C(-62135596800000000), INT64_C(253402300799999999) };
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		Google__Protobuf__Timestamp out;
		memset(&out, 0xff, sizeof out);
		time_to_timestamp(times[i], &out);
		assert_ptr_equal(out.base.descriptor, &google__protobuf__timestamp__descriptor);
		assert_null(out.base.unknown_fields);
		assert_in_range(out.nanos, 0, 999999999);
		int64_t back;
		assert_int_equal(time_from_timestamp(&out, &back), 0);
		assert_true(back == times[i]);
	}
	Google__Protobuf__Timestamp out;
	time_to_timestamp(-1, &out);
	assert_int_equal(out.seconds, -1);
	assert_int_equal(out.nanos, 999999000);
	time_to_timestamp(INT64_MIN, &out);
	assert_true(out.seconds == -9223372036855);
	assert_int_equal(out.nanos, 224192000);
}

static void test_format(void **state)
{
	(void)state;
	static const struct {
		int64_t time;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ -1, "1969-12-31T23:59:59.999999Z" },
		{ INT64_C(1795435200000000), "2026-11-23T12:00:00Z" },
		{ INT64_C(1795435200250000), "2026-11-23T12:00:00.250Z" },
		{ INT64_C(1795435200000001), "2026-11-23T12:00:00.000001Z" },
		{ INT64_C(951782400000000), "2000-02-29T00:00:00Z" },
		{ INT64_C(951868800000000), "2000-03-01T00:00:00Z" },
		{ INT64_C(4107542399000000), "2100-02-28T23:59:59Z" },
		{ INT64_C(4107542400000000), "2100-03-01T00:00:00Z" },
		{ INT64_C(-62135596800000000), "0001-01-01T00:00:00Z" },
		{ INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z" },
		{ INT64_C(253402300800000000), "10000-01-01T00:00:00Z" },
		{ TIME_NONE, "" },
		{ INT64_MAX, "infinity" },
		{ INT64_MAX - 1, "294247-01-10T04:00:54.775806Z" },
		{ INT64_MIN + 1, "-290308-12-21T19:59:05.224193Z" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[TIME_TEXT_MAX];
		time_format(cases[i].time, text);
		assert_string_equal(text, cases[i].text);
	}
}

/* The C library's calendar says the same, day by day, and what is written is read. */
static void test_calendar(void **state)
{
	(void)state;
	for (int64_t day = -719162; day <= 2932896; day += 13) {
		time_t seconds = (time_t)(day * 86400 + (day & 0xffff));
		struct tm broken;
		assert_non_null(gmtime_r(&seconds, &broken));
		char expected[64], text[TIME_TEXT_MAX];
		snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02dZ", broken.tm_year + 1900,
			broken.tm_mon + 1, broken.tm_mday, broken.tm_hour, broken.tm_min, broken.tm_sec);
		time_format(seconds * TIME_SECOND, text);
		assert_string_equal(text, expected);
		int64_t parsed;
		assert_int_equal(time_parse(text, &parsed), 0);
		assert_true(parsed == seconds * TIME_SECOND);
	}
}

static void test_parse(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t time;
	} cases[] = {
		{ "2026-11-23T12:00:00Z", INT64_C(1795435200000000) },
		{ "2026-11-23t12:00:00z", INT64_C(1795435200000000) },
		{ "2026-11-23T12:00:00.25Z", INT64_C(1795435200250000) },
		{ "2026-11-23T12:00:00.123456789Z", INT64_C(1795435200123456) },
		{ "2026-11-23T12:00:00.0000019999999999999999999999Z", INT64_C(1795435200000001) },
		{ "2026-11-23T14:30:00+02:30", INT64_C(1795435200000000) },
		{ "2026-11-23T02:00:00-10:00", INT64_C(1795435200000000) },
		{ "2026-11-23T12:00:00-00:00", INT64_C(1795435200000000) },
		{ "2026-11-24T11:59:00+23:59", INT64_C(1795435200000000) },
		{ "2024-02-29T00:00:00Z", INT64_C(1709164800000000) },
		{ "2000-02-29T00:00:00Z", INT64_C(951782400000000) },
		{ "0001-01-01T00:00:00Z", INT64_C(-62135596800000000) },
		{ "9999-12-31T23:59:59.999999Z", INT64_C(253402300799999999) },
		{ "1969-12-31T23:59:59.5Z", -500000 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t time = 77;
		assert_int_equal(time_parse(cases[i].text, &time), 0);
		assert_true(time == cases[i].time);
	}
}

static void test_parse_refuses(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",
		"2026",
		"2026-11-23",
		"2026-11-23T12:00:00",
		"2026-11-23T12:00Z",
		"2026-11-23 12:00:00Z",
		"2026-11-23T12:00:00ZZ",
		"2026-11-23T12:00:00Z ",
		" 2026-11-23T12:00:00Z",
		"2026-11-23T12:00:00.Z",
		"2026-11-23T12:00:00,5Z",
		"2026-11-23T12:00:00+0200",
		"2026-11-23T12:00:00+02",
		"2026-11-23T12:00:00+24:00",
		"2026-11-23T12:00:00+02:60",
		"2026-11-23T12:00:00~02:00",
		"2026-11-23T24:00:00Z",
		"2026-11-23T12:60:00Z",
		"2026-11-23T12:00:60Z",
		"2026-11-23T1a:00:00Z",
		"2026-00-23T12:00:00Z",
		"2026-13-23T12:00:00Z",
		"2026-11-00T12:00:00Z",
		"2026-11-31T12:00:00Z",
		"2026-12-32T12:00:00Z",
		"2026-02-29T12:00:00Z",
		"2100-02-29T12:00:00Z",
		"2024-02-30T12:00:00Z",
		"0000-12-31T12:00:00Z",
		"0001-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59-00:01",
		"99999-01-01T00:00:00Z",
		"-2026-11-23T12:00:00Z",
		"2026/11/23T12:00:00Z",
		"+026-11-23T12:00:00Z",
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t time = 77;
		if (time_parse(cases[i], &time) != -1)
			fail_msg("accepted: %s", cases[i]);
		assert_int_equal(time, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_timestamp),
		cmocka_unit_test(test_to_timestamp),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_calendar),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
