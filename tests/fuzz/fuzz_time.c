/* Times in text and as numbers. */
#include "pure/time.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TIME_FIRST INT64_C(-62135596800000000)
#define TIME_LAST INT64_C(253402300799999999)

/* What is written is read as the same; any number can be written. */
static void check(int64_t time)
{
	char text[TIME_TEXT_MAX];
	time_format(time, text);
	assert(strlen(text) < sizeof text);
	int64_t again = 0;
	if (time >= TIME_FIRST && time <= TIME_LAST)
		assert(time_parse(text, &again) == 0 && again == time);
	else
		assert(time_parse(text, &again) == -1);

	Google__Protobuf__Timestamp timestamp;
	time_to_timestamp(time, &timestamp);
	assert(timestamp.nanos >= 0 && timestamp.nanos <= 999999999);
	if (time_from_timestamp(&timestamp, &again) == 0)
		assert(again == time);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	int64_t time;
	if (time_parse(text, &time) == 0) {
		assert(time >= TIME_FIRST && time <= TIME_LAST);
		check(time);
	}
	free(text);
	if (size >= sizeof time) {
		memcpy(&time, data, sizeof time);
		check(time);
	}
	return 0;
}
