#include "pure/duration.h"

#include "pure/policy.h"
#include "pure/time.h"
#include "support/check.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define HOUR (3600 * TIME_SECOND)
#define DAY (24 * HOUR)
#define YEAR (365 * DAY)

static const struct good {
	const char *text;
	int64_t microseconds;
} good[] = {
	{ "0s", 0 },
	{ "1s", TIME_SECOND },
	{ "30s", 30 * TIME_SECOND },
	{ "1m", 60 * TIME_SECOND },
	{ "24h", DAY },
	{ "30d", 30 * DAY },
	{ "1y", YEAR },
	{ "007d", 7 * DAY },
	{ "1000y", 1000 * YEAR },
	{ "365000d", 1000 * YEAR },
	{ "31536000000s", 1000 * YEAR },
};

static const char *const bad[] = { "", "s", "30", "1M", "1Y", "1H", "1S", "1D", "1w", "1ms", "1y6", "1h30m", "1 h",
	" 1h", "1h ", "-1h", "+1h", "1.5h", "1,5h", "1e3s", "0x1h", "abc", "h1", "1001y", "365001d", "31536000001s",
	"999999999999s", "9999999999999s", "18446744073709551617s", "99999999999999999999999999999999y", "P1D", "1d1d",
	"\n1d", "1d\n", "١h" };

static void test_digits_and_a_unit(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		int64_t out = -1;
		assert_int_equal(duration_parse(good[i].text, &out), 0);
		assert_true(out == good[i].microseconds);
	}
}

static void test_whatever_else_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		int64_t out = 42;
		if (duration_parse(bad[i], &out) != -1)
			fail_msg("`%s` was read as %lld", bad[i], (long long)out);
		assert_int_equal(out, 42);
	}
}

static const char *const anchors[] = { "end", "end-of", "start", "financial-year-end" };

static const struct anchored {
	const char *text;
	size_t anchor; /* COUNT_OF(anchors): refused */
	int64_t offset;
} anchored[] = {
	{ "end", 0, 0 },
	{ "end+2h", 0, 2 * HOUR },
	{ "end-2h", 0, -2 * HOUR },
	{ "end-0s", 0, 0 },
	{ "end-of", 1, 0 },
	{ "end-of-1d", 1, -DAY },
	{ "start-24h", 2, -DAY },
	{ "financial-year-end+10y", 3, 10 * YEAR },
	{ "financial-year-end", 3, 0 },
	{ "", COUNT_OF(anchors), 0 },
	{ "+2h", COUNT_OF(anchors), 0 },
	{ "2h", COUNT_OF(anchors), 0 },
	{ "en", COUNT_OF(anchors), 0 },
	{ "ended", COUNT_OF(anchors), 0 },
	{ "end2h", COUNT_OF(anchors), 0 },
	{ "end+", COUNT_OF(anchors), 0 },
	{ "end-", COUNT_OF(anchors), 0 },
	{ "end+-2h", COUNT_OF(anchors), 0 },
	{ "end + 2h", COUNT_OF(anchors), 0 },
	{ "end+2h+2h", COUNT_OF(anchors), 0 },
	{ "end+2M", COUNT_OF(anchors), 0 },
	{ "end*2h", COUNT_OF(anchors), 0 },
	{ "End+2h", COUNT_OF(anchors), 0 },
	{ " end", COUNT_OF(anchors), 0 },
	{ "financial-year", COUNT_OF(anchors), 0 },
};

static void test_anchors_with_an_offset(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(anchored); i++) {
		size_t anchor = 99;
		int64_t offset = 42;
		int result = duration_parse_anchored(anchored[i].text, anchors, COUNT_OF(anchors), &anchor, &offset);
		bool accepted = anchored[i].anchor < COUNT_OF(anchors);
		if (result != (accepted ? 0 : -1))
			fail_msg("`%s`", anchored[i].text);
		assert_int_equal(anchor, accepted ? anchored[i].anchor : 99);
		assert_true(offset == (accepted ? anchored[i].offset : 42));
	}
}

static void test_is_written_as_it_is_read(void **state)
{
	static const char *const texts[] = { "0s", "1s", "90s", "1m", "59m", "1h", "24h", "36h", "48h", "3d", "30d",
		"364d", "1y", "2y", "1000y" };
	char text[DURATION_TEXT_MAX];
	int64_t value;
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		assert_int_equal(duration_parse(texts[i], &value), 0);
		duration_format(value, text);
		assert_string_equal(text, texts[i]);
	}
	duration_format(86400 * INT64_C(1000000), text);
	assert_string_equal(text, "24h");
}

static void test_moments_are_written_as_they_are_read(void **state)
{
	static const struct {
		struct moment moment;
		const char *text;
	} cases[] = {
		{ { MOMENT_BOOKED, 0 }, "booked" },
		{ { MOMENT_START, -3600 * INT64_C(1000000) }, "start-1h" },
		{ { MOMENT_END, 2 * 3600 * INT64_C(1000000) }, "end+2h" },
	};
	char text[MOMENT_TEXT_MAX];
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		moment_format(&cases[i].moment, text);
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digits_and_a_unit),
		cmocka_unit_test(test_whatever_else_is_refused),
		cmocka_unit_test(test_anchors_with_an_offset),
		cmocka_unit_test(test_is_written_as_it_is_read),
		cmocka_unit_test(test_moments_are_written_as_they_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
